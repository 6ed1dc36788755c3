//===- RaiseGroupQueryAttention.cpp - Attention of ONNX Runtime -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/WeightStore.h"
#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"
#include "passes/Import/Weights.h"
#include <cmath>

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_RAISEGROUPQUERYATTENTION
#include "passes/Import/Passes.h.inc"

namespace {
/// What the attributes and types of a node say.
struct Geometry {
  int64_t heads, kvHeads, headDim;
  bool packed;
};

/// Raises GroupQueryAttention nodes; they share positions and rotary tables.
struct RaiseAttention : NodePattern {
  RaiseAttention(func::FuncOp function, Pass::Statistic &count)
      : NodePattern(function.getContext(), "GroupQueryAttention",
                    kMicrosoftDomain),
        function(function), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    std::string reason;
    FailureOr<Geometry> geometry = matchGeometry(node, reason);
    if (failed(geometry) || failed(checkOptions(node, reason)))
      return rewriter.notifyMatchFailure(node, reason);
    Value mask = matchMask(node, reason), ids = findTokens();
    if (!mask)
      return rewriter.notifyMatchFailure(node, reason);
    if (!ids)
      return rewriter.notifyMatchFailure(
          node, "the model has no embedding of an integer input");
    SmallVector<Value> parts = getParts(node, *geometry, rewriter);
    if (getIntAttr(node, "do_rotary", 0)) {
      FailureOr<Value> table = getTable(node, *geometry, rewriter, reason);
      if (failed(table))
        return rewriter.notifyMatchFailure(node, reason);
      Value positions = getPositions(ids, mask, rewriter);
      parts[0] = createRope(parts[0], positions, *table, geometry->heads,
                            geometry->headDim, node.getLoc(), rewriter);
      parts[1] = createRope(parts[1], positions, *table, geometry->kvHeads,
                            geometry->headDim, node.getLoc(), rewriter);
    }
    replaceByAttention(node, *geometry, parts, mask, rewriter);
    ++count;
    return success();
  }

private:
  static FailureOr<Geometry> matchGeometry(onnx::NodeOp node,
                                           std::string &reason);
  static LogicalResult checkOptions(onnx::NodeOp node, std::string &reason);
  static Value matchMask(onnx::NodeOp node, std::string &reason);
  static SmallVector<Value> getParts(onnx::NodeOp node,
                                     const Geometry &geometry,
                                     PatternRewriter &rewriter);
  static Value createRope(Value input, Value positions, Value table,
                          int64_t heads, int64_t headDim, Location location,
                          PatternRewriter &rewriter) {
    return RopeOp::create(rewriter, location, input.getType(), input, positions,
                          table, heads, headDim);
  }
  void replaceByAttention(onnx::NodeOp node, const Geometry &geometry,
                          ArrayRef<Value> parts, Value mask,
                          PatternRewriter &rewriter) const;
  Value findTokens() const;
  Value getPositions(Value ids, Value mask, PatternRewriter &rewriter) const;
  FailureOr<Value> getTable(onnx::NodeOp node, const Geometry &geometry,
                            PatternRewriter &rewriter,
                            std::string &reason) const;

  mutable func::FuncOp function;
  Pass::Statistic &count;
  /// Tables by the initializers of cosines and sines.
  mutable DenseMap<std::pair<Value, Value>, Value> tables;
  mutable DenseMap<Value, Value> positionsOfMask;
};
} // namespace

FailureOr<Geometry> RaiseAttention::matchGeometry(onnx::NodeOp node,
                                                  std::string &reason) {
  Geometry geometry{getIntAttr(node, "num_heads", 0),
                    getIntAttr(node, "kv_num_heads", 0), 0, !getInput(node, 1)};
  RankedTensorType query = getFloatTensorType(getInput(node, 0));
  reason = "its query must be a float32 tensor [batch, sequence, features]";
  if (!query || query.getRank() != 3 || query.isDynamicDim(2))
    return failure();
  int64_t columns = query.getDimSize(2);
  int64_t divisor =
      geometry.packed ? geometry.heads + 2 * geometry.kvHeads : geometry.heads;
  reason = "num_heads and kv_num_heads do not fit the query's columns";
  if (geometry.heads <= 0 || geometry.kvHeads <= 0 ||
      geometry.heads % geometry.kvHeads || columns % divisor)
    return failure();
  geometry.headDim = columns / divisor;
  if (geometry.packed)
    return geometry;
  reason = "key and value must be float32 tensors [batch, sequence, "
           "kv_num_heads * head size]";
  for (unsigned index : {1, 2}) {
    RankedTensorType type = getFloatTensorType(getInput(node, index));
    if (!type || type.getRank() != 3 ||
        type.getDimSize(2) != geometry.kvHeads * geometry.headDim)
      return failure();
  }
  return geometry;
}

