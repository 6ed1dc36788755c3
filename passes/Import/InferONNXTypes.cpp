//===- InferONNXTypes.cpp - Element types and ranks of values ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/IndexAnalysis.h"
#include "passes/Import/NodePattern.h"
#include "passes/Import/Passes.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_INFERONNXTYPES
#include "passes/Import/Passes.h.inc"

/// The type of a described tensor.
static RankedTensorType getType(const TensorFunction &tensor) {
  SmallVector<int64_t> shape;
  for (symbolic::Expr dimension : tensor.shape)
    shape.push_back(dimension->kind == symbolic::Kind::Constant
                        ? dimension->value
                        : ShapedType::kDynamic);
  return RankedTensorType::get(shape, tensor.elementType);
}

namespace {
struct InferONNXTypesPass : impl::InferONNXTypesBase<InferONNXTypesPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    IndexAnalysis analysis(getOperation());
    for (auto node : getOperation().getBody().front().getOps<onnx::NodeOp>())
      for (Value result : node.getResults())
        if (const TensorFunction *tensor = analysis.lookup(result);
            tensor && isa<onnx::ValueType>(result.getType())) {
          result.setType(getType(*tensor));
          ++typed;
        }
    updateFunctionType(getOperation());
  }
};
} // namespace
} // namespace llmopt
