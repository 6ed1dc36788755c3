//===- Passes.td - Passes quantization and encoding of weights ------------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_PASSES_TD
#define LLMOPT_PASSES_QUANTIZATION_PASSES_TD

include "mlir/Pass/PassBase.td"

class Quantization_WeightOption<string variable, string flag, string description>
    : Option<variable, flag, "::llmopt::WeightQuantization", "::llmopt::WeightQuantization::None", description, [{
        ::llvm::cl::values(clEnumValN(::llmopt::WeightQuantization::None, "none", "float"),
                           clEnumValN(::llmopt::WeightQuantization::Int8, "int8", "int8 with a scale per row"),
                           clEnumValN(::llmopt::WeightQuantization::Int4, "int4", "int4 with a scale per group"),
                           clEnumValN(::llmopt::WeightQuantization::Int3, "int3", "int3 with a scale per group"),
                           clEnumValN(::llmopt::WeightQuantization::Int2, "int2", "int2 with a scale per group"),
                           clEnumValN(::llmopt::WeightQuantization::NF4, "nf4", "16 values of a normal distribution with a scale per group"))
      }]>;

def QuantizeWeightsPass : Pass<"llmopt-quantize-weights", "::mlir::ModuleOp"> {
  let summary = "round weights to codes with scales";
  let description = [{
    Rounds plain weights to nearest, symmetrically: scale = max|w| / 127 per row (output channel), code = w / scale. Zeros stay zeros. Int4, int3 and
    int2 have a scale max|w| / 7, 3 or 1 per row and group of columns, or with `zero-points` a scale (max - min) / 15, 7 or 3 and a zero point; nf4 has a
    scale max|w| and takes the nearest of 16 values.

    ```mlir
    %w = llmopt.weight "w"(dense<[[127.0, -2.5], [0.0, 0.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
    %y = llmopt.linear %x, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
    ```
    ==> linears=int8 activations=dynamic
    ```mlir
    %w = llmopt.encoded_weight "w" codes(dense<[[127, -2], [0, 0]]> : tensor<2x2xi8>) scales(dense<[1.0, 0.0]> : tensor<2xf32>)
           {error = ... : f64, zeros = 2 : i64} : !llmopt.packed<2x2, #llmopt.format<int8>>
    %y = llmopt.linear %x, %w activations(64) : (tensor<?x2xf32>, !llmopt.packed<2x2, #llmopt.format<int8>>) -> tensor<?x2xf32>
    ```

    A weight that an embedding reads follows `embedding`, also where it is the output head too, and is encoded once; all other weights of
    products follow `linears`. With `activations=dynamic` their products become integer products, whose inputs get
    a scale per row and group of columns, by default the largest of 32 and 64 that divides the group of the weight. Weights that are not finite are an error.
  }];
  let options = [
    Quantization_WeightOption<"linears", "linears", "encoding of the weights of products">,
    Quantization_WeightOption<"embedding", "embedding", "encoding of embedding tables and tied heads">,
    Option<"activations", "activations", "::llmopt::ActivationQuantization", "::llmopt::ActivationQuantization::Dynamic",
           "activations of products with integer weights", [{
             ::llvm::cl::values(clEnumValN(::llmopt::ActivationQuantization::None, "none", "float"),
                                clEnumValN(::llmopt::ActivationQuantization::Dynamic, "dynamic", "int8, scales found at run time"))
           }]>,
    Option<"activationGroup", "activation-group", "int64_t", "0",
           "columns of the activations that share a scale, a multiple of 32 that divides the groups of the weights; 0: automatic">,
    Option<"groupSize", "group-size", "int64_t", "0",
           "columns of the weights of products that share a scale, a multiple of 32; 0: automatic">,
    Option<"zeroPoints", "zero-points", "bool", "false", "groups of int4, int3 and int2 weights of products have zero points">,
    Option<"halfScales", "half-scales", "bool", "true", "scales of groups are f16">
  ];
  let statistics = [
    Statistic<"numWeights", "weights", "weights that were quantized">,
    Statistic<"numZeros", "zeros", "zeros among them">
  ];
}

def EncodeWeightsPass : Pass<"llmopt-encode-weights", "::mlir::ModuleOp"> {
  let summary = "choose the layout of every weight of a product or embedding";
  let description = [{
    Turns the remaining plain weights of products and embeddings into encoded f32 weights (norm scales and rotary tables stay plain) and gives
    every format without a layout one: the one that the cost model predicts to decode fastest over all `cpus`, as
    one packed weight serves all variants. Weights whose products share their input are decided together, since
    selection fuses these products; embedding tables are dense, as their rows are read one at a time. `reason` says why.
    With `bf16-linears` the weights of products become bf16 instead of f32, with `bf16-tables` embedding tables and heads that share one.

    ```mlir
    %w = llmopt.weight "w"(#llmopt.random<3>) : tensor<2x2xf32>
    ```
    ==>
    ```mlir
    %w = llmopt.encoded_weight "w" codes(#llmopt.random<3>) {error = 0.0 : f64, reason = "float weight", zeros = 0 : i64}
           : !llmopt.packed<2x2, #llmopt.format<f32, dense>>
    ```
  }];
  let options = [
    ListOption<"cpus", "cpus", "std::string", "names as for -mcpu; the host's where empty">,
    Option<"bf16Linears", "bf16-linears", "bool", "false", "plain weights of products become bf16">,
    Option<"bf16Tables", "bf16-tables", "bool", "false", "plain embedding tables become bf16">,
    ListOption<"formats", "formats", "std::string", "REGEX:NAME: the format of int8 weights whose names match">
  ];
  let statistics = [
    Statistic<"numDense", "dense", "weights with the dense layout">,
    Statistic<"numBitmask", "bitmask", "weights with the bitmask layout">,
    Statistic<"numTwoOfFour", "two-of-four", "weights with the 2:4 layout">,
    Statistic<"numGather", "gather", "weights with the gather layout">
  ];
}

#endif // LLMOPT_PASSES_QUANTIZATION_PASSES_TD
