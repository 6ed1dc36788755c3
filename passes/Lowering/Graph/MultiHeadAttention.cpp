//===- MultiHeadAttention.cpp - Attention of com.microsoft ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MultiHeadAttention, which is given queries, keys and values, and Attention,
// which computes them from one input. A mask adds a large negative number, as
// these operators define it; lengths hide keys altogether.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/AttentionCore.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// What both operators have in common.
class ContribAttention {
protected:
  explicit ContribAttention(Node &node) : node(node), g(node.g) {}

  LogicalResult readAttributes();
  LogicalResult readMask(size_t input);
  LogicalResult readBias(size_t input);
  void emitCore();
  void demand(Value condition, const Twine &what) {
    g.require(condition, node.describe() + ": " + what);
  }
  void demandDims(size_t input, ArrayRef<Value> wanted) {
    for (auto [dim, expected] : llvm::zip_equal(node.input(input).dims, wanted))
      demand(g.equal(dim, expected),
             "input " + Twine(input) + " does not fit the others");
  }

  Node &node;
  GraphBuilder &g;
  Attention a;
  int64_t heads = 0;
  Value pastKeys, newKeys;
  /// Keys [start, end) of an entry of the batch, as int32; null: all.
  std::optional<Tensor> ends;
  bool hasStarts = false;
};

class MultiHeadAttentionNode : ContribAttention {
public:
  explicit MultiHeadAttentionNode(Node &node) : ContribAttention(node) {}
  LogicalResult emit();

private:
  enum Input { Query, Key, Value_, Bias, Mask, ScoreBias_, PastKey, PastValue };

  LogicalResult checkInputs();
  LogicalResult readPacked();
  LogicalResult readSeparate();
  LogicalResult addBias();
  Heads biased(const Heads &view, Value rows, Value columns, Value offset);
  LogicalResult join(size_t past, size_t present, Value columns, Heads &view);

  /// True if keys and values come by head: they have got their bias.
  bool isCached = false;
};

class AttentionNode : ContribAttention {
public:
  explicit AttentionNode(Node &node) : ContribAttention(node) {}
  LogicalResult emit();

private:
  enum Input { Data, Weights, Bias, Mask, Past, ScoreBias_ };

  LogicalResult checkInputs();
  LogicalResult project();
  LogicalResult join();
};
} // namespace

//===----------------------------------------------------------------------===//
// Common parts
//===----------------------------------------------------------------------===//

LogicalResult ContribAttention::readAttributes() {
  heads = node.attribute("num_heads", int64_t(0));
  if (heads <= 0)
    return node.refuse("num_heads is " + Twine(heads) +
                       ", expected a positive number");
  a.heads = a.keyHeads = g.number(heads);
  ElementType type = node.input(0).type;
  a.type = type.get().isF64() ? Type(g.b.getF64Type()) : g.b.getF32Type();
  return success();
}

LogicalResult ContribAttention::readMask(size_t input) {
  if (!node.hasInput(input))
    return success();
  const Tensor &mask = node.buffer(input);
  ArrayRef<Value> dims = mask.dims;
  if (!mask.type.get().isSignlessInteger(32))
    return node.refuse("input " + Twine(input) + " is not of type int32");
  if (mask.rank() == 1) {
    // [batch], or ends and starts of all entries one after the other.
    ends = mask;
    hasStarts = !g.same(dims[0], a.batch) && node.opType() == "Attention";
    Value wanted = g.mul(a.batch, hasStarts ? 2 : 1);
    demand(g.equal(dims[0], wanted),
           "a mask of one dimension has not one length per batch");
    return success();
  }
  if (mask.rank() > 3)
    return node.refuse("a mask of " + Twine(mask.rank()) +
                       " dimensions is not supported, expected 1 to 3");
  Values wanted{a.batch, a.rows, a.keys};
  if (mask.rank() == 2)
    wanted.erase(wanted.begin() + 1);
  demandDims(input, wanted);
  Value rowStride = mask.rank() == 2 ? g.number(0) : dims.back();
  ScoreBias bias{
      {mask, g.number(0), g.product(dims.drop_front()), g.number(0), rowStride},
      node.attribute("mask_filter_value", -10000.0)};
  a.biases.push_back(bias);
  return success();
}

LogicalResult ContribAttention::readBias(size_t input) {
  if (!node.hasInput(input))
    return success();
  const Tensor &bias = node.buffer(input);
  if (bias.rank() != 4)
    return node.refuse("attention_bias has " + Twine(bias.rank()) +
                       " dimensions, expected 4");
  Values wanted{a.batch, a.heads, a.rows, a.keys};
  for (auto [axis, dim] : llvm::enumerate(bias.dims)) {
    Value fits = g.equal(dim, wanted[axis]);
    if (axis < 2)
      fits = g.logicalOr(fits, g.equal(dim, 1));
    demand(fits, "attention_bias does not fit the scores");
  }
  a.biases.push_back(broadcastBias(g, bias));
  return success();
}

