//===- States.cpp - Operators with a state beside the cache -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Real.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// CausalConvWithState
//===----------------------------------------------------------------------===//

static LogicalResult checkCausalConv(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0), &weights = node.input(1);
  if (failed(node.requireFloat(0)))
    return failure();
  int64_t ranks[] = {3, 3, 1, 3};
  for (size_t i = 0; i < node.inputCount(); ++i) {
    if (!node.hasInput(i))
      continue;
    if (failed(node.requireType(i, input.type)))
      return failure();
    if (node.input(i).rank() != ranks[i])
      return node.refuse("input " + Twine(i) + " has " +
                         Twine(node.input(i).rank()) +
                         " dimensions, expected " + Twine(ranks[i]));
  }
  std::string what = node.describe();
  g.require(g.logicalAnd(g.equal(weights.dims[0], input.dims[1]),
                         g.equal(weights.dims[1], 1)),
            what + ": the weights do not have one channel each");
  g.require(g.less(g.number(0), weights.dims[2]),
            what + ": the kernel is empty");
  if (node.hasInput(2))
    g.require(g.equal(node.input(2).dims[0], input.dims[1]),
              what + ": there is not one bias per channel");
  if (!node.hasInput(3))
    return success();
  Value wanted[] = {input.dims[0], input.dims[1], g.sub(weights.dims[2], 1)};
  for (auto [dim, own] : llvm::zip_equal(node.input(3).dims, wanted))
    g.require(g.equal(dim, own),
              what + ": the dimensions of past_state do not fit");
  return success();
}

/// The state, then the new elements, along the last dimension.
static Tensor extended(Node &node, Value before) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  Values dims = input.dims, starts(3, g.number(0)), past = input.dims;
  dims[2] = g.add(dims[2], before);
  past[2] = before;
  Tensor result = g.allocateTensor(input.type, dims);
  Value zero = g.constant(input.type.compute(), 0);
  writePart(g, result,
            node.hasInput(3) ? node.input(3)
                             : filled(g, input.type, past, zero),
            starts);
  starts[2] = before;
  writePart(g, result, input, starts);
  return result;
}

