//===- AttentionOp.cpp - Attention of ONNX in graphs ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/AttentionCore.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
enum Input { Query, Key, Value_, Mask, PastKey, PastValue, Lengths };
enum Output { Result, PresentKey, PresentValue, Scores };

/// Makes one node. Its parts run one after the other; each may refuse.
class AttentionNode {
public:
  explicit AttentionNode(Node &node) : node(node), g(node.g) {}
  LogicalResult emit();

private:
  LogicalResult checkRanks();
  LogicalResult readHeads();
  LogicalResult split(size_t input, int64_t heads, Heads &view, Value &count,
                      Value &columns);
  LogicalResult addPast();
  LogicalResult join(size_t past, size_t present, Value columns, Heads &view);
  LogicalResult readSoftmax();
  LogicalResult readMask();
  LogicalResult readVisible();
  void allocateResults();
  void demand(Value condition, const Twine &what) {
    g.require(condition, node.describe() + ": " + what);
  }

  Node &node;
  GraphBuilder &g;
  Attention a;
  bool hasThreeDims = false;
  Value newKeys;
  Value pastKeys; ///< 0 if there is no past
  /// Columns of the mask, if they may be fewer than keys.
  Value maskColumns;
};
} // namespace

LogicalResult AttentionNode::checkRanks() {
  int64_t rank = node.input(Query).rank();
  if (rank != 3 && rank != 4)
    return node.refuse("Q has " + Twine(rank) + " dimensions, expected 3 or 4");
  for (size_t i : {Key, Value_})
    if (node.input(i).rank() != rank)
      return node.refuse("Q, K and V differ in the number of dimensions");
  for (size_t i : {PastKey, PastValue})
    if (node.hasInput(i) && node.input(i).rank() != 4)
      return node.refuse("input " + Twine(i) + " has " +
                         Twine(node.input(i).rank()) +
                         " dimensions, expected 4");
  if (node.input(Key).type != node.input(Query).type)
    return node.refuse("Q and K have different element types");
  if (node.hasInput(PastKey) != node.hasInput(PastValue))
    return node.refuse("past_key and past_value need one another");
  if (node.hasInput(PastKey) && node.hasInput(Lengths))
    return node.refuse("nonpad_kv_seqlen cannot be combined with past_key");
  hasThreeDims = rank == 3;
  return success();
}

/// A view of Q, K or V, its number of heads and their size.
LogicalResult AttentionNode::split(size_t input, int64_t heads, Heads &view,
                                   Value &count, Value &columns) {
  const Tensor &tensor = node.buffer(input);
  if (!hasThreeDims) {
    view = viewByHead(g, tensor);
    count = tensor.dims[1];
    columns = tensor.dims[3];
    return success();
  }
  std::optional<int64_t> width = g.known(tensor.dims[2]);
  if (width && *width % heads)
    return node.refuse("input " + Twine(input) + " has " + Twine(*width) +
                       " columns, which is no multiple of its " + Twine(heads) +
                       " heads");
  count = g.number(heads);
  columns = g.div(tensor.dims[2], heads);
  demand(g.equal(g.mul(columns, heads), tensor.dims[2]),
         "the columns of input " + Twine(input) +
             " are no multiple of the number of heads");
  view = viewByRow(g, tensor, columns, g.number(0));
  return success();
}