void ContribAttention::emitCore() {
  double scale = node.attribute("scale", 0.0);
  a.scale = scale != 0 ? g.constant(a.type, scale)
                       : defaultScale(g, a.type, a.columns);
  bool isCausal = node.attribute("unidirectional", int64_t(0)) != 0;
  if (isCausal || ends)
    a.visible = [this, isCausal](Value batch, Value row) {
      Value first = g.number(0), end = a.keys;
      auto read = [&](Value number) -> Value {
        Value element = g.loadElement(*ends, number);
        return arith::ExtSIOp::create(g.b, g.loc, g.b.getI64Type(), element);
      };
      if (ends)
        end = read(batch);
      if (hasStarts)
        first = read(g.add(batch, a.batch));
      if (isCausal)
        end = g.min(end, g.add(g.add(row, pastKeys), 1));
      return std::pair(first, end);
    };
  Tensor result = g.allocateTensor(
      node.input(0).type, {a.batch, a.rows, g.mul(a.heads, a.valueColumns)});
  a.output = viewByRow(g, result, a.valueColumns, g.number(0));
  emitAttention(g, a);
  node.setResult(0, result);
}

//===----------------------------------------------------------------------===//
// MultiHeadAttention
//===----------------------------------------------------------------------===//

LogicalResult MultiHeadAttentionNode::checkInputs() {
  for (size_t i : {8, 9})
    if (node.hasInput(i))
      return node.refuse("input " + Twine(i) +
                         " (caches in shared buffers) is not supported");
  if (node.needsResult(3))
    return node.refuse("output qk is not supported");
  for (size_t i : {Key, Value_, Bias, ScoreBias_, PastKey, PastValue})
    if (node.hasInput(i) && node.input(i).type != node.input(Query).type)
      return node.refuse("input " + Twine(i) +
                         " has another element type than the query");
  if (node.hasInput(PastKey) != node.hasInput(PastValue))
    return node.refuse("past_key and past_value need one another");
  return success();
}

/// Queries, keys and values in one input, or keys and values in one.
LogicalResult MultiHeadAttentionNode::readPacked() {
  bool isAll = !node.hasInput(Key);
  size_t input = isAll ? Query : Key;
  const Tensor &packed = node.buffer(input);
  int64_t parts = isAll ? 3 : 2;
  if (packed.rank() != 5 || !g.isKnown(packed.dims[3], parts))
    return node.refuse("input " + Twine(input) +
                       " without values is not [batch, length, heads, " +
                       Twine(parts) + ", columns]");
  ArrayRef<Value> dims = packed.dims;
  a.batch = dims[0];
  newKeys = dims[1];
  a.columns = a.valueColumns = dims[4];
  demand(g.equal(dims[2], a.heads),
         "input " + Twine(input) + " has not num_heads heads");
  Heads view{packed, g.number(0), g.product(dims.drop_front()),
             g.product(dims.drop_front(3)), g.product(dims.drop_front(2))};
  SmallVector<Heads *> targets{&a.query, &a.key, &a.value};
  for (Heads *target : ArrayRef(targets).take_back(parts)) {
    *target = view;
    view.offset = g.add(view.offset, a.columns);
  }
  if (isAll) {
    a.rows = newKeys;
    return success();
  }
  const Tensor &query = node.buffer(Query);
  if (query.rank() != 3)
    return node.refuse("the query has " + Twine(query.rank()) +
                       " dimensions, expected 3");
  a.rows = query.dims[1];
  demandDims(Query, {a.batch, a.rows, g.mul(a.columns, heads)});
  a.query = viewByRow(g, query, a.columns, g.number(0));
  return success();
}

