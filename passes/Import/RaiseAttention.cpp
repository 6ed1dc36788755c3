//===- RaiseAttention.cpp - Attention written out in primitive nodes ------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/AttentionMatch.h"
#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"
#include "passes/Import/RotaryTable.h"
#include "passes/Import/Weights.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_RAISEATTENTION
#include "passes/Import/Passes.h.inc"

using symbolic::Context;
using symbolic::Expr;

namespace {
/// Raises the product of attention probabilities and values, or an Attention
/// operator, with everything that leads to it.
struct RaiseValueProduct : NodePattern {
  RaiseValueProduct(StringRef opType, func::FuncOp function,
                    IndexAnalysis &analysis, int64_t maxPositions,
                    Pass::Statistic &count)
      : NodePattern(function.getContext(), opType), function(function),
        analysis(analysis), maxPositions(maxPositions), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override;

private:
  /// The values that hold the result as [batch, sequence, heads * headDim].
  SmallVector<Value> findResults(onnx::NodeOp node,
                                 const AttentionMatch &match) const;
  /// Queries, keys and values as [batch, sequence, heads * headDim], before
  /// norms and rotations; empty with a reason.
  SmallVector<Value> getParts(const AttentionMatch &match, Location location,
                              PatternRewriter &rewriter,
                              std::string &reason) const;
  FailureOr<Value> project(Value part, const Projection &projection,
                           int64_t heads, int64_t headDim, Value mask,
                           PatternRewriter &rewriter,
                           std::string &reason) const;
  FailureOr<Value> getTable(const Rotation &rotation, Location location,
                            PatternRewriter &rewriter,
                            std::string &reason) const;
  Value getPositions(const Rotation &rotation, Value mask,
                     PatternRewriter &rewriter) const;
  /// Uses the cache that the attention returns where the function returned it.
  void replacePresent(const AttentionMatch &match, Expr present, Value by,
                      PatternRewriter &rewriter) const;

  mutable func::FuncOp function;
  IndexAnalysis &analysis;
  int64_t maxPositions;
  Pass::Statistic &count;
  using TableKey = std::pair<std::pair<Expr, Expr>, std::pair<Expr, Expr>>;
  mutable DenseMap<TableKey, Value> tables;
  mutable Value rowPositions;
};
} // namespace

SmallVector<Value>
RaiseValueProduct::findResults(onnx::NodeOp node,
                               const AttentionMatch &match) const {
  Context &context = analysis.getContext();
  Value product = node.getResult(0);
  int64_t number = analysis.lookup(product)->element->value;
  Expr headDim = context.constant(match.headDim);
  SmallVector<Expr> shape(analysis.lookup(product)->shape);
  shape = {shape[0], shape[2], context.constant(match.heads * match.headDim)};
  SmallVector<Expr> at = analysis.getIndices(shape);
  Expr wanted =
      analysis.loadBase(product, {at[0], context.floorDiv(at[2], headDim),
                                  at[1], context.modulo(at[2], headDim)});
  SmallVector<Value> results;
  llvm::SetVector<Value> reached;
  reached.insert(product);
  for (size_t next = 0; next < reached.size(); ++next)
    for (Operation *user : reached[next].getUsers())
      for (Value value : user->getResults()) {
        const TensorFunction *tensor = analysis.lookup(value);
        if (!tensor || tensor->element->activation != number)
          continue;
        if (reached.insert(value) && llvm::equal(tensor->shape, shape) &&
            tensor->element == wanted)
          results.push_back(value);
      }
  return results;
}

FailureOr<Value> RaiseValueProduct::getTable(const Rotation &rotation,
                                             Location location,
                                             PatternRewriter &rewriter,
                                             std::string &reason) const {
  Value &table = tables[{{rotation.firstCosine, rotation.firstSine},
                         {rotation.secondCosine, rotation.secondSine}}];
  if (table)
    return table;
  FailureOr<std::vector<float>> values =
      computeRotaryTable(rotation, maxPositions, analysis, reason);
  if (failed(values))
    return failure();
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(&function.getBody().front());
  reason = "its rotary table cannot be written";
  auto type = RankedTensorType::get({maxPositions, rotation.rotated},
                                    rewriter.getF32Type());
  FailureOr<Value> weight =
      createComputedWeight(rewriter, location, "rotary", type, *values);
  if (succeeded(weight))
    table = *weight;
  return weight;
}

/// The input of token ids; null when there is none.
static Value findTokens(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments())
    for (OpOperand &use : argument.getUses())
      if (auto gather = dyn_cast<onnx::NodeOp>(use.getOwner());
          gather && gather.getOpType() == "Gather" &&
          use.getOperandNumber() == 1)
        return argument;
  return {};
}

Value RaiseValueProduct::getPositions(const Rotation &rotation, Value mask,
                                      PatternRewriter &rewriter) const {
  if (rotation.position->kind == symbolic::Kind::Load)
    return analysis.getBase(rotation.position);
  Value ids = findTokens(function);
  if (!rowPositions && ids && mask) {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(&function.getBody().front());
    rowPositions = RowPositionsOp::create(rewriter, mask.getLoc(),
                                          ids.getType(), ids, mask);
  }
  return rowPositions;
}

