//===- UnflattenProducts.cpp - Products before their rows are joined ------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/GraphValues.h"
#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_UNFLATTENPRODUCTS
#include "passes/Import/Passes.h.inc"

/// A Reshape to a constant shape.
static Value reshapeTo(PatternRewriter &rewriter, onnx::NodeOp origin,
                       Value value, ArrayRef<int64_t> shape) {
  auto type =
      RankedTensorType::get({int64_t(shape.size())}, rewriter.getI64Type());
  Value constant = onnx::InitializerOp::create(
      rewriter, origin.getLoc(), type, rewriter.getStringAttr("shape"),
      DenseIntElementsAttr::get(type, shape));
  return createNode(rewriter, origin, "Reshape", {value, constant});
}

/// The tensor [batch, sequence, columns] whose first two dimensions a Reshape
/// joins to make `matrix`, perhaps with those of heads; null where it does
/// something else.
static Value findUnflattened(Value matrix, onnx::NodeOp origin,
                             PatternRewriter &rewriter) {
  onnx::NodeOp reshape = getNode(matrix, "Reshape");
  RankedTensorType type = getFloatTensorType(matrix);
  if (!reshape || !type || type.getRank() != 2 || type.isDynamicDim(1))
    return {};
  Value input = getInput(reshape, 0);
  RankedTensorType before = getFloatTensorType(input);
  int64_t columns = type.getDimSize(1);
  if (!before || before.getRank() < 3)
    return {};
  if (before.getShape().back() == columns)
    return input;
  // The number of elements tells that rows are joined: columns are the same.
  bool joinsHeads = before.getRank() == 4 && !before.isDynamicDim(2) &&
                    !before.isDynamicDim(3) &&
                    before.getDimSize(2) * before.getDimSize(3) == columns;
  return joinsHeads ? reshapeTo(rewriter, origin, input, {0, 0, columns})
                    : Value();
}

namespace {
struct UnflattenGemm : NodePattern {
  UnflattenGemm(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Gemm"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    Value bias = getInput(node, 2);
    if (getIntAttr(node, "transA", 0) != 0)
      return rewriter.notifyMatchFailure(node, "transA is not supported");
    if (getFloatAttr(node, "alpha", 1) != 1 ||
        (bias && getFloatAttr(node, "beta", 1) != 1))
      return rewriter.notifyMatchFailure(node, "alpha and beta must be 1");
    Value weight = getInput(node, 1);
    auto type = dyn_cast<RankedTensorType>(weight.getType());
    if (!type || !type.hasStaticShape())
      return rewriter.notifyMatchFailure(node, "its weight is not constant");
    bool isTransposed = getIntAttr(node, "transB", 0) != 0;
    if (isTransposed)
      weight = createNode(rewriter, node, "Transpose", {weight},
                          {rewriter.getNamedAttr(
                              "perm", rewriter.getDenseI64ArrayAttr({1, 0}))});
    Value input = findUnflattened(getInput(node, 0), node, rewriter);
    Value result = createNode(rewriter, node, "MatMul",
                              {input ? input : getInput(node, 0), weight});
    if (bias)
      result = createNode(rewriter, node, "Add", {result, bias});
    if (input)
      result = reshapeTo(rewriter, node, result,
                         {-1, type.getDimSize(isTransposed ? 0 : 1)});
    rewriter.replaceOp(node, result);
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

struct UnflattenProductsPass
    : impl::UnflattenProductsBase<UnflattenProductsPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    RewritePatternSet patterns(&getContext());
    patterns.add<UnflattenGemm>(&getContext(), products);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
