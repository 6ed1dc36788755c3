//===- Shapes.cpp - Operators on shapes -------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

static LogicalResult emitIdentity(Node &node) {
  node.setResult(0, node.input(0));
  return success();
}

static LogicalResult emitShape(Node &node) {
  const Tensor &input = node.input(0);
  int64_t rank = input.rank();
  auto clamp = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  int64_t start = clamp(node.attribute("start", int64_t(0)));
  int64_t end = clamp(node.attribute("end", rank));
  ArrayRef<Value> dims = input.dims;
  node.setResult(
      0, node.g.vector(dims.slice(start, std::max<int64_t>(end - start, 0))));
  return success();
}

/// Entry `axis` of a Reshape's shape with 0 replaced by the input's dimension.
static FailureOr<Value> copiedDim(Node &node, Value wanted, int64_t axis) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  // A number that is a dimension somewhere stands for itself.
  bool isItself =
      g.known(wanted) ? !g.isKnown(wanted, 0) : g.isDimension(wanted);
  if (node.attribute("allowzero", int64_t(0)) || isItself)
    return wanted;
  if (axis < input.rank())
    return g.select(g.equal(wanted, 0), input.dims[axis], wanted);
  if (g.isKnown(wanted, 0))
    return node.refuse("shape entry " + Twine(axis) +
                       " is 0 (copy), but the input has only " +
                       Twine(input.rank()) + " dimensions");
  return wanted;
}

/// The dimensions that Reshape gives: 0 copies one, -1 is inferred.
static FailureOr<Values> reshapedDims(Node &node, ArrayRef<Value> wanted) {
  GraphBuilder &g = node.g;
  Values dims;
  SmallVector<size_t> maybeInferred;
  unsigned inferred = 0;
  for (auto [axis, value] : llvm::enumerate(wanted)) {
    FailureOr<Value> dim = copiedDim(node, value, axis);
    if (failed(dim))
      return failure();
    dims.push_back(*dim);
    std::optional<int64_t> size = g.known(*dim);
    if (size && *size < -1)
      return node.refuse("shape entry " + Twine(axis) + " is " + Twine(*size) +
                         ", expected -1 or more");
    inferred += size == -1;
    if (!g.isDimension(*dim))
      maybeInferred.push_back(axis);
  }
  if (inferred > 1)
    return node.refuse("more than one shape entry is -1");
  for (size_t axis : maybeInferred) {
    Values others = dims;
    others.erase(others.begin() + axis);
    // Another entry that may be -1, too, is taken for 1.
    for (Value &other : others)
      if (!g.isDimension(other))
        other = g.max(other, 1);
    Value divisor = g.product(others);
    Value rest = g.known(divisor) == 0 ? g.number(0)
                                       : g.quotient(node.input(0).dims, others);
    if (!g.known(divisor) && !g.known(dims[axis]))
      rest = g.div(g.count(node.input(0)), g.max(divisor, 1));
    dims[axis] = g.select(g.equal(dims[axis], -1), rest, dims[axis]);
    g.markDimension(dims[axis]);
  }
  return dims;
}

static LogicalResult emitReshape(Node &node) {
  GraphBuilder &g = node.g;
  std::optional<Values> wanted = node.elements(1);
  if (!wanted)
    return node.refuse("the number of dimensions of its result is not known; "
                       "the length of the shape has to be fixed");
  FailureOr<Values> dims = reshapedDims(node, *wanted);
  if (failed(dims))
    return failure();
  Value before = g.count(node.input(0)), after = g.product(*dims);
  std::optional<int64_t> old = g.known(before), now = g.known(after);
  if (old && now && *old != *now)
    return node.refuse("cannot make " + Twine(*now) + " elements of " +
                       Twine(*old));
  g.require(g.equal(before, after),
            node.describe() + ": the number of elements changes");
  node.setResult(0, g.reshaped(node.input(0), *dims));
  return success();
}

static const OperatorRow rows[] = {
    {"Identity", emitIdentity, 1, 1},
    {"Shape", emitShape, 1, 1},
    {"Reshape", emitReshape, 2, 2, 1, 1, 5},
};

ArrayRef<OperatorRow> shapeOperators() { return rows; }

} // namespace llmopt::graph