LogicalResult AttentionNode::readHeads() {
  int64_t heads = node.attribute("q_num_heads", int64_t(0));
  int64_t keyHeads = node.attribute("kv_num_heads", int64_t(0));
  if (hasThreeDims && (heads <= 0 || keyHeads <= 0))
    return node.refuse("q_num_heads and kv_num_heads have to be positive where "
                       "Q has 3 dimensions");
  Value valueHeads, keyColumns;
  if (failed(split(Query, heads, a.query, a.heads, a.columns)) ||
      failed(split(Key, keyHeads, a.key, a.keyHeads, keyColumns)) ||
      failed(split(Value_, keyHeads, a.value, valueHeads, a.valueColumns)))
    return failure();
  int64_t rowAxis = hasThreeDims ? 1 : 2;
  auto dim = [&](size_t input, int64_t axis) {
    return node.input(input).dims[axis];
  };
  a.batch = dim(Query, 0);
  a.rows = dim(Query, rowAxis);
  newKeys = dim(Key, rowAxis);
  demand(g.equal(a.columns, keyColumns), "the heads of Q and K differ in size");
  demand(g.logicalAnd(g.equal(a.batch, dim(Key, 0)),
                      g.equal(a.batch, dim(Value_, 0))),
         "Q, K and V differ in the batch");
  demand(g.logicalAnd(g.equal(newKeys, dim(Value_, rowAxis)),
                      g.equal(a.keyHeads, valueHeads)),
         "K and V differ in heads or length");
  std::optional<int64_t> queries = g.known(a.heads), keys = g.known(a.keyHeads);
  if (queries && keys && (*keys == 0 || *queries % *keys))
    return node.refuse("has " + Twine(*queries) + " heads of Q and " +
                       Twine(*keys) +
                       " of K; the first has to be a multiple "
                       "of the second");
  Value group = g.div(a.heads, g.max(a.keyHeads, 1));
  demand(g.equal(g.mul(group, a.keyHeads), a.heads),
         "the heads of Q are no multiple of those of K");
  return success();
}

/// Replaces keys or values by past and new ones in one buffer, if there is a
/// past or that buffer is a result.
LogicalResult AttentionNode::join(size_t past, size_t present, Value columns,
                                  Heads &view) {
  bool hasPast = node.hasInput(past);
  if (!hasPast && !node.needsResult(present))
    return success();
  if (!hasPast && !hasThreeDims) {
    node.setResult(present, view.tensor);
    return success();
  }
  ElementType type = view.tensor.type;
  Tensor joined =
      g.allocateTensor(type, {a.batch, a.keyHeads, a.keys, columns});
  Heads target = viewByHead(g, joined);
  CacheRows rows{std::nullopt, view,     a.batch, a.keyHeads,
                 columns,      pastKeys, newKeys};
  if (hasPast) {
    const Tensor &before = node.buffer(past);
    if (before.type != type)
      return node.refuse("the past has another element type than what is new");
    Values expected{a.batch, a.keyHeads, pastKeys, columns};
    for (auto [dim, wanted] : llvm::zip_equal(before.dims, expected))
      demand(g.equal(dim, wanted), "the past does not fit K and V");
    rows.past = viewByHead(g, before);
  }
  joinRows(g, rows, target);
  node.setResult(present, joined);
  view = target;
  return success();
}

LogicalResult AttentionNode::addPast() {
  pastKeys = node.hasInput(PastKey) ? node.input(PastKey).dims[2] : g.number(0);
  a.keys = g.add(pastKeys, newKeys);
  if (failed(join(PastKey, PresentKey, a.columns, a.key)))
    return failure();
  return join(PastValue, PresentValue, a.valueColumns, a.value);
}

LogicalResult AttentionNode::readSoftmax() {
  // Less precision than the scores have is not lost on purpose.
  int64_t precision = node.attribute("softmax_precision", int64_t(1));
  if (!llvm::is_contained({1, 10, 11, 16}, precision))
    return node.refuse("softmax_precision is " + Twine(precision) +
                       ", expected 1, 10, 11 or 16 (a type of floats)");
  bool isDouble = node.input(Query).type.get().isF64() || precision == 11;
  a.type = isDouble ? Type(g.b.getF64Type()) : g.b.getF32Type();
  double scale = node.attribute("scale", 0.0);
  a.scale = node.hasAttribute("scale") ? g.constant(a.type, scale)
                                       : defaultScale(g, a.type, a.columns);
  a.softcap = node.attribute("softcap", 0.0);
  if (a.softcap < 0)
    a.softcap = 0;
  return success();
}

