//===- DropViews.cpp - Values that are copies of others ---------*- C++ -*-===//
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
#define GEN_PASS_DEF_DROPVIEWS
#include "passes/Import/Passes.h.inc"

/// The other value that has the elements of `value` in the same places, or
/// null.
static Value findOriginal(Value value, IndexAnalysis &analysis) {
  const TensorFunction *tensor = analysis.lookup(value);
  if (!tensor || tensor->element->kind != symbolic::Kind::Load)
    return {};
  Value base = analysis.getBase(tensor->element);
  const TensorFunction *original = analysis.lookup(base);
  if (base == value || !original ||
      original->elementType != tensor->elementType ||
      !llvm::equal(original->shape, tensor->shape) ||
      original->element != tensor->element)
    return {};
  return base;
}

namespace {
struct DropViewsPass : impl::DropViewsBase<DropViewsPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    IndexAnalysis analysis(getOperation());
    for (auto node : getOperation().getBody().front().getOps<onnx::NodeOp>())
      for (Value result : node.getResults())
        if (Value original = findOriginal(result, analysis)) {
          result.replaceAllUsesWith(original);
          ++dropped;
        }
    eraseDeadNodes(getOperation());
    updateFunctionType(getOperation());
  }
};
} // namespace
} // namespace llmopt
