//===- RaiseLinear.cpp - Products with constant weights, embeddings -------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"
#include "passes/Import/Weights.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_RAISELINEAR
#include "passes/Import/Passes.h.inc"

/// Replaces a node by the product of `input` and `matrix`, which is [N, K].
static LogicalResult replaceByLinear(onnx::NodeOp node, Value input,
                                     const ConstantMatrix &matrix,
                                     PatternRewriter &rewriter) {
  RankedTensorType type = getFloatTensorType(input);
  if (!type || type.getRank() < 1)
    return rewriter.notifyMatchFailure(
        node, "its input is not a float32 tensor of known rank");
  if (type.getShape().back() != matrix.columns)
    return rewriter.notifyMatchFailure(node, [&](Diagnostic &diagnostic) {
      diagnostic << "its input has type " << type << ", but its weight has "
                 << matrix.columns << " inputs";
    });
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = matrix.rows;
  Value weight = createWeight(rewriter, node.getLoc(), matrix);
  rewriter.replaceOpWithNewOp<LinearOp>(
      node, RankedTensorType::get(shape, type.getElementType()), input, weight,
      IntegerAttr(), UnitAttr());
  return success();
}

namespace {
struct RaiseMatMul : NodePattern {
  RaiseMatMul(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "MatMul"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    std::string reason;
    FailureOr<ConstantMatrix> matrix =
        matchConstantMatrix(getInput(node, 1), reason);
    if (failed(matrix))
      return rewriter.notifyMatchFailure(node, reason);
    if (failed(replaceByLinear(node, getInput(node, 0), matrix->transpose(),
                               rewriter)))
      return failure();
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

struct RaiseGemm : NodePattern {
  RaiseGemm(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Gemm"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    if (getIntAttr(node, "transA", 0) != 0)
      return rewriter.notifyMatchFailure(node, "transA is not supported");
    if (getFloatAttr(node, "alpha", 1) != 1)
      return rewriter.notifyMatchFailure(node, "alpha must be 1");
    if (getInput(node, 2))
      return rewriter.notifyMatchFailure(node, "a bias is not supported");
    std::string reason;
    FailureOr<ConstantMatrix> matrix =
        matchConstantMatrix(getInput(node, 1), reason);
    if (failed(matrix))
      return rewriter.notifyMatchFailure(node, reason);
    ConstantMatrix weight =
        getIntAttr(node, "transB", 0) ? *matrix : matrix->transpose();
    if (failed(replaceByLinear(node, getInput(node, 0), weight, rewriter)))
      return failure();
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

/// The tensor and the constant whose sum `value` is.
static std::optional<std::pair<Value, int64_t>> matchOffset(Value value) {
  onnx::NodeOp sum = getNode(value, "Add");
  for (unsigned index : {0, 1}) {
    if (!sum)
      break;
    Value tensor = getInput(sum, 1 - index);
    std::optional<SmallVector<int64_t>> offset =
        getIntegers(getInput(sum, index));
    if (offset && offset->size() == 1 &&
        isa<RankedTensorType>(tensor.getType()))
      return std::pair(tensor, offset->front());
  }
  return std::nullopt;
}

/// Rows of a table: at tokens or, where a constant is added to what selects
/// them (rows for padding come first in such tables) or tokens are another
/// input, at positions.
struct RaiseEmbedding : NodePattern {
  RaiseEmbedding(func::FuncOp function, Pass::Statistic &count)
      : NodePattern(function.getContext(), "Gather"),
        tokens(findTokens(function)), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    std::string reason;
    FailureOr<ConstantMatrix> table =
        matchConstantMatrix(getInput(node, 0), reason);
    if (failed(table))
      return rewriter.notifyMatchFailure(node, reason);
    if (normalizeAxis(getIntAttr(node, "axis", 0), 2) != 0)
      return rewriter.notifyMatchFailure(node, "it gathers columns, not rows");
    Value ids = getInput(node, 1);
    auto type =
        ids ? dyn_cast<RankedTensorType>(ids.getType()) : RankedTensorType();
    if (!type || !type.getElementType().isSignlessInteger())
      return rewriter.notifyMatchFailure(
          node, "its indices are not an integer tensor of known rank");
    SmallVector<int64_t> shape(type.getShape());
    shape.push_back(table->columns);
    auto result = RankedTensorType::get(shape, rewriter.getF32Type());
    std::optional<std::pair<Value, int64_t>> positions = matchOffset(ids);
    if (tokens && tokens != ids && isa<BlockArgument>(ids))
      positions = {ids, 0};
    if (positions &&
        (positions->second < 0 || positions->second >= table->rows))
      return rewriter.notifyMatchFailure(
          node, "its table has no row for the first position");
    Value weight = createWeight(rewriter, node.getLoc(), *table);
    if (positions)
      rewriter.replaceOpWithNewOp<PositionEmbeddingOp>(
          node, result, positions->first, weight, positions->second);
    else
      rewriter.replaceOpWithNewOp<EmbeddingOp>(node, result, ids, weight);
    ++count;
    return success();
  }

  /// The input that selects rows of a table with as many rows as a result has
  /// columns: the vocabulary. Null when there is none or more than one.
  static Value findTokens(func::FuncOp function) {
    Block &body = function.getBody().front();
    DenseSet<int64_t> columns;
    for (Type type : body.getTerminator()->getOperandTypes())
      if (auto result = dyn_cast<RankedTensorType>(type);
          result && result.getRank() == 3)
        columns.insert(result.getShape().back());
    Value tokens;
    for (auto node : body.getOps<onnx::NodeOp>()) {
      if (node.getOpType() != "Gather" ||
          !isa<BlockArgument>(getInput(node, 1)))
        continue;
      RankedTensorType table = getFloatTensorType(getInput(node, 0));
      if (!table || table.getRank() != 2 ||
          !columns.contains(table.getDimSize(0)))
        continue;
      if (tokens && tokens != getInput(node, 1))
        return {};
      tokens = getInput(node, 1);
    }
    return tokens;
  }

  Value tokens;
  Pass::Statistic &count;
};

struct RaiseLinearPass : impl::RaiseLinearBase<RaiseLinearPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<RaiseMatMul, RaiseGemm>(context, linears);
    patterns.add<RaiseEmbedding>(getOperation(), embeddings);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
