//===- Shapes.cpp - Operators on shapes -------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Movement.h"
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

/// The shape that a Reshape asks for; an attribute before version 5.
static FailureOr<Values> wantedShape(Node &node) {
  if (node.version() >= 5) {
    if (std::optional<Values> wanted = node.elements(1))
      return *wanted;
    return node.refuse("the number of dimensions of its result is not known; "
                       "the length of the shape has to be fixed");
  }
  std::optional<SmallVector<int64_t>> list = node.integers("shape");
  if (!list)
    return node.refuse("attribute shape is missing");
  Values wanted;
  for (int64_t size : *list)
    wanted.push_back(node.g.number(size));
  return wanted;
}

static LogicalResult emitReshape(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Values> wanted = wantedShape(node);
  if (failed(wanted))
    return failure();
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
  bool isSame = dims->size() == node.input(0).dims.size() &&
                llvm::all_of(llvm::zip(*dims, node.input(0).dims), [&](auto p) {
                  return g.same(std::get<0>(p), std::get<1>(p));
                });
  node.setResult(0, isSame ? node.input(0) : g.reshaped(node.input(0), *dims));
  return success();
}

static LogicalResult emitSize(Node &node) {
  Value count = node.g.count(node.input(0));
  node.setResult(0, node.g.scalar(node.g.b.getI64Type(), count));
  return success();
}

static LogicalResult emitFlatten(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  int64_t axis = node.attribute("axis", int64_t(1)), rank = input.rank();
  if (axis < -rank || axis > rank)
    return node.refuse("axis " + Twine(axis) + " is out of range for " +
                       Twine(rank) + " dimensions");
  if (axis < 0)
    axis += rank;
  ArrayRef<Value> dims = input.dims;
  node.setResult(0, g.reshaped(input, {g.product(dims.take_front(axis)),
                                       g.product(dims.drop_front(axis))}));
  return success();
}

/// The input with dimensions of 1 put in or left out: `sources` says for every
/// dimension of the result which one of the input it is, or -1.
static Tensor withUnits(GraphBuilder &g, const Tensor &input,
                        ArrayRef<int64_t> sources) {
  Values dims;
  for (int64_t axis : sources)
    dims.push_back(axis < 0 ? g.number(1) : input.dims[axis]);
  if (!input.isExpression() || input.isLinear)
    return g.reshaped(input, dims);
  bool keepsLast =
      !sources.empty() && sources.back() == int64_t(input.rank()) - 1;
  // Vectors of the input could not be asked for any more.
  if (!keepsLast && input.hasLanes && !g.isKnown(input.dims.back(), 1))
    return g.reshaped(input, dims);
  SmallVector<int64_t> from(sources);
  size_t rank = input.rank();
  return moved(g, input, dims, keepsLast,
               [=](GraphBuilder &g, ArrayRef<Value> indices) {
                 Values own(rank, g.number(0));
                 for (auto [axis, index] : llvm::zip_equal(from, indices))
                   if (axis >= 0)
                     own[axis] = index;
                 return own;
               });
}

/// The dimension of number `position` of those for which `isTaken` holds.
static Value dimAt(GraphBuilder &g, ArrayRef<Value> dims,
                   ArrayRef<Value> isTaken, Value position) {
  Value before = g.number(0), result = g.number(1);
  for (auto [dim, taken] : llvm::zip_equal(dims, isTaken)) {
    Value isIt = g.logicalAnd(taken, g.equal(before, position));
    result = g.select(isIt, dim, result);
    before = g.add(before, g.select(taken, g.number(1), g.number(0)));
  }
  return result;
}

/// For every dimension, if the axes have it.
static Values areAxes(GraphBuilder &g, ArrayRef<Value> axes, int64_t rank) {
  Values result;
  for (int64_t axis = 0; axis < rank; ++axis) {
    Value isAxis = g.integer(g.b.getI1Type(), 0);
    for (Value own : axes)
      isAxis = g.logicalOr(isAxis, g.equal(own, axis));
    result.push_back(isAxis);
  }
  return result;
}

