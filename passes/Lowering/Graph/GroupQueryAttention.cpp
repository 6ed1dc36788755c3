//===- GroupQueryAttention.cpp - GroupQueryAttention in graphs --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For entry b of the batch: T = seqlens_k[b] + 1 tokens are in the cache after
// this step, Q of them are new, P = T - Q were there before. New row s has
// position P + s.
//
// A windowed cache keeps the L(T) most recent positions only. Old and new rows
// stand in one buffer, the stage, while attention reads them; its row i has
// position P - L(P) + i. Otherwise the stage is the result present_key.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/AttentionCore.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
enum Input {
  Query,
  Key,
  Value_,
  PastKey,
  PastValue,
  Lengths,
  Total,
  Cosines,
  Sines,
  Positions,
  Bias,
  Sink,
  KeyScale,
  ValueScale,
  QueryNorm,
  KeyNorm,
  QueryLengths,
};
enum Output { Result, PresentKey, PresentValue, Scores };

/// Lengths of the entries of the batch, for use in loops.
struct StepLengths {
  GraphBuilder *g;
  Tensor totals;               ///< seqlens_k
  std::optional<Tensor> given; ///< query_seqlens
  Value rows;                  ///< S
  Value capacity;              ///< of a windowed cache, else null
  int64_t window = -1;

  Value read(const Tensor &tensor, Value batch) const {
    Value number = g->loadElement(tensor, batch);
    return arith::ExtSIOp::create(g->b, g->loc, g->b.getI64Type(), number);
  }
  /// T
  Value total(Value batch) const { return g->add(read(totals, batch), 1); }
  /// Q
  Value added(Value batch) const {
    return given ? read(*given, batch) : g->min(rows, total(batch));
  }
  /// P
  Value before(Value batch) const {
    return g->max(g->sub(total(batch), added(batch)), 0);
  }
  /// L of a number of tokens.
  Value resident(Value tokens) const {
    Value group = g->max(g->add(g->sub(capacity, window), 1), 1);
    Value over = g->max(g->sub(tokens, capacity), 0);
    Value kept = g->sub(tokens, g->mul(group, g->divideCeil(over, group)));
    return g->max(g->min(kept, capacity), 0);
  }
  /// Position of the stage's first row.
  Value base(Value batch) const {
    if (!capacity)
      return g->number(0);
    Value tokens = before(batch);
    return g->sub(tokens, resident(tokens));
  }
};

class GroupQueryAttentionNode {
public:
  explicit GroupQueryAttentionNode(Node &node) : node(node), g(node.g) {}
  LogicalResult emit();

private:
  LogicalResult checkAttributes();
  LogicalResult checkInputs();
  LogicalResult readHeads();
  LogicalResult readLengths();
  void checkLengths();
  LogicalResult readRotary();
  LogicalResult readSoftmax();
  LogicalResult readBias();
  void rotateQuery();
  LogicalResult stage(size_t past, bool isKey, Heads &view);
  void keepWindow(size_t present, const Heads &stage);
  void setVisible();
  void demand(Value condition, const Twine &what) {
    g.require(condition, node.describe() + ": " + what);
  }
  bool isWindowed() const { return bool(lengths.capacity); }
  HeadsCopy cacheCopy(const Heads &from, const Heads &to, Value rows) {
    HeadsCopy copy;
    copy.from = from;
    copy.to = to;
    copy.batch = a.batch;
    copy.heads = a.keyHeads;
    copy.rows = rows;
    copy.columns = a.columns;
    return copy;
  }

  Node &node;
  GraphBuilder &g;
  Attention a;
  StepLengths lengths;
  int64_t heads = 0, keyHeads = 0, window = -1;
  Value total;       ///< total_sequence_length
  Value pastRows;    ///< rows of past_key, 0 without
  Value stageRows;   ///< rows of the stage
  Value biasColumns; ///< null without attention_bias
  std::optional<Rotary> rotary;
};
} // namespace

//===----------------------------------------------------------------------===//
// What the node says
//===----------------------------------------------------------------------===//

