//===- Lines.cpp - Loops over the lines of a tensor -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Lines.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace llmopt::graph {

LineShape linesAlong(GraphBuilder &g, const Tensor &tensor, int64_t first,
                     int64_t last) {
  ArrayRef<Value> dims = tensor.dims;
  return {g.product(dims.take_front(first)),
          g.product(dims.slice(first, last - first)),
          g.product(dims.drop_front(last))};
}

bool canReadLanes(const Tensor &tensor) {
  if (tensor.buffer)
    return !tensor.buffer->isPacked && !tensor.type.isMiniFloat();
  return tensor.hasElements ? tensor.elements.size() == 1 : tensor.hasLanes;
}

static bool isReadByIndices(const Tensor &tensor) {
  return tensor.isExpression() && !tensor.isLinear;
}

Tensor readableLines(GraphBuilder &g, const Tensor &tensor, int64_t first,
                     int64_t last) {
  bool isLastDim = first + 1 == last && last == tensor.rank();
  bool isScalars = tensor.hasElements && !tensor.buffer;
  bool isReadable = !isScalars && (isLastDim || !isReadByIndices(tensor));
  return isReadable ? tensor : g.materialize(tensor);
}

LineReader::LineReader(GraphBuilder &g, const Tensor &tensor, const Line &line)
    : g(g), tensor(tensor), line(line) {
  if (isReadByIndices(tensor))
    outer = g.delinearize(line.outer, ArrayRef(tensor.dims).drop_back());
}

Value LineReader::read(Value i, int64_t lanes) const {
  Access access{{}, line.number(i), lanes};
  if (isReadByIndices(tensor)) {
    access.indices = outer;
    access.indices.push_back(i);
  }
  return g.element(tensor, access);
}

Value Line::number(Value i) const {
  Value row = g.add(g.mul(outer, shape.length), i);
  return g.add(g.mul(row, shape.inner), column);
}

Value Line::lineNumber() const {
  return g.add(g.mul(outer, shape.inner), column);
}

void Line::each(llvm::function_ref<void(Value, int64_t)> body) const {
  if (isContiguous)
    return g.vectorLoop(g.number(0), shape.length, hasLanes, body);
  g.loop(shape.length, [&](Value i) { body(i, columns); });
}

bool Line::hasVectors() const {
  std::optional<int64_t> length = g.known(shape.length);
  return isContiguous && hasLanes && !(length && *length < kVectorLanes);
}

bool Line::hasRest() const {
  std::optional<int64_t> length = g.known(shape.length);
  return !hasVectors() || !length || *length % kVectorLanes != 0;
}

Values Line::begin(ValueRange identities) const {
  Values state;
  if (hasVectors())
    for (Value identity : identities)
      state.push_back(g.splat(identity, kVectorLanes));
  if (hasRest())
    for (Value identity : identities)
      state.push_back(g.splat(identity, columns));
  return state;
}

Values Line::advance(ValueRange state, FoldStep step) const {
  auto part = [&](Value from, Value to, int64_t by, int64_t lanes,
                  ValueRange inits) {
    return g.loop(
        from, to, g.number(by), inits,
        [&](Value i, ValueRange carried) { return step(i, lanes, carried); });
  };
  Value zero = g.number(0);
  if (!hasVectors())
    return part(zero, shape.length, 1, columns, state);
  Value whole = g.mul(g.div(shape.length, kVectorLanes), kVectorLanes);
  size_t count = hasRest() ? state.size() / 2 : state.size();
  Values next =
      part(zero, whole, kVectorLanes, kVectorLanes, state.take_front(count));
  if (hasRest())
    next.append(part(whole, shape.length, 1, 1, state.drop_front(count)));
  return next;
}

/// Lanes [first, first + count) of a vector; a scalar if count is 1.
static Value takeLanes(GraphBuilder &g, Value vector, int64_t first,
                       int64_t count) {
  if (count == 1)
    return vector::ExtractOp::create(g.b, g.loc, vector, first);
  SmallVector<int64_t> lanes;
  for (int64_t i = 0; i < count; ++i)
    lanes.push_back(first + i);
  return vector::ShuffleOp::create(g.b, g.loc, vector, vector, lanes);
}

Values Line::end(ValueRange state, FoldJoin join) const {
  if (!hasVectors())
    return Values(state);
  size_t count = hasRest() ? state.size() / 2 : state.size();
  Values result(state.take_front(count));
  for (int64_t half = kVectorLanes / 2; half >= 1; half /= 2) {
    Values low, high;
    for (Value vector : result) {
      low.push_back(takeLanes(g, vector, 0, half));
      high.push_back(takeLanes(g, vector, half, half));
    }
    result = join(low, high);
  }
  return hasRest() ? join(result, state.drop_front(count)) : result;
}

Values Line::fold(ValueRange identities, FoldJoin join, FoldStep step) const {
  return end(advance(begin(identities), step), join);
}

Value Line::spread(Value result, int64_t lanes) const {
  return isContiguous ? g.splat(result, lanes) : result;
}

/// Lines with inner dimensions: blocks of neighbours.
static void forColumns(GraphBuilder &g, const LineShape &shape, bool hasLanes,
                       Value work, llvm::function_ref<void(const Line &)> body,
                       bool isShort) {
  std::optional<int64_t> inner = g.known(shape.inner);
  if (inner && *inner < kVectorLanes)
    hasLanes = false;
  int64_t block = hasLanes ? kLineBlock : 1;
  Value blocks = g.divideCeil(shape.inner, g.number(block));
  Value taskWork = g.mul(g.mul(shape.length, work), block);
  g.parallelFor(g.mul(shape.outer, blocks), taskWork, [&](Value task) {
    Value outer = g.div(task, blocks);
    Value first = g.mul(g.rem(task, blocks), block);
    auto lines = [&](Value column, int64_t columns) {
      body(Line(g, shape, outer, column, columns, /*isContiguous=*/false,
                hasLanes));
    };
    if (!hasLanes)
      return lines(first, 1);
    Value end = g.min(g.add(first, block), shape.inner);
    auto byVectors = [&] {
      g.vectorLoop(first, end, /*hasLanes=*/true, lines);
      return Values();
    };
    if (!isShort || (inner && *inner < kLineBlock)) {
      byVectors();
      return;
    }
    Value isWhole = inner && *inner % kLineBlock == 0
                        ? g.integer(g.b.getI1Type(), 1)
                        : g.equal(g.sub(end, first), kLineBlock);
    auto whole = [&] {
      lines(first, kLineBlock);
      return Values();
    };
    g.ifElse(isWhole, {}, whole, byVectors);
  });
}

void forLines(GraphBuilder &g, const LineShape &shape, bool hasLanes,
              Value work, llvm::function_ref<void(const Line &)> body,
              bool isShort) {
  if (!g.isKnown(shape.inner, 1))
    return forColumns(g, shape, hasLanes, work, body, isShort);
  g.parallelFor(shape.outer, g.mul(shape.length, work), [&](Value outer) {
    body(
        Line(g, shape, outer, g.number(0), 1, /*isContiguous=*/true, hasLanes));
  });
}

} // namespace llmopt::graph