LogicalResult MultiHeadAttentionNode::readSeparate() {
  const Tensor &query = node.buffer(Query), &key = node.buffer(Key),
               &value = node.buffer(Value_);
  isCached = key.rank() == 4;
  if (query.rank() != 3 || (key.rank() != 3 && !isCached) ||
      value.rank() != key.rank())
    return node.refuse("query, key and value have " + Twine(query.rank()) +
                       ", " + Twine(key.rank()) + " and " +
                       Twine(value.rank()) +
                       " dimensions, expected 3, or 3, 4 and 4");
  a.batch = query.dims[0];
  a.rows = query.dims[1];
  a.columns = g.div(query.dims[2], heads);
  Value width = g.mul(a.columns, heads);
  demandDims(Query, {a.batch, a.rows, width});
  a.query = viewByRow(g, query, a.columns, g.number(0));
  newKeys = key.dims[isCached ? 2 : 1];
  if (isCached) {
    a.valueColumns = value.dims[3];
    demandDims(Key, {a.batch, a.heads, newKeys, a.columns});
    demandDims(Value_, {a.batch, a.heads, newKeys, a.valueColumns});
    a.key = viewByHead(g, key);
    a.value = viewByHead(g, value);
    return success();
  }
  a.valueColumns = g.div(value.dims[2], heads);
  demandDims(Key, {a.batch, newKeys, width});
  demandDims(Value_, {a.batch, newKeys, g.mul(a.valueColumns, heads)});
  a.key = viewByRow(g, key, a.columns, g.number(0));
  a.value = viewByRow(g, value, a.valueColumns, g.number(0));
  return success();
}

/// A copy of rows with a part of the bias added.
Heads MultiHeadAttentionNode::biased(const Heads &view, Value rows,
                                     Value columns, Value offset) {
  Tensor sum = g.allocateTensor(view.tensor.type,
                                {a.batch, rows, g.mul(columns, heads)});
  HeadsCopy copy;
  copy.from = view;
  copy.to = viewByRow(g, sum, columns, g.number(0));
  copy.batch = a.batch;
  copy.heads = a.heads;
  copy.rows = rows;
  copy.columns = columns;
  copy.bias = node.buffer(Bias);
  copy.biasOffset = offset;
  copyHeads(g, copy);
  return copy.to;
}

LogicalResult MultiHeadAttentionNode::addBias() {
  if (!node.hasInput(Bias))
    return success();
  Value width = g.mul(a.columns, heads);
  Value all = g.add(g.mul(width, 2), g.mul(a.valueColumns, heads));
  if (node.input(Bias).rank() != 1)
    return node.refuse("bias has " + Twine(node.input(Bias).rank()) +
                       " dimensions, expected 1");
  demandDims(Bias, {all});
  a.query = biased(a.query, a.rows, a.columns, g.number(0));
  if (isCached)
    return success();
  a.key = biased(a.key, newKeys, a.columns, width);
  a.value = biased(a.value, newKeys, a.valueColumns, g.mul(width, 2));
  return success();
}

/// Replaces keys or values by past and new ones in one buffer, if there is a
/// past or that buffer is a result.
LogicalResult MultiHeadAttentionNode::join(size_t past, size_t present,
                                           Value columns, Heads &view) {
  bool hasPast = node.hasInput(past);
  if (!hasPast && !node.needsResult(present))
    return success();
  Tensor joined =
      g.allocateTensor(view.tensor.type, {a.batch, a.heads, a.keys, columns});
  CacheRows rows{std::nullopt, view,     a.batch, a.heads,
                 columns,      pastKeys, newKeys};
  if (hasPast) {
    if (node.input(past).rank() != 4)
      return node.refuse("input " + Twine(past) + " has " +
                         Twine(node.input(past).rank()) +
                         " dimensions, expected 4");
    rows.past = viewByHead(g, node.buffer(past));
    demandDims(past, {a.batch, a.heads, pastKeys, columns});
  }
  Heads target = viewByHead(g, joined);
  joinRows(g, rows, target);
  node.setResult(present, joined);
  view = target;
  return success();
}