LogicalResult GroupQueryAttentionNode::checkAttributes() {
  heads = node.attribute("num_heads", int64_t(0));
  keyHeads = node.attribute("kv_num_heads", int64_t(0));
  if (heads <= 0 || keyHeads <= 0 || heads % keyHeads)
    return node.refuse("num_heads is " + Twine(heads) + " and kv_num_heads " +
                       Twine(keyHeads) +
                       "; the first has to be a multiple of the second");
  for (StringRef name : {"k_quant_type", "v_quant_type"})
    if (std::string type = node.attribute(name, StringRef("NONE"));
        type != "NONE")
      return node.refuse(name + " is " + type +
                         "; caches of quantized keys and values are not "
                         "supported, expected NONE");
  if (node.attribute("qk_output", int64_t(0)) || node.needsResult(Scores))
    return node.refuse("output_qk is not supported; expected qk_output 0");
  window = node.attribute("local_window_size", int64_t(-1));
  if (window == 0 || window < -1)
    return node.refuse("local_window_size is " + Twine(window) +
                       ", expected -1 or a positive number");
  if (window > 0 && !node.attribute("causal", int64_t(1)))
    return node.refuse("local_window_size needs causal attention");
  if (node.attribute("sliding_window_cache", int64_t(0)) && window < 0)
    return node.refuse("sliding_window_cache needs local_window_size");
  return success();
}

LogicalResult GroupQueryAttentionNode::checkInputs() {
  for (size_t i : {KeyScale, ValueScale, QueryNorm, KeyNorm})
    if (node.hasInput(i))
      return node.refuse("input " + Twine(i) +
                         (i <= ValueScale ? " (scales of quantized caches)"
                                          : " (norms of queries and keys)") +
                         " is not supported");
  for (size_t i : {Lengths, Total})
    if (!node.hasInput(i))
      return node.refuse("input " + Twine(i) + " must not be left out");
  if (node.hasInput(Key) != node.hasInput(Value_) ||
      node.hasInput(PastKey) != node.hasInput(PastValue))
    return node.refuse("keys and values need one another");
  ElementType type = node.input(Query).type;
  for (size_t i : {Key, Value_, PastKey, PastValue, Cosines, Sines, Bias, Sink})
    if (node.hasInput(i) && node.input(i).type != type)
      return node.refuse("input " + Twine(i) +
                         " has another element type than the query");
  for (size_t i : {Query, Key, Value_})
    if (node.hasInput(i) && node.input(i).rank() != 3)
      return node.refuse("input " + Twine(i) + " has " +
                         Twine(node.input(i).rank()) +
                         " dimensions, expected 3");
  for (size_t i : {PastKey, PastValue})
    if (node.hasInput(i) && node.input(i).rank() != 4)
      return node.refuse("input " + Twine(i) + " has " +
                         Twine(node.input(i).rank()) +
                         " dimensions, expected 4");
  for (size_t i : {Lengths, Total, QueryLengths})
    if (node.hasInput(i) && !node.input(i).type.get().isSignlessInteger(32))
      return node.refuse("input " + Twine(i) + " is not of type int32");
  return success();
}

/// Views of queries and of new keys and values.
LogicalResult GroupQueryAttentionNode::readHeads() {
  const Tensor &query = node.buffer(Query);
  bool isPacked = !node.hasInput(Key);
  int64_t parts = isPacked ? heads + 2 * keyHeads : heads;
  a.batch = query.dims[0];
  a.rows = query.dims[1];
  a.heads = g.number(heads);
  a.keyHeads = g.number(keyHeads);
  a.columns = a.valueColumns = g.div(query.dims[2], parts);
  std::optional<int64_t> width = g.known(query.dims[2]);
  if (width && (*width % parts || *width == 0))
    return node.refuse("the query has " + Twine(*width) +
                       " columns, which is no multiple of its " + Twine(parts) +
                       " heads");
  demand(g.equal(g.mul(a.columns, parts), query.dims[2]),
         "the columns of the query are no multiple of its heads");
  a.query = viewByRow(g, query, a.columns, g.number(0));
  if (isPacked) {
    Value offset = g.mul(a.columns, heads);
    a.key = viewByRow(g, query, a.columns, offset);
    a.value = viewByRow(g, query, a.columns,
                        g.add(offset, g.mul(a.columns, keyHeads)));
    return success();
  }
  for (size_t i : {Key, Value_}) {
    const Tensor &tensor = node.buffer(i);
    Values wanted{a.batch, a.rows, g.mul(a.columns, keyHeads)};
    for (auto [dim, expected] : llvm::zip_equal(tensor.dims, wanted))
      demand(g.equal(dim, expected),
             "input " + Twine(i) + " does not fit the query");
    (i == Key ? a.key : a.value) = viewByRow(g, tensor, a.columns, g.number(0));
  }
  return success();
}

