//===- Scattering.cpp - Operators that write at given places ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

/// What an element becomes by an update.
using Update = Value (*)(GraphBuilder &, ElementType, Value old, Value update);

static Value replaceElement(GraphBuilder &, ElementType, Value, Value update) {
  return update;
}

static Value addElement(GraphBuilder &g, ElementType type, Value old,
                        Value update) {
  if (type.isBool())
    return arith::OrIOp::create(g.b, g.loc, old, update);
  return addValues(g, old, update);
}

static Value mulElement(GraphBuilder &g, ElementType type, Value old,
                        Value update) {
  if (type.isBool())
    return arith::AndIOp::create(g.b, g.loc, old, update);
  return mulValues(g, old, update);
}

static FailureOr<Update> updateOf(Node &node) {
  std::string reduction = node.attribute("reduction", StringRef("none"));
  if (reduction == "none")
    return Update(replaceElement);
  if (reduction == "add")
    return Update(addElement);
  if (reduction == "mul")
    return Update(mulElement);
  if (reduction == "max")
    return Update(maxValues);
  if (reduction == "min")
    return Update(minValues);
  return node.refuse("reduction is '" + reduction +
                     "', expected none, add, mul, max or min");
}

/// An index of `tensor` at a row-major place, as a number in [0, size).
static Value indexAt(GraphBuilder &g, const Tensor &tensor, Value place,
                     Value size, const std::string &what) {
  Value index = asNumber(g, tensor.type, g.loadElement(tensor, place));
  return checkedIndex(g, index, size, what);
}

/// The data in memory of its own, to be written to.
static Tensor ownCopy(Node &node) { return node.g.copy(node.input(0)); }

//===----------------------------------------------------------------------===//
// ScatterElements
//===----------------------------------------------------------------------===//

static LogicalResult checkScatter(Node &node) {
  const Tensor &data = node.input(0), &indices = node.input(1);
  if (!indices.type.isInteger())
    return node.refuse("indices must be integers");
  return node.requireType(2, data.type);
}

static LogicalResult emitScatterElements(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Update> update = updateOf(node);
  FailureOr<int64_t> checked =
      node.axis(node.attribute("axis", int64_t(0)), node.input(0).rank());
  if (failed(update) || failed(checked) || failed(checkScatter(node)))
    return failure();
  int64_t axis = *checked, rank = node.input(0).rank();
  if (node.input(1).rank() != rank || node.input(2).rank() != rank)
    return node.refuse("its inputs have different numbers of dimensions");
  Tensor result = ownCopy(node);
  const Tensor &indices = node.buffer(1), &updates = node.buffer(2);
  std::string what = node.describe();
  Value size = result.dims[axis];
  for (int64_t other = 0; other < rank; ++other) {
    g.require(g.equal(indices.dims[other], updates.dims[other]),
              what + ": the dimensions of indices and updates differ");
    if (other != axis)
      g.require(g.logicalNot(g.less(result.dims[other], indices.dims[other])),
                what + ": a dimension of indices is larger than that of data");
  }
  g.require(
      g.logicalOr(g.less(g.number(0), size), g.equal(g.count(indices), 0)),
      what + ": there is nothing to write to");
  // Lines along the axis do not share elements; updates of a line are in order.
  LineShape lines = linesAlong(g, indices, axis, axis + 1);
  Values outer = indices.dims;
  outer.erase(outer.begin() + axis);
  Value strideOfLine = lines.inner;
  g.parallelFor(g.product(outer), g.mul(lines.length, 4), [&](Value line) {
    Values place = g.delinearize(line, outer);
    place.insert(place.begin() + axis, g.number(0));
    Value from = g.linearIndex(place, indices.dims);
    g.loop(lines.length, [&](Value i) {
      Value number = g.add(from, g.mul(i, strideOfLine));
      place[axis] = indexAt(g, indices, number, size, what);
      Value to = g.linearIndex(place, result.dims);
      Value old = g.loadElement(result, to);
      Value next =
          (*update)(g, result.type, old, g.loadElement(updates, number));
      g.storeElement(result, to, next);
    });
  });
  node.setResult(0, result);
  return success();
}

//===----------------------------------------------------------------------===//
// ScatterND
//===----------------------------------------------------------------------===//

/// Number of entries of an index; checks the shapes.
static FailureOr<int64_t> indexDepth(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &data = node.input(0), &indices = node.input(1),
               &updates = node.input(2);
  if (indices.rank() == 0)
    return node.refuse("indices must have at least one dimension");
  std::optional<int64_t> depth = g.known(indices.dims.back());
  if (!depth)
    return node.refuse("the last dimension of indices has to be fixed");
  if (*depth > data.rank())
    return node.refuse("indices of " + Twine(*depth) +
                       " entries do not fit data of " + Twine(data.rank()) +
                       " dimensions");
  Values expected(ArrayRef(indices.dims).drop_back());
  expected.append(data.dims.begin() + *depth, data.dims.end());
  if (int64_t(expected.size()) != updates.rank())
    return node.refuse("updates have " + Twine(updates.rank()) +
                       " dimensions, expected " + Twine(expected.size()));
  for (auto [dim, wanted] : llvm::zip_equal(updates.dims, expected))
    g.require(g.equal(dim, wanted),
              node.describe() + ": the dimensions of updates do not fit");
  return *depth;
}