static LogicalResult emitUnsqueeze(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  auto given = attributeOrInput(node, "axes", 1);
  if (failed(given))
    return failure();
  if (!*given)
    return node.refuse("axes are missing");
  int64_t rank = input.rank() + (*given)->size();
  auto axes = axesOf(node, "axes", 1, rank);
  if (failed(axes))
    return failure();
  bool areKnown = llvm::all_of(**axes, [&](Value v) { return g.known(v); });
  if (areKnown) {
    SmallVector<int64_t> sources;
    int64_t next = 0;
    for (int64_t axis = 0; axis < rank; ++axis)
      sources.push_back(llvm::is_contained(**axes, g.number(axis)) ? -1
                                                                   : next++);
    node.setResult(0, withUnits(g, input, sources));
    return success();
  }
  Values dims, isAdded = areAxes(g, **axes, rank);
  Values all(input.rank(), g.integer(g.b.getI1Type(), 1));
  Value before = g.number(0);
  for (Value added : isAdded) {
    Value own = dimAt(g, input.dims, all, before);
    dims.push_back(g.select(added, g.number(1), own));
    before = g.add(before, g.select(added, g.number(0), g.number(1)));
  }
  g.require(g.equal(before, input.rank()),
            node.describe() + ": an axis is there twice");
  node.setResult(0, g.reshaped(input, dims));
  return success();
}

/// The dimensions that a Squeeze without axes drops.
static FailureOr<Values> unitAxes(Node &node) {
  GraphBuilder &g = node.g;
  Values dropped;
  for (auto [axis, dim] : llvm::enumerate(node.input(0).dims)) {
    if (!g.known(dim))
      return node.refuse("dimension " + Twine(axis) +
                         " is not known, so that it is not known either "
                         "whether it is dropped; give the axes");
    if (g.isKnown(dim, 1))
      dropped.push_back(g.number(axis));
  }
  return dropped;
}

static LogicalResult emitSqueeze(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  int64_t rank = input.rank();
  auto axes = axesOf(node, "axes", 1, rank);
  if (failed(axes))
    return failure();
  FailureOr<Values> dropped = *axes ? **axes : unitAxes(node);
  if (failed(dropped))
    return failure();
  Values isDropped = areAxes(g, *dropped, rank), isKept, dims;
  SmallVector<int64_t> sources;
  bool areKnown = true;
  for (auto [axis, drops] : llvm::enumerate(isDropped)) {
    std::optional<int64_t> size = g.known(input.dims[axis]);
    if (g.knownBool(drops) == true && size && *size != 1)
      return node.refuse("dimension " + Twine(axis) + " is " + Twine(*size) +
                         ", expected 1");
    Value isOne = g.equal(input.dims[axis], 1);
    g.require(g.logicalOr(g.logicalNot(drops), isOne),
              node.describe() + ": a dimension to drop is not 1");
    isKept.push_back(g.logicalNot(drops));
    areKnown = areKnown && g.knownBool(drops);
    if (g.knownBool(drops) == false)
      sources.push_back(axis);
  }
  if (areKnown) {
    node.setResult(0, withUnits(g, input, sources));
    return success();
  }
  for (int64_t i = 0; i < rank - int64_t(dropped->size()); ++i)
    dims.push_back(dimAt(g, input.dims, isKept, g.number(i)));
  node.setResult(0, g.reshaped(input, dims));
  return success();
}

static LogicalResult emitConstant(Node &node) {
  return node.refuse("only dense tensors of numbers can be constants");
}

static const OperatorRow rows[] = {
    {"Constant", emitConstant, 0, 0},
    {"Flatten", emitFlatten, 1, 1},
    {"Identity", emitIdentity, 1, 1},
    {"Reshape", emitReshape, 2, 2, 1, 1, 5},
    {"Reshape", emitReshape, 1, 1, 1, 1, 1, 4},
    {"Shape", emitShape, 1, 1},
    {"Size", emitSize, 1, 1},
    {"Squeeze", emitSqueeze, 1, 2},
    {"Unsqueeze", emitUnsqueeze, 1, 2},
};

ArrayRef<OperatorRow> shapeOperators() { return rows; }

} // namespace llmopt::graph