LogicalResult RaiseAttention::checkOptions(onnx::NodeOp node,
                                           std::string &reason) {
  auto refuse = [&](const Twine &text) {
    reason = text.str();
    return failure();
  };
  constexpr unsigned firstOptionalInput = 9;
  for (unsigned index = firstOptionalInput; index < node.getInputs().size();
       ++index)
    if (getInput(node, index))
      return refuse("input " + Twine(index) +
                    " (position ids, bias, sinks or quantization) is not "
                    "supported");
  if (getIntAttr(node, "rotary_interleaved", 0))
    return refuse("interleaved rotary embedding is not supported");
  if (int64_t window = getIntAttr(node, "local_window_size", -1);
      window != -1 && window <= 0)
    return refuse("local_window_size is " + Twine(window) +
                  ", expected -1 or a positive number");
  if (getIntAttr(node, "sliding_window_cache", 0))
    return refuse("a cache of the window alone is not supported");
  if (float softcap = getFloatAttr(node, "softcap", 0);
      !(softcap >= 0 && std::isfinite(softcap)))
    return refuse("softcap must be finite and not negative");
  if (getIntAttr(node, "smooth_softmax", 0) > 0)
    return refuse("smooth softmax is not supported");
  if (!getIntAttr(node, "causal", 1))
    return refuse("attention that is not causal is not supported");
  for (StringRef name : {"k_quant_type", "v_quant_type"})
    if (auto type = node.getNodeAttr<StringAttr>(name);
        type && type.getValue() != "NONE")
      return refuse("a quantized cache is not supported");
  if (getUsedResult(node, 3))
    return refuse("its fourth output (products of queries and keys) is used");
  for (unsigned index : {3, 4}) {
    Value past = getInput(node, index);
    if (past && (!isa<BlockArgument>(past) || !getFloatTensorType(past) ||
                 getFloatTensorType(past).getRank() != 4))
      return refuse("past keys and values must be float32 inputs of the model "
                    "of rank 4");
  }
  if (!getInput(node, 3) != !getInput(node, 4))
    return refuse("past keys and values must come together");
  return success();
}

/// True for a constant list that holds `axis` only.
static bool isAxis(Value value, int64_t axis) {
  std::optional<SmallVector<int64_t>> axes = getIntegers(value);
  return axes && *axes == SmallVector<int64_t>{axis};
}

/// The mask that `lengths` sums up: ReduceSum(mask, axis 1) - 1.
static Value matchLengths(Value lengths) {
  onnx::NodeOp sub = getNode(lookThroughIntegerCasts(lengths), "Sub");
  if (!sub || !isAxis(getInput(sub, 1), 1))
    return {};
  onnx::NodeOp sum =
      getNode(lookThroughIntegerCasts(getInput(sub, 0)), "ReduceSum");
  if (!sum)
    return {};
  auto axes = sum.getNodeAttr<DenseI64ArrayAttr>("axes");
  bool overColumns = axes ? axes.asArrayRef() == ArrayRef<int64_t>{1}
                          : isAxis(getInput(sum, 1), 1);
  return overColumns ? lookThroughIntegerCasts(getInput(sum, 0)) : Value();
}

/// The matrix whose number of columns `total` is: Gather(Shape(mask), 1).
static Value matchColumns(Value total) {
  onnx::NodeOp gather = getNode(lookThroughIntegerCasts(total), "Gather");
  if (!gather || getIntAttr(gather, "axis", 0) != 0 ||
      !isAxis(getInput(gather, 1), 1))
    return {};
  onnx::NodeOp shape =
      getNode(lookThroughIntegerCasts(getInput(gather, 0)), "Shape");
  if (!shape || getIntAttr(shape, "start", 0) != 0)
    return {};
  return lookThroughIntegerCasts(getInput(shape, 0));
}

Value RaiseAttention::matchMask(onnx::NodeOp node, std::string &reason) {
  Value mask = matchLengths(getInput(node, 5));
  auto type =
      mask ? dyn_cast<RankedTensorType>(mask.getType()) : RankedTensorType();
  if (!type || !isa<BlockArgument>(mask) || type.getRank() != 2 ||
      !type.getElementType().isSignlessInteger()) {
    reason = "seqlens_k is not ReduceSum(attention_mask, axis 1) - 1 of an "
             "integer input [batch, total]";
    return {};
  }
  if (matchColumns(getInput(node, 6)) != mask) {
    reason = "total_sequence_length is not the number of columns of the "
             "attention mask";
    return {};
  }
  return mask;
}

SmallVector<Value> RaiseAttention::getParts(onnx::NodeOp node,
                                            const Geometry &geometry,
                                            PatternRewriter &rewriter) {
  Value query = getInput(node, 0);
  if (!geometry.packed)
    return {query, getInput(node, 1), getInput(node, 2)};
  auto type = cast<RankedTensorType>(query.getType());
  auto withHeads = [&](int64_t heads) -> Type {
    return type.clone(
        {type.getDimSize(0), type.getDimSize(1), heads * geometry.headDim});
  };
  SmallVector<Type> types{withHeads(geometry.heads),
                          withHeads(geometry.kvHeads),
                          withHeads(geometry.kvHeads)};
  auto split = SplitOp::create(rewriter, node.getLoc(), types, query);
  return llvm::to_vector_of<Value>(split.getParts());
}