LogicalResult GroupQueryAttentionNode::readLengths() {
  lengths.g = &g;
  lengths.totals = node.buffer(Lengths);
  lengths.rows = a.rows;
  lengths.window = window;
  if (node.hasInput(QueryLengths))
    lengths.given = node.buffer(QueryLengths);
  for (size_t i : {Lengths, QueryLengths})
    if (node.hasInput(i))
      demand(g.equal(g.count(node.input(i)), a.batch),
             "input " + Twine(i) + " has not one number per batch");
  demand(g.equal(g.count(node.input(Total)), 1),
         "total_sequence_length is not one number");
  Value number = g.onlyElement(node.buffer(Total));
  std::optional<int64_t> known = g.known(number);
  total = known ? g.number(*known)
                : arith::ExtSIOp::create(g.b, g.loc, g.b.getI64Type(), number);
  demand(g.logicalNot(g.less(total, 0)), "total_sequence_length is negative");
  pastRows = node.hasInput(PastKey) ? node.input(PastKey).dims[2] : g.number(0);
  stageRows = g.max(pastRows, total);
  if (node.attribute("sliding_window_cache", int64_t(0))) {
    if (!node.hasInput(PastKey))
      return node.refuse("sliding_window_cache needs past_key");
    lengths.capacity = pastRows;
    demand(g.logicalNot(g.less(pastRows, window)),
           "its windowed cache has fewer rows than local_window_size");
    stageRows = g.add(pastRows, a.rows);
  }
  g.markDimension(stageRows);
  checkLengths();
  return success();
}

void GroupQueryAttentionNode::checkLengths() {
  Value yes = g.integer(g.b.getI1Type(), 1);
  Values fit = g.loop(a.batch, {yes}, [&](Value batch, ValueRange carried) {
    Value all = lengths.total(batch), added = lengths.added(batch);
    Value isOutside = g.logicalOr(g.less(all, 1), g.less(total, all));
    isOutside = g.logicalOr(isOutside, g.less(added, 0));
    isOutside = g.logicalOr(isOutside, g.less(g.min(a.rows, all), added));
    if (!isWindowed())
      isOutside = g.logicalOr(isOutside, g.less(pastRows, g.sub(all, added)));
    return Values{g.logicalAnd(carried[0], g.logicalNot(isOutside))};
  });
  demand(fit[0], "seqlens_k, total_sequence_length and the rows of query and "
                 "past do not fit");
}

LogicalResult GroupQueryAttentionNode::readRotary() {
  if (!node.attribute("do_rotary", int64_t(0)))
    return success();
  if (!node.hasInput(Cosines) || !node.hasInput(Sines))
    return node.refuse("do_rotary needs cos_cache and sin_cache");
  Rotary &made = rotary.emplace();
  made.cosines = node.buffer(Cosines);
  made.sines = node.buffer(Sines);
  if (made.cosines.rank() != 2 || made.sines.rank() != 2)
    return node.refuse("cos_cache and sin_cache have to have 2 dimensions");
  made.width = g.mul(made.cosines.dims[1], 2);
  made.isInterleaved = node.attribute("rotary_interleaved", int64_t(0)) != 0;
  demand(g.logicalAnd(g.equal(made.cosines.dims[0], made.sines.dims[0]),
                      g.equal(made.cosines.dims[1], made.sines.dims[1])),
         "cos_cache and sin_cache differ in shape");
  demand(g.logicalNot(g.less(a.columns, made.width)),
         "cos_cache has more columns than half a head");
  std::optional<Tensor> positions;
  if (node.hasInput(Positions)) {
    positions = node.buffer(Positions);
    if (!positions->type.get().isSignlessInteger(64))
      return node.refuse("position_ids is not of type int64");
    demand(g.equal(g.count(*positions), g.mul(a.batch, a.rows)),
           "position_ids is not [batch, sequence]");
  }
  made.position = [&g = g, positions, lengths = lengths,
                   rows = a.rows](Value batch, Value row) {
    Value position;
    if (positions)
      position = g.loadElement(
          *positions, g.linearIndex({batch, row}, {g.number(0), rows}));
    else
      position = g.add(lengths.before(batch), row);
    // Rows of padding have no position of their own.
    Value isPadding = g.logicalNot(g.less(row, lengths.added(batch)));
    return g.select(isPadding, g.number(0), position);
  };
  requirePositions(g, made, a.batch, a.rows, node.describe());
  return success();
}