LogicalResult MultiHeadAttentionNode::emit() {
  if (failed(readAttributes()) || failed(checkInputs()))
    return failure();
  bool isPacked = !node.hasInput(Value_);
  if (failed(isPacked ? readPacked() : readSeparate()) || failed(addBias()))
    return failure();
  pastKeys = g.number(0);
  if (node.hasInput(PastKey) && node.input(PastKey).rank() == 4)
    pastKeys = node.input(PastKey).dims[2];
  a.keys = g.add(pastKeys, newKeys);
  if (failed(join(PastKey, 1, a.columns, a.key)) ||
      failed(join(PastValue, 2, a.valueColumns, a.value)) ||
      failed(readMask(Mask)) || failed(readBias(ScoreBias_)))
    return failure();
  emitCore();
  return success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

LogicalResult AttentionNode::checkInputs() {
  if (node.attribute("do_rotary", int64_t(0)))
    return node.refuse("do_rotary is not supported");
  if (node.attribute("past_present_share_buffer", int64_t(0)) ||
      node.hasInput(6))
    return node.refuse("caches in shared buffers are not supported");
  for (auto [input, rank] : {std::pair(Data, 3), std::pair(Weights, 2),
                             std::pair(Bias, 1), std::pair(Past, 5)})
    if (node.hasInput(input) && node.input(input).rank() != rank)
      return node.refuse("input " + Twine(input) + " has " +
                         Twine(node.input(input).rank()) +
                         " dimensions, expected " + Twine(rank));
  for (size_t i : {Weights, Bias, Past, ScoreBias_})
    if (node.hasInput(i) && node.input(i).type != node.input(Data).type)
      return node.refuse("its inputs have different element types");
  return success();
}

/// Queries, keys and values from the input.
LogicalResult AttentionNode::project() {
  Operand data(g, node.buffer(Data)), weights(g, node.buffer(Weights));
  FailureOr<Tensor> product = multiply(node, data, weights);
  if (failed(product))
    return failure();
  Value width = product->dims.back(), queryWidth = g.div(width, 3),
        keyWidth = queryWidth, valueWidth = queryWidth;
  if (auto sizes = node.integers("qkv_hidden_sizes")) {
    if (sizes->size() != 3)
      return node.refuse("qkv_hidden_sizes has " + Twine(sizes->size()) +
                         " numbers, expected 3");
    queryWidth = g.number((*sizes)[0]);
    keyWidth = g.number((*sizes)[1]);
    valueWidth = g.number((*sizes)[2]);
  }
  a.batch = product->dims[0];
  a.rows = newKeys = product->dims[1];
  a.columns = g.div(queryWidth, heads);
  a.valueColumns = g.div(valueWidth, heads);
  demand(g.equal(queryWidth, keyWidth),
         "queries and keys differ in the number of columns");
  Value expected = g.mul(g.add(g.mul(a.columns, 2), a.valueColumns), heads);
  demand(g.equal(width, expected),
         "the columns of the weights are no multiple of the heads");
  Tensor all = *product;
  if (node.hasInput(Bias)) {
    demandDims(Bias, {width});
    all = g.materialize(mapElements(
        g, {all, node.input(Bias)}, all.type,
        [](GraphBuilder &g, ArrayRef<Value> in) -> Value {
          return arith::AddFOp::create(g.b, g.loc, in[0], in[1]);
        },
        node.describe()));
  }
  a.query = viewByRow(g, all, a.columns, g.number(0));
  a.key = viewByRow(g, all, a.columns, queryWidth);
  a.value = viewByRow(g, all, a.valueColumns, g.mul(queryWidth, 2));
  return success();
}

/// Keys and values of before and now in one buffer [2, batch, heads, keys,
/// columns].
LogicalResult AttentionNode::join() {
  bool hasPast = node.hasInput(Past);
  pastKeys = hasPast ? node.input(Past).dims[3] : g.number(0);
  a.keys = g.add(pastKeys, newKeys);
  if (!hasPast && !node.needsResult(1))
    return success();
  demand(g.equal(a.columns, a.valueColumns),
         "with a past, keys and values need as many columns");
  Values dims{g.number(2), a.batch, a.heads, a.keys, a.columns};
  Tensor joined = g.allocateTensor(node.input(Data).type, dims);
  auto part = [&](const Tensor &tensor, int64_t number) {
    Tensor half = g.reshaped(tensor, ArrayRef(tensor.dims).drop_front());
    Heads view = viewByHead(g, half);
    view.offset = g.mul(g.product(half.dims), number);
    return view;
  };
  if (hasPast)
    demandDims(Past, {g.number(2), a.batch, a.heads, pastKeys, a.columns});
  for (auto [number, view] : {std::pair(0, &a.key), std::pair(1, &a.value)}) {
    CacheRows rows{std::nullopt, *view,    a.batch, a.heads,
                   a.columns,    pastKeys, newKeys};
    if (hasPast)
      rows.past = part(node.buffer(Past), number);
    *view = part(joined, number);
    joinRows(g, rows, *view);
  }
  node.setResult(1, joined);
  return success();
}

LogicalResult AttentionNode::emit() {
  if (failed(readAttributes()) || failed(checkInputs()) || failed(project()) ||
      failed(join()) || failed(readMask(Mask)) || failed(readBias(ScoreBias_)))
    return failure();
  emitCore();
  return success();
}

static LogicalResult emitMultiHeadAttention(Node &node) {
  return MultiHeadAttentionNode(node).emit();
}

static LogicalResult emitContribAttention(Node &node) {
  return AttentionNode(node).emit();
}

static const OperatorRow rows[] = {
    {"Attention", emitContribAttention, 2, 7, 1, 2, 1, INT64_MAX,
     "com.microsoft"},
    {"MultiHeadAttention", emitMultiHeadAttention, 1, 10, 1, 4, 1, INT64_MAX,
     "com.microsoft"},
};

ArrayRef<OperatorRow> multiHeadAttentionOperators() { return rows; }

} // namespace llmopt::graph
