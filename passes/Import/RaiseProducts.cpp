//===- RaiseProducts.cpp - Products and embeddings of any graph -----------===//
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
#include "passes/Import/Weights.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_RAISEPRODUCTS
#include "passes/Import/Passes.h.inc"

/// The constant matrix behind an input, of elements that linears take.
static FailureOr<ConstantMatrix> matchWeight(onnx::NodeOp node, unsigned index,
                                             PatternRewriter &rewriter) {
  std::string reason;
  FailureOr<ConstantMatrix> matrix =
      matchConstantMatrix(getInput(node, index), reason, /*anyFloat=*/true);
  if (failed(matrix))
    return rewriter.notifyMatchFailure(node, reason);
  if (matrix->rows == 0 || matrix->columns == 0)
    return rewriter.notifyMatchFailure(node, "no weight: it has no elements");
  return matrix;
}

/// The product of `input` and a weight [N, K] in f32; fails where the input
/// cannot be one.
static FailureOr<Value> createLinear(onnx::NodeOp node, Value input,
                                     const ConstantMatrix &matrix,
                                     PatternRewriter &rewriter) {
  FailureOr<Value> floats = asFloats(rewriter, node, input, matrix.element());
  if (failed(floats))
    return rewriter.notifyMatchFailure(
        node, "no product of two float tensors of one type");
  if (auto type = dyn_cast<RankedTensorType>(floats->getType());
      type && (type.getRank() == 0 || type.getShape().back() != matrix.columns))
    floats = withoutShape(rewriter, node, *floats);
  Type result = UnrankedTensorType::get(rewriter.getF32Type());
  if (auto type = dyn_cast<RankedTensorType>(floats->getType())) {
    SmallVector<int64_t> shape(type.getShape());
    shape.back() = matrix.rows;
    result = type.clone(shape);
  }
  Value weight = createWeight(rewriter, node.getLoc(), matrix);
  return Value(LinearOp::create(rewriter, node.getLoc(), result, *floats,
                                weight, IntegerAttr(), UnitAttr()));
}

namespace {
struct RaiseProduct : NodePattern {
  RaiseProduct(MLIRContext *context, StringRef opType, StringRef domain,
               Pass::Statistic &count)
      : NodePattern(context, opType, domain), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    for (StringRef name : {"transA", "transBatchA", "transBatchB"})
      if (getIntAttr(node, name, 0) != 0)
        return rewriter.notifyMatchFailure(node,
                                           "no plain product: it has " + name);
    FailureOr<ConstantMatrix> matrix = matchWeight(node, 1, rewriter);
    if (failed(matrix))
      return failure();
    // FusedMatMul has the attributes, MatMul their defaults.
    ConstantMatrix weight =
        getIntAttr(node, "transB", 0) ? *matrix : matrix->transpose();
    FailureOr<Value> product =
        createLinear(node, getInput(node, 0), weight, rewriter);
    if (failed(product))
      return failure();
    Value scaled =
        scaleBy(rewriter, node, *product, getFloatAttr(node, "alpha", 1));
    replaceByFloats(rewriter, node, scaled, matrix->element());
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

/// alpha * A' * B' + beta * C
struct RaiseGemmProduct : NodePattern {
  RaiseGemmProduct(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Gemm"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    FailureOr<ConstantMatrix> matrix = matchWeight(node, 1, rewriter);
    if (failed(matrix))
      return failure();
    Value input = getInput(node, 0), addend = getInput(node, 2);
    if (getIntAttr(node, "transA", 0) != 0)
      input = createNode(rewriter, node, "Transpose", {input},
                         {rewriter.getNamedAttr(
                             "perm", rewriter.getDenseI64ArrayAttr({1, 0}))});
    ConstantMatrix weight =
        getIntAttr(node, "transB", 0) ? *matrix : matrix->transpose();
    FailureOr<Value> result = createLinear(node, input, weight, rewriter);
    if (failed(result))
      return failure();
    result = scaleBy(rewriter, node, *result, getFloatAttr(node, "alpha", 1));
    if (addend) {
      FailureOr<Value> floats =
          asFloats(rewriter, node, addend, matrix->element());
      if (failed(floats))
        return rewriter.notifyMatchFailure(
            node, "no product whose addend has the type of its factors");
      Value scaled =
          scaleBy(rewriter, node, *floats, getFloatAttr(node, "beta", 1));
      result = createNode(rewriter, node, "Add", {*result, scaled});
    }
    replaceByFloats(rewriter, node, *result, matrix->element());
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

/// True when the rows are factors of a product with computed values: they are
/// no embedding but, say, cosines and sines of positions.
static bool areFactors(Value rows) {
  for (Operation *user : rows.getUsers()) {
    auto node = dyn_cast<onnx::NodeOp>(user);
    if (!node)
      continue;
    StringRef type = node.getOpType();
    if (type == "Mul" && llvm::none_of(node.getInputs(), [](Value input) {
          return input.getDefiningOp<onnx::InitializerOp>();
        }))
      return true;
    bool isMovement = llvm::is_contained(
        {"Cast", "Reshape", "Unsqueeze", "Squeeze", "Expand", "Concat"}, type);
    if (isMovement && areFactors(node.getResult(0)))
      return true;
  }
  return false;
}

struct RaiseTableRows : NodePattern {
  RaiseTableRows(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Gather"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    FailureOr<ConstantMatrix> table = matchWeight(node, 0, rewriter);
    if (failed(table))
      return failure();
    if (normalizeAxis(getIntAttr(node, "axis", 0), 2) != 0)
      return rewriter.notifyMatchFailure(node, "no embedding: not of rows");
    if (areFactors(node.getResult(0)))
      return rewriter.notifyMatchFailure(node, "no embedding: factors");
    Value weight = createWeight(rewriter, node.getLoc(), *table);
    Value ids = getInput(node, 1);
    auto type = dyn_cast<TensorType>(ids.getType());
    if (!type || !(type.getElementType().isInteger(64) ||
                   type.getElementType().isInteger(32)))
      ids = castTo(rewriter, node, ids, rewriter.getI64Type());
    Value rows = EmbeddingOp::create(
        rewriter, node.getLoc(), UnrankedTensorType::get(rewriter.getF32Type()),
        ids, weight);
    replaceByFloats(rewriter, node, rows, table->element());
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

struct RaiseProductsPass : impl::RaiseProductsBase<RaiseProductsPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<RaiseProduct>(context, "MatMul", "", linears);
    patterns.add<RaiseProduct>(context, "FusedMatMul", kMicrosoftDomain,
                               linears);
    patterns.add<RaiseGemmProduct>(context, linears);
    patterns.add<RaiseTableRows>(context, embeddings);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