LogicalResult GroupQueryAttentionNode::readSoftmax() {
  a.type = g.b.getF32Type();
  if (node.input(Query).type.get().isF64())
    a.type = g.b.getF64Type();
  double scale = node.attribute("scale", 0.0);
  a.scale = scale != 0 ? g.constant(a.type, scale)
                       : defaultScale(g, a.type, a.columns);
  a.softcap = node.attribute("softcap", 0.0);
  if (node.hasInput(Sink)) {
    Tensor sinks = node.buffer(Sink);
    demand(g.equal(g.count(sinks), a.heads),
           "head_sink has not one number per head");
    a.sink = [&g = g, sinks](Value head) { return g.loadElement(sinks, head); };
  } else if (node.attribute("smooth_softmax", int64_t(0)) > 0) {
    a.sink = [&g = g, type = a.type](Value) { return g.constant(type, 0); };
  }
  return success();
}

LogicalResult GroupQueryAttentionNode::readBias() {
  if (!node.hasInput(Bias))
    return success();
  if (isWindowed())
    return node.refuse("attention_bias and sliding_window_cache together are "
                       "not supported");
  const Tensor &bias = node.buffer(Bias);
  if (bias.rank() != 4)
    return node.refuse("attention_bias has " + Twine(bias.rank()) +
                       " dimensions, expected 4");
  for (auto [axis, wanted] : {std::pair(0, a.batch), std::pair(1, a.heads)})
    demand(g.logicalOr(g.equal(bias.dims[axis], 1),
                       g.equal(bias.dims[axis], wanted)),
           "attention_bias does not fit batch and heads");
  demand(g.equal(bias.dims[2], a.rows),
         "attention_bias has not one row per token");
  demand(g.logicalNot(g.less(bias.dims[3], total)),
         "attention_bias has fewer columns than total_sequence_length");
  a.biases.push_back(broadcastBias(g, bias));
  biasColumns = bias.dims[3];
  return success();
}

//===----------------------------------------------------------------------===//
// The cache
//===----------------------------------------------------------------------===//

void GroupQueryAttentionNode::rotateQuery() {
  if (!rotary)
    return;
  Tensor rotated = g.allocateTensor(node.input(Query).type,
                                    {a.batch, a.rows, g.mul(a.columns, heads)});
  HeadsCopy copy =
      cacheCopy(a.query, viewByRow(g, rotated, a.columns, g.number(0)), a.rows);
  copy.heads = a.heads;
  copy.rotary = rotary;
  copyHeads(g, copy);
  a.query = copy.to;
}

/// Replaces new keys or values by old and new ones.
LogicalResult GroupQueryAttentionNode::stage(size_t past, bool isKey,
                                             Heads &view) {
  Tensor joined = g.allocateTensor(view.tensor.type,
                                   {a.batch, a.keyHeads, stageRows, a.columns});
  Heads target = viewByHead(g, joined);
  if (node.hasInput(past)) {
    const Tensor &before = node.buffer(past);
    Values expected{a.batch, a.keyHeads, pastRows, a.columns};
    for (auto [dim, wanted] : llvm::zip_equal(before.dims, expected))
      demand(g.equal(dim, wanted),
             "input " + Twine(past) + " does not fit query and heads");
    copyHeads(g, cacheCopy(viewByHead(g, before), target, pastRows));
  }
  HeadsCopy copy = cacheCopy(view, target, a.rows);
  if (isKey)
    copy.rotary = rotary;
  copy.target = [this](Value batch, Value row) {
    Value first = g.sub(lengths.before(batch), lengths.base(batch));
    return g.min(g.add(first, row), g.sub(stageRows, 1));
  };
  // Padding is written where there is room: what it leaves there is not read.
  bool isPaddingKept = !lengths.given && !isWindowed();
  copy.isCopied = [this, isPaddingKept](Value batch, Value row) {
    Value place = g.add(g.sub(lengths.before(batch), lengths.base(batch)), row);
    Value fits = g.less(place, stageRows);
    return isPaddingKept
               ? fits
               : g.logicalAnd(fits, g.less(row, lengths.added(batch)));
  };
  copyHeads(g, copy);
  view = target;
  return success();
}

