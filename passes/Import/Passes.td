//===- Passes.td - Passes from onnx to llmopt --------------*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_PASSES_TD
#define LLMOPT_PASSES_IMPORT_PASSES_TD

include "mlir/Pass/PassBase.td"

class ImportPass<string argument> : Pass<argument, "::mlir::func::FuncOp"> {
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::llmopt::LLMOptDialect", "::llmopt::onnx::ONNXDialect"];
}

def CheckNodes : ImportPass<"llmopt-check-nodes"> {
  let summary = "check nodes against the schemas of their operators";
  let description = [{
    Reports, for at most `max-diagnostics` nodes: an unknown operator, a number of inputs or outputs that the operator does not
    take, an input that must not be left out, and attributes that are missing, unknown or of another kind. Changes nothing.
    Later passes rely on what it checks. The schemas are those of the Python packages onnx and onnxruntime
    (scripts/update-operators).

    ```mlir
    // error: node '': operator Conv (domain ai.onnx, version 22): has 1 inputs, but takes 2 to 3
    %0 = onnx.node "Conv"(%x) : (tensor<1x3x4x4xf32>) -> !onnx.value
    ```
  }];
  let options = [
    Option<"maxDiagnostics", "max-diagnostics", "unsigned", "16", "nodes to report at most">
  ];
}

def FoldONNX : ImportPass<"llmopt-fold-onnx"> {
  let summary = "turn Constant nodes into initializers and drop nodes that do nothing";
  let description = [{
    Constants have two spellings in ONNX; after this pass they have one. Identity, Dropout without training, and a Cast to the type
    that its input has (see llmopt-infer-onnx-types) vanish.

    ```mlir
    %0 = onnx.node "Constant"() {value = dense<2> : tensor<i64>} : () -> !onnx.value
    %1 = onnx.node "Identity"(%0) : (!onnx.value) -> !onnx.value
    ==>
    %0 = onnx.initializer "constant" = dense<2> : tensor<i64>
    ```
  }];
  let statistics = [
    Statistic<"constants", "constants", "Constant nodes that became initializers">,
    Statistic<"dropped", "dropped", "nodes that did nothing">
  ];
}

def InferONNXTypes : ImportPass<"llmopt-infer-onnx-types"> {
  let summary = "infer element types and ranks of values";
  let description = [{
    Replaces `!onnx.value` by a ranked tensor type where the operator is known.

    ```mlir
    %1 = onnx.node "MatMul"(%x, %w) : (tensor<?x?x576xf32>, tensor<576x1536xf32>) -> !onnx.value
    ==>
    %1 = onnx.node "MatMul"(%x, %w) : (tensor<?x?x576xf32>, tensor<576x1536xf32>) -> tensor<?x?x1536xf32>
    ```
  }];
  let statistics = [Statistic<"typed", "typed", "results that got a type">];
}

def UnflattenProducts : ImportPass<"llmopt-unflatten-products"> {
  let summary = "make a MatMul and an Add of a Gemm, over the dimensions that a Reshape has joined";
  let description = [{
    What follows from the shapes alone: a Gemm multiplies rows, so it may as well do so before a Reshape joins their dimensions. The Reshape behind it
    undoes what one in front of it did, and llmopt-drop-views removes both.

    ```mlir
    %r = onnx.node "Reshape"(%x, %s) : (tensor<?x?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
    %y = onnx.node "Gemm"(%r, %w, %b)
    ==>
    %p = onnx.node "MatMul"(%x, %w)
    %a = onnx.node "Add"(%p, %b)
    %y = onnx.node "Reshape"(%a, %rows)
    ```
  }];
  let statistics = [Statistic<"products", "products", "Gemm nodes rewritten">];
}

def DropViews : ImportPass<"llmopt-drop-views"> {
  let summary = "use the tensor that a node only copies";
  let description = [{
    A value whose shape and elements are those of another one (IndexAnalysis) is replaced by it: a Reshape to the shape that its input has, or that
    undoes another one.
  }];
  let statistics = [Statistic<"dropped", "dropped", "values replaced">];
}