void RaiseAttention::replaceByAttention(onnx::NodeOp node,
                                        const Geometry &geometry,
                                        ArrayRef<Value> parts, Value mask,
                                        PatternRewriter &rewriter) const {
  auto query = cast<RankedTensorType>(parts[0].getType());
  Value pastKey = getInput(node, 3), pastValue = getInput(node, 4);
  for (Value past : {pastKey, pastValue}) {
    if (!past)
      continue;
    auto type = cast<RankedTensorType>(past.getType());
    past.setType(type.clone({type.getDimSize(0), geometry.kvHeads,
                             type.getDimSize(2), geometry.headDim}));
  }
  Type present = query.clone({query.getDimSize(0), geometry.kvHeads,
                              ShapedType::kDynamic, geometry.headDim});
  float scale = getFloatAttr(node, "scale", 0);
  if (scale == 0)
    scale = 1 / std::sqrt(float(geometry.headDim));
  auto attention = AttentionOp::create(
      rewriter, node.getLoc(), TypeRange{query, present, present}, parts[0],
      parts[1], parts[2], pastKey, pastValue, mask, Padding::Right,
      geometry.heads, geometry.kvHeads, geometry.headDim, APFloat(scale),
      std::max<int64_t>(getIntAttr(node, "local_window_size", -1), 0),
      APFloat(getFloatAttr(node, "softcap", 0)));
  // A fourth output is not used.
  for (auto [result, value] :
       llvm::zip(node.getResults(), attention.getResults()))
    rewriter.replaceAllUsesWith(result, value);
  rewriter.eraseOp(node);
}

Value RaiseAttention::findTokens() const {
  for (BlockArgument argument : function.getArguments())
    for (OpOperand &use : argument.getUses()) {
      auto gather = dyn_cast<onnx::NodeOp>(use.getOwner());
      std::string reason;
      if (gather && gather.getOpType() == "Gather" &&
          use.getOperandNumber() == 1 &&
          succeeded(matchConstantMatrix(getInput(gather, 0), reason)))
        return argument;
    }
  return {};
}

Value RaiseAttention::getPositions(Value ids, Value mask,
                                   PatternRewriter &rewriter) const {
  Value &positions = positionsOfMask[mask];
  if (positions)
    return positions;
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(&function.getBody().front());
  return positions = RowPositionsOp::create(rewriter, mask.getLoc(),
                                            ids.getType(), ids, mask);
}

/// Interleaves the rows of two matrices of equal shape.
static SmallVector<float> joinRows(ArrayRef<float> left, ArrayRef<float> right,
                                   int64_t columns) {
  SmallVector<float> joined;
  joined.reserve(left.size() * 2);
  for (size_t start = 0; start < left.size(); start += columns) {
    llvm::append_range(joined, left.slice(start, columns));
    llvm::append_range(joined, right.slice(start, columns));
  }
  return joined;
}

FailureOr<Value> RaiseAttention::getTable(onnx::NodeOp node,
                                          const Geometry &geometry,
                                          PatternRewriter &rewriter,
                                          std::string &reason) const {
  FailureOr<ConstantMatrix> cosines =
      matchConstantMatrix(getInput(node, 7), reason);
  FailureOr<ConstantMatrix> sines =
      failed(cosines) ? cosines
                      : matchConstantMatrix(getInput(node, 8), reason);
  if (failed(sines))
    return failure();
  if (cosines->transposed || sines->transposed ||
      cosines->rows != sines->rows ||
      cosines->columns * 2 != geometry.headDim ||
      sines->columns * 2 != geometry.headDim) {
    reason = "cos_cache and sin_cache must be matrices [positions, half a "
             "head]; rotating a part of a head is not supported";
    return failure();
  }
  Value &table = tables[{cosines->initializer, sines->initializer}];
  if (table)
    return table;
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(&function.getBody().front());
  auto emitError = [&] { return mlir::emitError(node.getLoc()); };
  WeightStore &store =
      node->getContext()->getOrLoadDialect<LLMOptDialect>()->getWeightStore();
  auto type = cast<RankedTensorType>(cosines->initializer.getType());
  FailureOr<std::vector<float>> left = store.readFloats(
      getWeightSource(cosines->initializer, false), type, emitError);
  FailureOr<std::vector<float>> right = store.readFloats(
      getWeightSource(sines->initializer, false), type, emitError);
  reason = "its rotary table cannot be read or written";
  if (failed(left) || failed(right))
    return failure();
  FailureOr<Value> weight =
      createComputedWeight(rewriter, node.getLoc(), "rotary",
                           type.clone({cosines->rows, geometry.headDim}),
                           joinRows(*left, *right, cosines->columns));
  if (succeeded(weight))
    table = *weight;
  return weight;
}

namespace {
struct RaiseGroupQueryAttentionPass
    : impl::RaiseGroupQueryAttentionBase<RaiseGroupQueryAttentionPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    RewritePatternSet patterns(&getContext());
    patterns.add<RaiseAttention>(getOperation(), raised);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
