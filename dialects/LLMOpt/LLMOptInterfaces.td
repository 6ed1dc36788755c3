//===- LLMOptInterfaces.td - What passes may ask of an op --*- tablegen -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_LLMOPT_INTERFACES_TD
#define LLMOPT_DIALECTS_LLMOPT_INTERFACES_TD

include "mlir/IR/OpBase.td"

def LLMOpt_CompressibleOp : OpInterface<"CompressibleOp"> {
  let cppNamespace = "::llmopt";
  let description = [{
    An operation that multiplies activations with a constant weight [N, K]. Pruning and quantization ask this
    interface, never the op's name.
  }];
  let methods = [
    InterfaceMethod<"The operand that holds the weight.", "::mlir::OpOperand &", "getWeightOperand">,
    InterfaceMethod<"The operand that holds the activations, [..., K].", "::mlir::OpOperand &", "getActivationOperand">,
    InterfaceMethod<"True for the output head, which has its own options.", "bool", "isHead">,
    InterfaceMethod<[{
      Turns the product into an integer product: activations are quantized at run time, with a scale per row and `group` columns.
      The weight must be of an integer encoding.
    }], "void", "quantizeActivations", (ins "int64_t":$group)>
  ];
}

#endif // LLMOPT_DIALECTS_LLMOPT_INTERFACES_TD