def RaiseGroupQueryAttention : ImportPass<"llmopt-raise-group-query-attention"> {
  let summary = "raise com.microsoft.GroupQueryAttention";
  let description = [{
    The lengths must come from the attention mask: seqlens_k = ReduceSum(mask) - 1, total length = columns of the mask. Then
    the mask pads on the right, and positions follow from it. cos_cache and sin_cache become one table of cosines, then sines.

    ```mlir
    %o, %pk, %pv = onnx.node "GroupQueryAttention" domain "com.microsoft"
        (%qkv, %none, %none, %past_k, %past_v, %seqlens, %total, %cos, %sin) {num_heads = 9, kv_num_heads = 3, do_rotary = 1}
    ==>
    %positions = llmopt.row_positions %ids, %mask
    %q, %k, %v = llmopt.split %qkv
    %qr = llmopt.rope %q at %positions, %table {head_dim = 64, heads = 9}
    %kr = llmopt.rope %k at %positions, %table {head_dim = 64, heads = 3}
    %o, %pk, %pv = llmopt.attention %qr, %kr, %v past(%past_k, %past_v) mask(%mask) right {...}
    ```
  }];
  let statistics = [Statistic<"raised", "raised", "attention nodes raised">];
}

def RaiseAttention : ImportPass<"llmopt-raise-attention"> {
  let summary = "raise attention that is written out in primitive nodes";
  let description = [{
    The root is the product of softmax probabilities and values, or the operator Attention of version 23. Every tensor that leads to it is described as a function of its indices
    (IndexAnalysis), and the raising holds when these functions are what attention is: the mask hides keys after the query and keys that the
    attention mask drops, and only those; keys and values are past then new ones, repeated for the heads of a group; queries and keys are
    projections, perhaps rotated by halves with factors that depend on the position only. How the graph moves the elements does not
    matter.

    `max-positions` is the number of rows of the table of rotary factors, computed as the graph would compute them.

    ```mlir
    %s = onnx.node "MatMul"(%queries, %keys)
    %m = onnx.node "Add"(%s, %mask)
    %p = onnx.node "Softmax"(%m) {axis = -1 : i64}
    %o = onnx.node "MatMul"(%p, %values)
    %r = onnx.node "Reshape"(%o_transposed, %shape)
    ==>
    %qr = llmopt.rope %q at %positions, %table {head_dim = 64, heads = 9}
    %kr = llmopt.rope %k at %positions, %table {head_dim = 64, heads = 3}
    %r, %pk, %pv = llmopt.attention %qr, %kr, %v past(%past_k, %past_v) mask(%mask) left {...}
    ```
  }];
  let options = [
    Option<"maxPositions", "max-positions", "int64_t", "4096", "rows of a rotary table">
  ];
  let statistics = [Statistic<"raised", "raised", "attentions raised">];
}

def RaiseNorm : ImportPass<"llmopt-raise-norm"> {
  let summary = "raise normalisations";
  let description = [{
    LayerNormalization with a bias, SimplifiedLayerNormalization, RMSNormalization, SkipSimplifiedLayerNormalization with the sum it also returns, and the chain
    of squares, mean, square root and quotient that exporters write.

    ```mlir
    %n, %0, %1, %sum = onnx.node "SkipSimplifiedLayerNormalization" domain "com.microsoft" (%x, %skip, %gamma)
    ==>
    %sum = arith.addf %x, %skip : tensor<?x?x576xf32>
    %n = llmopt.rms_norm %sum, %gamma {epsilon = 1.0e-5 : f32} : tensor<?x?x576xf32>, tensor<576xf32>
    ```
  }];
  let statistics = [Statistic<"raised", "raised", "normalisations raised">];
}

def RaiseLinear : ImportPass<"llmopt-raise-linear"> {
  let summary = "raise products with constant weights and embeddings";
  let description = [{
    Weights become [N, K] views of the data in the file; a Transpose of a constant is part of the view.

    ```mlir
    %w = onnx.initializer "w" = #onnx.blob<"model.onnx.data", 0, 3538944> : tensor<576x1536xf32>
    %y = onnx.node "MatMul"(%x, %w) : (tensor<?x?x576xf32>, tensor<576x1536xf32>) -> tensor<?x?x1536xf32>
    ==>
    %w = llmopt.weight "w"(#llmopt.blob<"model.onnx.data", 0, 3538944, transposed>) : tensor<1536x576xf32>
    %y = llmopt.linear %x, %w : (tensor<?x?x576xf32>, tensor<1536x576xf32>) -> tensor<?x?x1536xf32>
    ```
  }];
  let statistics = [
    Statistic<"linears", "linears", "products raised">,
    Statistic<"embeddings", "embeddings", "embeddings raised">
  ];
}