LogicalResult AttentionNode::readMask() {
  if (!node.hasInput(Mask))
    return success();
  const Tensor &mask = node.buffer(Mask);
  if (mask.rank() < 1 || mask.rank() > 4)
    return node.refuse("attn_mask has " + Twine(mask.rank()) +
                       " dimensions, expected 1 to 4");
  Values expected{a.batch, a.heads, a.rows};
  ArrayRef<Value> dims = mask.dims;
  for (size_t axis = 0; axis + 1 < dims.size(); ++axis) {
    Value wanted = expected[4 - dims.size() + axis];
    demand(g.logicalOr(g.equal(dims[axis], 1), g.equal(dims[axis], wanted)),
           "attn_mask does not fit the scores");
  }
  demand(g.logicalNot(g.less(a.keys, dims.back())),
         "attn_mask has more columns than there are keys");
  // What is missing counts as masked.
  if (!g.same(dims.back(), a.keys))
    maskColumns = dims.back();
  ScoreBias bias = broadcastBias(g, mask);
  if (mask.type.isBool())
    bias.masked = -INFINITY;
  a.biases.push_back(bias);
  return success();
}

LogicalResult AttentionNode::readVisible() {
  bool isCausal = node.attribute("is_causal", int64_t(0)) != 0;
  int64_t left = node.attribute("left_window_size", int64_t(-1));
  int64_t right = node.attribute("right_window_size", int64_t(-1));
  if (left < -1 || right < -1)
    return node.refuse("a window is " + Twine(std::min(left, right)) +
                       ", expected -1 or more");
  std::optional<Tensor> lengths;
  if (node.hasInput(Lengths)) {
    lengths = node.buffer(Lengths);
    if (lengths->rank() != 1 || !lengths->type.get().isSignlessInteger(64))
      return node.refuse("nonpad_kv_seqlen is no vector of int64");
    demand(g.equal(lengths->dims[0], a.batch),
           "nonpad_kv_seqlen has not one number per batch");
  }
  if (!isCausal && left < 0 && right < 0 && !lengths && !maskColumns)
    return success();
  // By value: this object does not outlive the node, the closures might.
  a.visible = [&g = g, isCausal, left, right, lengths, keys = a.keys,
               rows = a.rows, past = pastKeys,
               columns = maskColumns](Value batch, Value row) {
    Value length = lengths ? g.loadElement(*lengths, batch) : Value();
    Value offset = length ? g.sub(length, rows) : past;
    Value position = g.add(row, offset);
    Value first = g.number(0), end = columns ? columns : keys;
    if (length)
      end = g.min(end, length);
    if (isCausal)
      end = g.min(end, g.add(position, 1));
    if (right >= 0)
      end = g.min(end, g.add(position, right + 1));
    if (left >= 0)
      first = g.sub(position, left);
    return std::pair(first, end);
  };
  return success();
}

void AttentionNode::allocateResults() {
  ElementType type = node.input(Query).type;
  if (hasThreeDims) {
    Tensor result = g.allocateTensor(
        type, {a.batch, a.rows, g.mul(a.heads, a.valueColumns)});
    a.output = viewByRow(g, result, a.valueColumns, g.number(0));
  } else {
    Tensor result =
        g.allocateTensor(type, {a.batch, a.heads, a.rows, a.valueColumns});
    a.output = viewByHead(g, result);
  }
  node.setResult(Result, a.output.tensor);
  if (!node.needsResult(Scores))
    return;
  Tensor scores = g.allocateTensor(type, {a.batch, a.heads, a.rows, a.keys});
  a.scores = viewByHead(g, scores);
  node.setResult(Scores, scores);
}

LogicalResult AttentionNode::emit() {
  int64_t mode = node.attribute("qk_matmul_output_mode", int64_t(0));
  if (mode < 0 || mode > 3)
    return node.refuse("qk_matmul_output_mode is " + Twine(mode) +
                       ", expected 0 to 3");
  if (failed(checkRanks()) || failed(readHeads()) || failed(addPast()) ||
      failed(readSoftmax()) || failed(readMask()) || failed(readVisible()))
    return failure();
  if (node.needsResult(Scores))
    a.kept = static_cast<KeptScores>(int64_t(KeptScores::Products) + mode);
  allocateResults();
  emitAttention(g, a);
  return success();
}

static LogicalResult emitAttentionNode(Node &node) {
  return AttentionNode(node).emit();
}

static const OperatorRow rows[] = {
    {"Attention", emitAttentionNode, 3, 7, 1, 4, 23},
};

ArrayRef<OperatorRow> attentionOperators() { return rows; }

} // namespace llmopt::graph