SmallVector<Value> RaiseValueProduct::getParts(const AttentionMatch &match,
                                               Location location,
                                               PatternRewriter &rewriter,
                                               std::string &reason) const {
  const Projection *projections[] = {&match.query, &match.key, &match.value};
  int64_t kvWidth = match.kvHeads * match.headDim;
  int64_t widths[] = {match.heads * match.headDim, kvWidth, kvWidth};
  SmallVector<Value> parts;
  SmallVector<Type> types;
  int64_t column = 0;
  bool isSplit = true;
  for (auto [projection, width] : llvm::zip_equal(projections, widths)) {
    RankedTensorType type = getFloatTensorType(projection->source);
    if (!type) {
      reason = "its projections are not float32 tensors";
      return {};
    }
    isSplit &= projection->source == match.query.source &&
               projection->column == column;
    column += width;
    if (type.getDimSize(2) == width)
      parts.push_back(projection->source);
    types.push_back(
        type.clone({type.getDimSize(0), type.getDimSize(1), width}));
  }
  if (parts.size() == 3)
    return parts;
  if (!isSplit ||
      getFloatTensorType(match.query.source).getDimSize(2) != column) {
    reason = "its queries, keys and values are neither three projections nor "
             "the consecutive parts of one";
    return {};
  }
  auto split = SplitOp::create(rewriter, location, types, match.query.source);
  return llvm::to_vector_of<Value>(split.getParts());
}

FailureOr<Value> RaiseValueProduct::project(
    Value part, const Projection &projection, int64_t heads, int64_t headDim,
    Value mask, PatternRewriter &rewriter, std::string &reason) const {
  Location location = part.getLoc();
  if (projection.norm) {
    FailureOr<Value> gamma = createVector(
        rewriter, location, projection.norm->gamma, headDim, reason);
    if (failed(gamma))
      return failure();
    if (!(projection.norm->epsilon >= 0)) {
      reason = "the epsilon of a norm is negative";
      return failure();
    }
    part =
        HeadNormOp::create(rewriter, location, part.getType(), part, *gamma,
                           rewriter.getF32FloatAttr(projection.norm->epsilon));
  }
  if (!projection.rotation)
    return part;
  FailureOr<Value> table =
      getTable(*projection.rotation, location, rewriter, reason);
  if (failed(table))
    return failure();
  Value positions = getPositions(*projection.rotation, mask, rewriter);
  if (!positions) {
    reason = "without position ids it needs token ids and an attention mask";
    return failure();
  }
  return Value(RopeOp::create(rewriter, location, part.getType(), part,
                              positions, *table, heads, headDim));
}

void RaiseValueProduct::replacePresent(const AttentionMatch &match,
                                       Expr present, Value by,
                                       PatternRewriter &rewriter) const {
  Operation *terminator = function.getBody().front().getTerminator();
  for (OpOperand &operand : terminator->getOpOperands())
    if (analysis.at(operand.get(), match.presentIndices) == present)
      rewriter.modifyOpInPlace(terminator, [&] { operand.set(by); });
}

LogicalResult RaiseValueProduct::matchNode(onnx::NodeOp node,
                                           PatternRewriter &rewriter) const {
  std::string reason;
  FailureOr<AttentionMatch> match = matchAttention(node, analysis, reason);
  if (failed(match))
    return rewriter.notifyMatchFailure(
        node, StringRef(reason).starts_with("no ") ? reason
                                                   : "as attention: " + reason);
  SmallVector<Value> results = findResults(node, *match);
  if (results.empty())
    return rewriter.notifyMatchFailure(
        node, "as attention: its result is not used as [batch, sequence, "
              "heads * head size]");
  Location location = node.getLoc();
  SmallVector<Value> parts = getParts(*match, location, rewriter, reason);
  if (parts.empty())
    return rewriter.notifyMatchFailure(node, "as attention: " + reason);
  FailureOr<Value> query =
      project(parts[0], match->query, match->heads, match->headDim, match->mask,
              rewriter, reason);
  FailureOr<Value> key =
      failed(query) ? query
                    : project(parts[1], match->key, match->kvHeads,
                              match->headDim, match->mask, rewriter, reason);
  if (failed(key))
    return rewriter.notifyMatchFailure(node, "as attention: " + reason);
  auto type = cast<RankedTensorType>(query->getType());
  Type present = type.clone({type.getDimSize(0), match->kvHeads,
                             ShapedType::kDynamic, match->headDim});
  auto attention = AttentionOp::create(
      rewriter, location, TypeRange{type, present, present}, *query, *key,
      parts[2], match->pastKey, match->pastValue, match->mask,
      match->mask ? Padding::Left : Padding::None, match->heads, match->kvHeads,
      match->headDim, APFloat(match->scale), match->window,
      APFloat(match->softcap));
  for (Value result : results)
    rewriter.replaceAllUsesWith(result, attention.getResult());
  replacePresent(*match, match->presentKey, attention.getPresentKey(),
                 rewriter);
  replacePresent(*match, match->presentValue, attention.getPresentValue(),
                 rewriter);
  ++count;
  return success();
}

namespace {
struct RaiseAttentionPass : impl::RaiseAttentionBase<RaiseAttentionPass> {
  using RaiseAttentionBase::RaiseAttentionBase;

  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    IndexAnalysis analysis(getOperation());
    RewritePatternSet patterns(&getContext());
    for (StringRef opType : {"MatMul", "Attention"})
      patterns.add<RaiseValueProduct>(opType, getOperation(), analysis,
                                      int64_t(maxPositions), raised);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