def RaiseProducts : ImportPass<"llmopt-raise-products"> {
  let summary = "raise products with constant weights and embeddings of a graph";
  let description = [{
    Does for any model what llmopt-raise-linear does for decoders: every MatMul, Gemm and FusedMatMul with a constant matrix becomes an
    `llmopt.linear`, every Gather of rows of a constant float table an `llmopt.embedding`, unless the rows are factors of a product (a rotary
    table). Shapes need not be known. A bias, alpha and beta of Gemm stay nodes of their own, in front of and behind float16 and bfloat16
    products stands a Cast, as linears compute in f32.

    ```mlir
    %y = onnx.node "Gemm"(%x, %w, %b) {transB = 1 : i64} : (!onnx.value, tensor<64x16xf32>, tensor<64xf32>) -> !onnx.value
    ==>
    %w = llmopt.weight "w"(...) : tensor<64x16xf32>
    %0 = llmopt.linear %x, %w : (tensor<*xf32>, tensor<64x16xf32>) -> tensor<*xf32>
    %y = onnx.node "Add"(%0, %b) : (tensor<*xf32>, tensor<64xf32>) -> !onnx.value
    ```
    A node that is something else stays as it is.
  }];
  let statistics = [
    Statistic<"linears", "linears", "products raised">,
    Statistic<"embeddings", "embeddings", "embeddings raised">
  ];
}

def FoldQDQ : ImportPass<"llmopt-fold-qdq"> {
  let summary = "make integer products of products of dequantized values";
  let description = [{
    A MatMul, Gemm or Conv whose factors are DequantizeLinear of int8 or uint8 values becomes MatMulInteger or ConvInteger of these values,
    times the product of their scales: the scales of the model, not found anew. Activations have one scale, weights one or one per output
    channel. The integer product is exact, so that results differ from those of the float product by its rounding only. Quantizing the result
    again stays a node of its own. Not on by default.

    ```mlir
    %x = onnx.node "DequantizeLinear"(%xq, %xs, %xz)
    %w = onnx.node "DequantizeLinear"(%wq, %ws, %wz) {axis = 1 : i64}
    %y = onnx.node "MatMul"(%x, %w)
    ==>
    %0 = onnx.node "MatMulInteger"(%xq, %wq, %xz, %wz)
    %1 = onnx.node "Cast"(%0) {to = 1 : i64}
    %2 = onnx.node "Mul"(%xs, %ws)
    %y = onnx.node "Mul"(%1, %2)
    ```
  }];
  let statistics = [Statistic<"folded", "folded", "products that became integer products">];
}

def RaiseSdpa : ImportPass<"llmopt-raise-sdpa"> {
  let summary = "raise the softmax attention of a graph";
  let description = [{
    The product of values with a softmax of sums, which lead through masks and biases (Add, or Where with a constant no larger than -60000), a soft
    cap (a multiple of Tanh) and constant factors to the product of queries and keys. What the masks are does not matter: they
    stay nodes. Unlike llmopt-raise-attention it proves nothing about positions or past keys, so it applies to any model.

    ```mlir
    %s = onnx.node "MatMul"(%q, %kt)
    %m = onnx.node "Add"(%s, %mask)
    %p = onnx.node "Softmax"(%m) {axis = -1 : i64}
    %o = onnx.node "MatMul"(%p, %v)
    ==>
    %o = llmopt.sdpa %q, %kt, %v biases(%mask) {key_transposed, scale = 1.0 : f32}
    ```
  }];
  let statistics = [Statistic<"raised", "raised", "attentions raised">];
}

def RaiseRotary : ImportPass<"llmopt-raise-rotary"> {
  let summary = "raise the rotary embeddings of a graph";
  let description = [{
    `x * cos + Concat(Neg(x[half:]), x[:half]) * sin`, with constant halves or ones that are computed from the shape of x.

    ```mlir
    %n = onnx.node "Neg"(%high)
    %t = onnx.node "Concat"(%n, %low) {axis = -1 : i64}
    %a = onnx.node "Mul"(%x, %cos)
    %b = onnx.node "Mul"(%t, %sin)
    %y = onnx.node "Add"(%a, %b)
    ==>
    %y = llmopt.rotary %x, %cos, %sin {axis = -1 : i64}
    ```
  }];
  let statistics = [Statistic<"raised", "raised", "rotary embeddings raised">];
}