static LogicalResult emitScatterND(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Update> update = updateOf(node);
  if (failed(update) || failed(checkScatter(node)))
    return failure();
  FailureOr<int64_t> depth = indexDepth(node);
  if (failed(depth))
    return failure();
  Tensor result = ownCopy(node);
  const Tensor &indices = node.buffer(1), &updates = node.buffer(2);
  std::string what = node.describe();
  ArrayRef<Value> sizes = ArrayRef(result.dims).take_front(*depth);
  Value count = g.product(ArrayRef(indices.dims).drop_back());
  Value isEmpty = g.equal(count, 0);
  for (Value size : sizes)
    g.require(g.logicalOr(g.less(g.number(0), size), isEmpty),
              what + ": there is nothing to write to");
  Value slice = g.product(ArrayRef(result.dims).drop_front(*depth));
  bool lanes = canReadLanes(updates) && !result.type.isMiniFloat();
  // Threads share the elements of slices; slices are written in order.
  constexpr int64_t kChunk = 4096;
  Value chunks = g.divideCeil(slice, g.number(kChunk));
  g.parallelFor(chunks, g.mul(count, g.min(slice, kChunk)), [&](Value chunk) {
    Value begin = g.mul(chunk, kChunk);
    Value end = g.min(g.add(begin, kChunk), slice);
    g.loop(count, [&](Value number) {
      Values place;
      for (auto [i, size] : llvm::enumerate(sizes)) {
        Value at = g.add(g.mul(number, *depth), int64_t(i));
        place.push_back(indexAt(g, indices, at, size, what));
      }
      Value to = g.mul(g.linearIndex(place, sizes), slice);
      Value from = g.mul(number, slice);
      g.vectorLoop(begin, end, lanes, [&](Value i, int64_t width) {
        Value next = g.loadElement(updates, g.add(from, i), width);
        Value at = g.add(to, i);
        if (*update != replaceElement)
          next =
              (*update)(g, result.type, g.loadElement(result, at, width), next);
        g.storeElement(result, at, next);
      });
    });
  });
  node.setResult(0, result);
  return success();
}

//===----------------------------------------------------------------------===//
// TensorScatter
//===----------------------------------------------------------------------===//

static LogicalResult checkTensorScatter(Node &node, int64_t axis) {
  GraphBuilder &g = node.g;
  const Tensor &cache = node.input(0), &update = node.input(1);
  if (failed(node.requireType(1, cache.type)))
    return failure();
  if (axis == 0)
    return node.refuse("axis 0 is the batch, expected another one");
  if (cache.rank() != update.rank())
    return node.refuse("its inputs have different numbers of dimensions");
  for (int64_t other = 0; other < cache.rank(); ++other) {
    Value mine = cache.dims[other], theirs = update.dims[other];
    Value fits = other == axis ? g.logicalNot(g.less(mine, theirs))
                               : g.equal(mine, theirs);
    g.require(fits, node.describe() +
                        ": the dimensions of the update do not fit the cache");
  }
  if (!node.hasInput(2))
    return success();
  if (!node.input(2).type.isInteger() || node.input(2).rank() != 1)
    return node.refuse("write_indices must be a vector of integers");
  g.require(g.equal(node.input(2).dims[0], cache.dims[0]),
            node.describe() + ": there is not one write index per sequence");
  return success();
}

static LogicalResult emitTensorScatter(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<int64_t> checked =
      node.axis(node.attribute("axis", int64_t(-2)), node.input(0).rank());
  if (failed(checked) || failed(checkTensorScatter(node, *checked)))
    return failure();
  int64_t axis = *checked;
  std::string mode = node.attribute("mode", StringRef("linear"));
  if (mode != "linear" && mode != "circular")
    return node.refuse("mode is '" + mode + "', expected linear or circular");
  bool isCircular = mode == "circular";
  Tensor result = ownCopy(node);
  const Tensor &update = node.buffer(1);
  if (node.hasInput(2))
    node.buffer(2);
  std::string what = node.describe();
  Value size = result.dims[axis];
  Value inner = g.product(ArrayRef(update.dims).drop_front(axis + 1));
  Values outer(ArrayRef(update.dims).take_front(axis + 1));
  bool lanes = canReadLanes(update) && !result.type.isMiniFloat();
  g.parallelFor(g.product(outer), inner, [&](Value row) {
    Values place = g.delinearize(row, outer);
    Value index = place.back();
    if (node.hasInput(2)) {
      Value start = asNumber(g, node.input(2).type,
                             g.loadElement(node.input(2), place.front()));
      // A cache of no elements has no rows.
      Value turns = g.max(size, 1);
      Value turned = g.add(g.add(g.rem(start, turns), turns), index);
      index = isCircular ? g.rem(turned, turns) : g.add(start, index);
    }
    // Unlike indices of other operators, negative ones do not count from the
    // end.
    Value isWrong =
        g.logicalOr(g.less(index, 0), g.logicalNot(g.less(index, size)));
    g.noteError(isWrong, what + ": a write index is out of range");
    place.back() = g.max(g.min(index, g.sub(size, 1)), 0);
    Value to =
        g.mul(g.linearIndex(place, ArrayRef(result.dims).take_front(axis + 1)),
              inner);
    Value from = g.mul(row, inner);
    g.vectorLoop(g.number(0), inner, lanes, [&](Value i, int64_t width) {
      g.storeElement(result, g.add(to, i),
                     g.loadElement(update, g.add(from, i), width));
    });
  });
  node.setResult(0, result);
  return success();
}

static const OperatorRow rows[] = {
    {"Scatter", emitScatterElements, 3, 3, 1, 1, 9},
    {"ScatterElements", emitScatterElements, 3, 3, 1, 1, 11},
    {"ScatterND", emitScatterND, 3, 3, 1, 1, 11},
    {"TensorScatter", emitTensorScatter, 2, 3, 1, 1, 24},
};

ArrayRef<OperatorRow> scatteringOperators() { return rows; }

} // namespace llmopt::graph