static LogicalResult emitCausalConv(Node &node) {
  GraphBuilder &g = node.g;
  std::string activation = node.attribute("activation", StringRef("none"));
  if (activation != "none" && activation != "silu" && activation != "swish")
    return node.refuse("activation is '" + activation +
                       "', expected none, silu or swish");
  if (failed(checkCausalConv(node)))
    return failure();
  const Tensor &weights = node.buffer(1);
  if (node.hasInput(2))
    node.buffer(2);
  Value taps = weights.dims[2], before = g.sub(taps, 1);
  Tensor all = extended(node, before);
  Values dims = node.input(0).dims;
  Tensor result = g.allocateTensor(all.type, dims);
  Type type = all.type.compute();
  Value channels = dims[1], length = dims[2];
  g.parallelFor(
      g.mul(dims[0], channels), g.mul(g.mul(length, taps), 2), [&](Value row) {
        Value channel = g.rem(row, g.max(channels, 1));
        Value from = g.mul(row, all.dims[2]), to = g.mul(row, length);
        bool hasLanes = canReadLanes(all) && !all.type.isMiniFloat();
        g.vectorLoop(
            g.number(0), length, hasLanes, [&](Value i, int64_t lanes) {
              Value start = g.constant(GraphBuilder::withLanes(type, lanes), 0);
              if (node.hasInput(2))
                start = g.splat(g.loadElement(node.input(2), channel), lanes);
              Value sum =
                  g.loop(taps, {start}, [&](Value tap, ValueRange carried) {
                    Value at = g.add(g.mul(channel, taps), tap);
                    Real weight(g, g.splat(g.loadElement(weights, at), lanes));
                    Real element(
                        g,
                        g.loadElement(all, g.add(g.add(from, i), tap), lanes));
                    return Values{fma(element, weight, Real(g, carried[0]))};
                  })[0];
              if (activation != "none")
                sum = silu(g, sum);
              g.storeElement(result, g.add(to, i), sum);
            });
      });
  node.setResult(0, result);
  if (node.resultCount() > 1) {
    dims[2] = before;
    node.setResult(1, part(g, all, {g.number(0), g.number(0), length}, dims));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// LinearAttention
//===----------------------------------------------------------------------===//

namespace {
/// Attention without softmax: for every head, a matrix [keys, values] that each
/// step changes and reads.
class LinearAttention {
public:
  explicit LinearAttention(Node &node)
      : node(node), g(node.g),
        rule(node.attribute("update_rule", StringRef("gated_delta"))),
        queryHeads(node.attribute("q_num_heads", int64_t(0))),
        heads(node.attribute("kv_num_heads", int64_t(0))) {}

  LogicalResult check();
  void run();

private:
  bool decays() const { return rule == "gated" || rule == "gated_delta"; }
  bool corrects() const { return rule == "delta" || rule == "gated_delta"; }
  LogicalResult checkRanks();
  void requireShapes();
  void step(Value batch, Value head, Value time, Value memory);
  void decayRow(Value row, Value decay);
  void write(Value batch, Value head, Value time, Value memory);
  void read(Value batch, Value head, Value time);
  Value real(const Tensor &tensor, Value at, int64_t lanes = 1);
  void eachValue(llvm::function_ref<void(Value, int64_t)> body) {
    g.vectorLoop(g.number(0), valueSize, /*hasLanes=*/true, body);
  }

  Node &node;
  GraphBuilder &g;
  const std::string rule;
  const int64_t queryHeads, heads;
  Value batch, length, keySize, valueSize;
  Tensor state;  ///< f32 [batch, heads, keySize, valueSize]
  Tensor result; ///< [batch, length, queryHeads * valueSize]
  Value first;   ///< element of the state of this head
};
} // namespace

static Tensor cast(GraphBuilder &g, const Tensor &tensor, ElementType type) {
  return mapElements(
      g, {tensor}, type,
      [from = tensor.type, type](GraphBuilder &g, ArrayRef<Value> in) {
        return castElement(g, in[0], from, type);
      },
      "");
}

LogicalResult LinearAttention::checkRanks() {
  int64_t ranks[] = {3, 3, 3, 4, 3, 3};
  for (size_t i = 0; i < node.inputCount(); ++i) {
    if (!node.hasInput(i))
      continue;
    if (failed(node.requireFloat(i)))
      return failure();
    if (node.input(i).type.isMiniFloat())
      return node.refuse("input " + Twine(i) +
                         " must have f16, bf16, f32 or f64 elements");
    if (node.input(i).rank() != ranks[i])
      return node.refuse("input " + Twine(i) + " has " +
                         Twine(node.input(i).rank()) +
                         " dimensions, expected " + Twine(ranks[i]));
  }
  return success();
}

LogicalResult LinearAttention::check() {
  if (!decays() && !corrects() && rule != "linear")
    return node.refuse("update_rule is '" + rule +
                       "', expected linear, gated, delta or gated_delta");
  if (heads < 1 || queryHeads < 1 || queryHeads % heads != 0)
    return node.refuse("q_num_heads is " + Twine(queryHeads) +
                       " and kv_num_heads " + Twine(heads) +
                       ", expected a positive multiple and a positive number");
  if (node.hasInput(4) != decays())
    return node.refuse("update_rule '" + rule + "' " +
                       (decays() ? "needs" : "forbids") + " a decay");
  if (node.hasInput(5) != corrects())
    return node.refuse("update_rule '" + rule + "' " +
                       (corrects() ? "needs" : "forbids") + " a beta");
  if (failed(checkRanks()))
    return failure();
  batch = node.input(0).dims[0];
  length = node.input(0).dims[1];
  keySize = g.div(node.input(0).dims[2], queryHeads);
  valueSize = g.div(node.input(2).dims[2], heads);
  requireShapes();
  return success();
}

void LinearAttention::requireShapes() {
  std::string what = node.describe();
  Value lasts[] = {g.mul(keySize, queryHeads), g.mul(keySize, heads),
                   g.mul(valueSize, heads)};
  for (size_t i : {0, 1, 2, 4, 5}) {
    if (i >= node.inputCount() || !node.hasInput(i))
      continue;
    ArrayRef<Value> dims = node.input(i).dims;
    g.require(g.logicalAnd(g.equal(dims[0], batch), g.equal(dims[1], length)),
              what + ": the batches or lengths of its inputs differ");
    Value fits =
        i < 3    ? g.equal(dims[2], lasts[i])
        : i == 4 ? g.logicalOr(g.equal(dims[2], heads),
                               g.equal(dims[2], g.mul(keySize, heads)))
                 : g.logicalOr(g.equal(dims[2], heads), g.equal(dims[2], 1));
    g.require(fits, what + ": the last dimension of input " + Twine(i) +
                        " does not fit the heads");
  }
  if (!node.hasInput(3))
    return;
  Value wanted[] = {batch, g.number(heads), keySize, valueSize};
  for (auto [dim, own] : llvm::zip_equal(node.input(3).dims, wanted))
    g.require(g.equal(dim, own),
              what + ": the dimensions of past_state do not fit");
}

/// Elements as f32.
Value LinearAttention::real(const Tensor &tensor, Value at, int64_t lanes) {
  Value value = g.loadElement(tensor, at, lanes);
  if (!getElementTypeOrSelf(value).isF64())
    return value;
  return arith::TruncFOp::create(
      g.b, g.loc, GraphBuilder::withLanes(g.b.getF32Type(), lanes), value);
}

void LinearAttention::decayRow(Value row, Value decay) {
  eachValue([&](Value i, int64_t lanes) {
    Value at = g.add(row, i);
    Real old(g, g.loadElement(state, at, lanes));
    g.storeElement(state, at, old * Real(g, g.splat(decay, lanes)));
  });
}

/// Adds key x value to the state; the delta rule adds what is missing.
void LinearAttention::write(Value batchIndex, Value head, Value time,
                            Value memory) {
  Type f32 = g.b.getF32Type();
  Value place = g.add(g.mul(batchIndex, length), time);
  Value keys = g.mul(g.add(g.mul(place, heads), head), keySize);
  Value values = g.mul(g.add(g.mul(place, heads), head), valueSize);
  Tensor added = state;
  added.buffer = std::make_shared<Buffer>(memory, /*isOwned=*/false);
  eachValue([&](Value i, int64_t lanes) {
    Real value(g, real(node.input(2), g.add(values, i), lanes));
    if (corrects()) {
      Value zero = g.constant(GraphBuilder::withLanes(f32, lanes), 0);
      Value known = g.loop(keySize, {zero}, [&](Value k, ValueRange sum) {
        Value row = g.add(first, g.mul(k, valueSize));
        Real old(g, g.loadElement(state, g.add(row, i), lanes));
        Real key(g, g.splat(real(node.input(1), g.add(keys, k)), lanes));
        return Values{fma(old, key, Real(g, sum[0]))};
      })[0];
      Value size = node.input(5).dims[2];
      Value own = g.min(head, g.sub(size, 1));
      Value beta = real(node.input(5), g.add(g.mul(place, size), own));
      value = Real(g, g.splat(beta, lanes)) * (value - Real(g, known));
    }
    g.storeElement(added, i, value);
  });
  g.loop(keySize, [&](Value k) {
    Value row = g.add(first, g.mul(k, valueSize));
    Value key = real(node.input(1), g.add(keys, k));
    eachValue([&](Value i, int64_t lanes) {
      Value at = g.add(row, i);
      Real old(g, g.loadElement(state, at, lanes));
      Real value(g, g.loadElement(added, i, lanes));
      g.storeElement(state, at, fma(value, Real(g, g.splat(key, lanes)), old));
    });
  });
}

/// The results of the queries of a head's group.
void LinearAttention::read(Value batchIndex, Value head, Value time) {
  Type f32 = g.b.getF32Type();
  int64_t group = queryHeads / heads;
  double given = node.attribute("scale", 0.0);
  Real size(g, fromNumber(g, keySize, f32));
  Real scale = given == 0 ? 1.0 / squareRoot(size) : size.constant(given);
  Value place = g.add(g.mul(batchIndex, length), time);
  g.loop(g.number(group), [&](Value member) {
    Value query = g.add(g.mul(head, group), member);
    Value row = g.add(g.mul(place, queryHeads), query);
    Value queries = g.mul(row, keySize), to = g.mul(row, valueSize);
    eachValue([&](Value i, int64_t lanes) {
      Value zero = g.constant(GraphBuilder::withLanes(f32, lanes), 0);
      Value sum = g.loop(keySize, {zero}, [&](Value k, ValueRange carried) {
        Value from = g.add(first, g.mul(k, valueSize));
        Real own(g, g.loadElement(state, g.add(from, i), lanes));
        Real factor(g, g.splat(real(node.input(0), g.add(queries, k)), lanes));
        return Values{fma(own, factor, Real(g, carried[0]))};
      })[0];
      Value scaled = Real(g, sum) * Real(g, g.splat(scale, lanes));
      if (result.type.get().isF64())
        scaled = arith::ExtFOp::create(
            g.b, g.loc, GraphBuilder::withLanes(g.b.getF64Type(), lanes),
            scaled);
      g.storeElement(result, g.add(to, i), scaled);
    });
  });
}

void LinearAttention::step(Value batchIndex, Value head, Value time,
                           Value memory) {
  if (decays()) {
    const Tensor &decay = node.input(4);
    Value place = g.add(g.mul(batchIndex, length), time);
    Value base = g.mul(place, decay.dims[2]);
    // One for the head, or one for every key.
    Value isShared = g.equal(decay.dims[2], heads);
    g.loop(keySize, [&](Value k) {
      Value own = g.add(g.mul(head, keySize), k);
      Value at = g.add(base, g.select(isShared, head, own));
      decayRow(g.add(first, g.mul(k, valueSize)), exp(g, real(decay, at)));
    });
  }
  write(batchIndex, head, time, memory);
  read(batchIndex, head, time);
}

void LinearAttention::run() {
  for (size_t i : {0, 1, 2, 4, 5})
    if (i < node.inputCount() && node.hasInput(i))
      node.buffer(i);
  Type f32 = g.b.getF32Type();
  Values dims{batch, g.number(heads), keySize, valueSize};
  ElementType kept = node.hasInput(3) ? node.input(3).type : node.input(0).type;
  Tensor past = filled(g, f32, dims, g.constant(f32, 0));
  if (node.hasInput(3))
    past = cast(g, node.input(3), f32);
  state = g.copy(past);
  result = g.allocateTensor(node.input(0).type,
                            {batch, length, g.mul(valueSize, queryHeads)});
  Value tasks = g.mul(batch, heads);
  Value bytes = g.mul(g.add(valueSize, 16), 4);
  Value memory = g.allocate(g.mul(tasks, bytes));
  Value matrix = g.mul(keySize, valueSize);
  g.parallelFor(tasks, g.mul(g.mul(matrix, length), 4), [&](Value task) {
    first = g.mul(task, matrix);
    Value own = g.at(memory, g.mul(task, bytes));
    g.loop(length, [&](Value time) {
      step(g.div(task, heads), g.rem(task, heads), time, own);
    });
  });
  g.release(memory);
  node.setResult(0, result);
  if (node.resultCount() > 1)
    node.setResult(1, cast(g, state, kept));
}

static LogicalResult emitLinearAttention(Node &node) {
  LinearAttention attention(node);
  if (failed(attention.check()))
    return failure();
  attention.run();
  return success();
}

static const OperatorRow rows[] = {
    {"CausalConvWithState", emitCausalConv, 2, 4, 1, 2, 27},
    {"LinearAttention", emitLinearAttention, 3, 6, 1, 2, 27},
};

ArrayRef<OperatorRow> stateOperators() { return rows; }

} // namespace llmopt::graph