def FuseNorms : ImportPass<"llmopt-fuse-norms"> {
  let summary = "make one node of a normalisation that is written out";
  let description = [{
    x / sqrt(mean(x²) + epsilon) * gamma becomes RMSNormalization, (x - mean(x)) / sqrt(mean((x - mean(x))²) + epsilon) * gamma + beta
    LayerNormalization, over the last dimension and with a constant gamma. They stay nodes: ONNX has the operators.

    ```mlir
    %y = onnx.node "Mul"(%x_over_deviation, %gamma)
    ==>
    %y = onnx.node "RMSNormalization" version 23 (%x, %gamma) {axis = -1 : i64, epsilon = 1.0e-5 : f32}
    ```
  }];
  let statistics = [Statistic<"fused", "fused", "normalisations fused">];
}

def RaiseActivation : ImportPass<"llmopt-raise-activation"> {
  let summary = "raise activation functions and gated units";
  let description = [{
    x * sigmoid(x) * y and gelu(x) * y become `llmopt.glu`, relu and gelu of anything else an attribute of the bias that is added before, of zeros
    where there is none. GELU is recognised by its values, however it is written (ActivationMatch).

    ```mlir
    %s = onnx.node "Sigmoid"(%gate)
    %a = onnx.node "Mul"(%gate, %s)
    %y = onnx.node "Mul"(%a, %up) : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
    %b = onnx.node "Add"(%x, %bias)
    %z = onnx.node "Gelu"(%b)
    ==>
    %y = llmopt.glu silu %gate, %up : tensor<?x?x8xf32>
    %z = llmopt.bias gelu %x, %bias : tensor<?x?x8xf32>, tensor<8xf32>
    ```
  }];
  let statistics = [
    Statistic<"gatedUnits", "gated-units", "gated units raised">,
    Statistic<"functions", "functions", "activation functions raised">
  ];
}

def RaiseElementwise : ImportPass<"llmopt-raise-elementwise"> {
  let summary = "raise residual additions, biases, factors and soft caps";
  let description = [{
    ```mlir
    %z = onnx.node "Add"(%x, %y) : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
    %s = onnx.node "Mul"(%z, %factor)
    ==>
    %z = arith.addf %x, %y : tensor<?x?x8xf32>
    %s = llmopt.scale %z {factor = 8.0 : f32} : tensor<?x?x8xf32>
    ```

    The addition of a constant vector becomes `llmopt.bias`, cap * tanh(x / cap) `llmopt.softcap`.
  }];
  let statistics = [
    Statistic<"additions", "additions", "additions raised">,
    Statistic<"biases", "biases", "additions of vectors raised">,
    Statistic<"scalings", "scalings", "products with numbers raised">,
    Statistic<"softcaps", "softcaps", "soft caps raised">
  ];
}

def ShareWeights : ImportPass<"llmopt-share-weights"> {
  let summary = "keep one of the weights with equal content";
  let description = [{
    Equal references become one op at the function's entry. Weights of one type whose bytes are equal (a tied table that the exporter stored twice,
    perhaps transposed) become one, too: a few values are compared first, then all.

    ```mlir
    %table = llmopt.weight "embed"(dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
    %head = llmopt.weight "head"(dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
    ==>
    %table = llmopt.weight "embed"(dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>) : tensor<2x2xf32>
    ```
  }];
  let statistics = [
    Statistic<"references", "references", "equal references merged">,
    Statistic<"copies", "copies", "weights of equal content merged">
  ];
}

def FinishImport : ImportPass<"llmopt-finish-import"> {
  let summary = "check that the model is a decoder and name the roles of its signature";
  let description = [{
    Reports every node that no pass could raise, at most `max-diagnostics` of them (with `allow-graph`, the first becomes the reason for
    which the model is compiled as a graph). Then every argument and result
    gets its `llmopt.role`, and the product that yields the logits is marked as head.

    ```mlir
    func.func @main(%ids: tensor<?x?xi64> {onnx.name = "input_ids"}) -> (tensor<?x?x257xf32> {onnx.name = "logits"})
    ==>
    func.func @main(%ids: tensor<?x?xi64> {llmopt.role = #llmopt.role<tokens>, onnx.name = "input_ids"})
        -> (tensor<?x?x257xf32> {llmopt.role = #llmopt.role<logits>, onnx.name = "logits"})
    ```
  }];
  let options = [
    Option<"maxDiagnostics", "max-diagnostics", "unsigned", "16", "nodes to report at most">,
    Option<"allowGraph", "allow-graph", "bool", "false",
           "give a model that is no decoder the attribute llmopt.graph with the reason instead of an error">
  ];
}

#endif // LLMOPT_PASSES_IMPORT_PASSES_TD