/// The most recent rows of the stage as windowed cache.
void GroupQueryAttentionNode::keepWindow(size_t present, const Heads &stage) {
  if (!node.needsResult(present))
    return;
  Tensor kept = g.allocateTensor(stage.tensor.type,
                                 {a.batch, a.keyHeads, pastRows, a.columns});
  // Rows of the result are those that are copied, so the shift is on the side
  // of the source: row i of the stage goes to row i - shift.
  auto shift = [this](Value batch) {
    Value tokens = lengths.total(batch);
    Value first = g.sub(tokens, lengths.resident(tokens));
    return g.sub(first, lengths.base(batch));
  };
  HeadsCopy copy = cacheCopy(stage, viewByHead(g, kept), stageRows);
  copy.target = [this, shift](Value batch, Value row) {
    Value place = g.sub(row, shift(batch));
    return g.max(g.min(place, g.sub(pastRows, 1)), 0);
  };
  copy.isCopied = [this, shift](Value batch, Value row) {
    Value place = g.sub(row, shift(batch));
    return g.logicalAnd(g.logicalNot(g.less(place, 0)),
                        g.less(place, pastRows));
  };
  copyHeads(g, copy);
  node.setResult(present, kept);
}

void GroupQueryAttentionNode::setVisible() {
  bool isCausal = node.attribute("causal", int64_t(1)) != 0;
  a.visible = [this, isCausal](Value batch, Value row) {
    Value base = lengths.base(batch);
    Value end = g.sub(lengths.total(batch), base), first = g.number(0);
    if (biasColumns)
      end = g.min(end, biasColumns);
    if (!isCausal)
      return std::pair(first, end);
    Value position = g.sub(g.add(lengths.before(batch), row), base);
    end = g.min(end, g.add(position, 1));
    if (window > 0)
      first = g.sub(g.add(position, 1), window);
    return std::pair(first, end);
  };
}

LogicalResult GroupQueryAttentionNode::emit() {
  if (failed(checkAttributes()) || failed(checkInputs()) ||
      failed(readHeads()) || failed(readLengths()) || failed(readRotary()) ||
      failed(readSoftmax()) || failed(readBias()))
    return failure();
  rotateQuery();
  if (failed(stage(PastKey, true, a.key)) ||
      failed(stage(PastValue, false, a.value)))
    return failure();
  a.keys = isWindowed() ? stageRows : total;
  setVisible();
  Tensor result = g.allocateTensor(node.input(Query).type,
                                   {a.batch, a.rows, g.mul(a.columns, heads)});
  a.output = viewByRow(g, result, a.columns, g.number(0));
  emitAttention(g, a);
  node.setResult(Result, result);
  if (isWindowed()) {
    keepWindow(PresentKey, a.key);
    keepWindow(PresentValue, a.value);
    return success();
  }
  node.setResult(PresentKey, a.key.tensor);
  node.setResult(PresentValue, a.value.tensor);
  return success();
}

static LogicalResult emitGroupQueryAttention(Node &node) {
  return GroupQueryAttentionNode(node).emit();
}

static const OperatorRow rows[] = {
    {"GroupQueryAttention", emitGroupQueryAttention, 1, 17, 1, 4, 1, INT64_MAX,
     "com.microsoft"},
};

ArrayRef<OperatorRow> groupQueryAttentionOperators() { return rows; }

} // namespace llmopt::graph
