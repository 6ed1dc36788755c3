//===- Gathering.cpp - Operators that read at given places ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

/// An element of a tensor of indices, as a number in [0, size).
static Value indexElement(GraphBuilder &g, const Tensor &indices,
                          ArrayRef<Value> place, Value size,
                          const std::string &what) {
  Value index = asNumber(g, indices.type, g.element(indices, Values(place)));
  return checkedIndex(g, index, size, what);
}

/// The dimensions of a Gather's result.
static Values gatherDims(const Tensor &data, const Tensor &indices,
                         int64_t axis) {
  ArrayRef<Value> all = data.dims;
  Values dims(all.take_front(axis));
  dims.append(indices.dims);
  dims.append(all.begin() + axis + 1, all.end());
  return dims;
}

/// A known element of `indices` that is out of range is an error now.
static LogicalResult checkKnownIndices(Node &node, const Tensor &indices,
                                       Value dim) {
  GraphBuilder &g = node.g;
  std::optional<int64_t> size = g.known(dim);
  std::optional<SmallVector<int64_t>> list = g.integersOf(indices);
  if (!size || !list)
    return success();
  for (int64_t index : *list)
    if (index < -*size || index >= *size)
      return node.refuse("index " + Twine(index) +
                         " is out of range for a "
                         "dimension of " +
                         Twine(*size));
  return success();
}

static LogicalResult emitGather(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<int64_t> checked =
      node.axis(node.attribute("axis", int64_t(0)), node.input(0).rank());
  if (failed(checked))
    return failure();
  int64_t axis = *checked;
  const Tensor &data = node.input(0);
  // Indices are read once per row or more.
  if (node.input(1).isExpression() && !node.elements(1))
    node.buffer(1);
  Tensor indices = node.input(1);
  if (!indices.type.isInteger())
    return node.refuse("indices must be integers");
  Value size = data.dims[axis];
  if (failed(checkKnownIndices(node, indices, size)))
    return failure();
  if (indices.hasElements)
    indices.buffer = indices.elements.size() > 4 ? indices.buffer : nullptr;
  std::string what = node.describe();
  Values dims = gatherDims(data, indices, axis);
  g.require(
      g.logicalOr(g.less(g.number(0), size), g.equal(g.count(indices), 0)),
      what + ": there is nothing to gather from");
  // One slice of the outermost dimension: a view.
  bool isOne = indices.rank() == 0 && indices.hasElements;
  bool isFirst = g.isKnown(g.product(ArrayRef(data.dims).take_front(axis)), 1);
  if (isOne && isFirst && data.buffer && !data.hasElements &&
      !data.buffer->isPacked) {
    Value index = indexElement(g, indices, {}, size, what);
    Value inner = g.product(ArrayRef(data.dims).drop_front(axis + 1));
    node.setResult(0, viewOf(g, data, g.mul(index, inner), dims));
    return success();
  }
  int64_t places = indices.rank();
  bool keepsLanes = axis + 1 < data.rank();
  node.setResult(0, moved(g, data, dims, keepsLanes,
                          [=](GraphBuilder &g, ArrayRef<Value> at) {
                            Values own(at.take_front(axis));
                            own.push_back(indexElement(g, indices,
                                                       at.slice(axis, places),
                                                       size, what));
                            own.append(at.begin() + axis + places, at.end());
                            return own;
                          }));
  return success();
}

static LogicalResult emitGatherElements(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &data = node.input(0);
  Tensor indices = node.input(1);
  FailureOr<int64_t> checked =
      node.axis(node.attribute("axis", int64_t(0)), data.rank());
  if (failed(checked))
    return failure();
  if (!indices.type.isInteger())
    return node.refuse("indices must be integers");
  if (indices.rank() != data.rank())
    return node.refuse("indices have " + Twine(indices.rank()) +
                       " dimensions, expected " + Twine(data.rank()));
  int64_t axis = *checked;
  Value size = data.dims[axis];
  if (failed(checkKnownIndices(node, indices, size)))
    return failure();
  std::string what = node.describe();
  Value isEmpty = g.equal(g.count(indices), 0);
  g.require(g.logicalOr(g.less(g.number(0), size), isEmpty),
            what + ": there is nothing to gather from");
  for (int64_t other = 0; other < data.rank(); ++other)
    if (other != axis)
      g.require(g.logicalNot(g.less(data.dims[other], indices.dims[other])),
                what + ": a dimension of indices is larger than that of data");
  node.setResult(0, moved(g, data, indices.dims, /*keepsLanes=*/false,
                          [=](GraphBuilder &g, ArrayRef<Value> at) {
                            Values own(at);
                            own[axis] =
                                indexElement(g, indices, at, size, what);
                            return own;
                          }));
  return success();
}

static LogicalResult emitGatherND(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &data = node.input(0);
  if (node.input(1).isExpression())
    node.buffer(1);
  Tensor indices = node.input(1);
  int64_t batch = node.attribute("batch_dims", int64_t(0));
  if (!indices.type.isInteger() || indices.rank() == 0)
    return node.refuse("indices must be integers, in at least one dimension");
  std::optional<int64_t> depth = g.known(indices.dims.back());
  if (!depth)
    return node.refuse("the last dimension of indices has to be fixed");
  if (batch < 0 || batch >= indices.rank() || batch + *depth > data.rank())
    return node.refuse("indices of " + Twine(*depth) + " entries and " +
                       Twine(batch) + " batch dimensions do not fit data of " +
                       Twine(data.rank()) + " dimensions");
  std::string what = node.describe();
  Values sizes(ArrayRef(data.dims).slice(batch, *depth));
  Values dims(ArrayRef(indices.dims).drop_back());
  Value isEmpty = g.equal(g.product(dims), 0);
  for (int64_t axis = 0; axis < batch; ++axis)
    g.require(g.equal(indices.dims[axis], data.dims[axis]),
              what + ": batch dimensions of its inputs differ");
  for (Value size : sizes)
    g.require(g.logicalOr(g.less(g.number(0), size), isEmpty),
              what + ": there is nothing to gather from");
  dims.append(data.dims.begin() + batch + *depth, data.dims.end());
  int64_t places = indices.rank() - 1;
  bool keepsLanes = batch + *depth < data.rank();
  node.setResult(0, moved(g, data, dims, keepsLanes,
                          [=](GraphBuilder &g, ArrayRef<Value> at) {
                            Values own(at.take_front(batch));
                            Values place(at.take_front(places));
                            place.push_back({});
                            for (auto [i, size] : llvm::enumerate(sizes)) {
                              place.back() = g.number(i);
                              own.push_back(
                                  indexElement(g, indices, place, size, what));
                            }
                            own.append(at.begin() + places, at.end());
                            return own;
                          }));
  return success();
}

//===----------------------------------------------------------------------===//
// Selections whose length depends on the data
//===----------------------------------------------------------------------===//

/// True if an element is not zero.
static Value isNonZero(GraphBuilder &g, ElementType type, Value element) {
  if (type.isBool())
    return element;
  Value zero = g.constant(element.getType(), 0);
  if (type.isFloat())
    return arith::CmpFOp::create(g.b, g.loc, arith::CmpFPredicate::UNE, element,
                                 zero);
  return arith::CmpIOp::create(g.b, g.loc, arith::CmpIPredicate::ne, element,
                               zero);
}

/// How many elements of a buffer are not zero, and their row-major numbers.
static std::pair<Value, Tensor>
nonZeroPlaces(GraphBuilder &g, const Tensor &tensor, Value total) {
  Value zero = g.number(0), one = g.number(1);
  auto isTaken = [&](Value i) {
    return isNonZero(g, tensor.type, g.loadElement(tensor, i));
  };
  Value count = g.loop(total, {zero}, [&](Value i, ValueRange carried) {
    return Values{g.add(carried[0], g.select(isTaken(i), one, zero))};
  })[0];
  g.markDimension(count);
  Tensor places = g.allocateTensor(g.b.getI64Type(), {count});
  g.loop(total, {zero}, [&](Value i, ValueRange carried) {
    Value taken = isTaken(i);
    g.ifThen(taken, [&] { g.storeElement(places, carried[0], i); });
    return Values{g.add(carried[0], g.select(taken, one, zero))};
  });
  return {count, places};
}

static LogicalResult emitNonZero(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.buffer(0);
  auto [count, places] = nonZeroPlaces(g, input, g.count(input));
  // A scalar counts as a vector of one element.
  Values dims = input.rank() ? input.dims : Values{g.number(1)};
  Tensor result = g.allocateTensor(
      g.b.getI64Type(), {g.number(input.rank() ? input.rank() : 0), count});
  if (input.rank() > 0)
    g.parallelFor(count, g.number(16 * input.rank()),
                  [&, n = count, at = places](Value i) {
                    Values indices = g.delinearize(g.loadElement(at, i), dims);
                    for (auto [axis, index] : llvm::enumerate(indices))
                      g.storeElement(result, g.add(g.mul(n, axis), i), index);
                  });
  node.setResult(0, result);
  return success();
}

static LogicalResult emitCompress(Node &node) {
  GraphBuilder &g = node.g;
  if (!node.input(1).type.isBool() || node.input(1).rank() != 1)
    return node.refuse("condition must be a vector of booleans");
  Tensor data = node.input(0);
  int64_t axis = 0;
  if (node.hasAttribute("axis")) {
    FailureOr<int64_t> checked =
        node.axis(node.attribute("axis", int64_t(0)), data.rank());
    if (failed(checked))
      return failure();
    axis = *checked;
  } else {
    data = g.reshaped(data, {g.count(data)});
  }
  const Tensor &condition = node.buffer(1);
  Value length = g.min(g.count(condition), data.dims[axis]);
  auto [count, found] = nonZeroPlaces(g, condition, length);
  Tensor places = found;
  Values dims = data.dims;
  dims[axis] = count;
  bool keepsLanes = axis + 1 < data.rank();
  node.setResult(0, moved(g, data, dims, keepsLanes,
                          [=](GraphBuilder &g, ArrayRef<Value> at) {
                            Values own(at);
                            own[axis] = g.loadElement(places, at[axis]);
                            return own;
                          }));
  return success();
}

//===----------------------------------------------------------------------===//
// OneHot
//===----------------------------------------------------------------------===//

static LogicalResult emitOneHot(Node &node) {
  GraphBuilder &g = node.g;
  ElementType i64 = g.b.getI64Type();
  Tensor indices = node.input(0);
  FailureOr<int64_t> checked =
      node.axis(node.attribute("axis", int64_t(-1)), indices.rank() + 1);
  std::optional<Values> depths = node.elements(1), values = node.elements(2);
  if (failed(checked))
    return failure();
  if (!depths || depths->size() != 1)
    return node.refuse("depth must have one element");
  if (!values || values->size() != 2)
    return node.refuse("values must have two elements: off and on");
  int64_t axis = *checked;
  ElementType depthType = node.input(1).type;
  Value depth = depthType.isFloat()
                    ? castElement(g, depths->front(), depthType, i64)
                    : asNumber(g, depthType, depths->front());
  FailureOr<Value> size = asDimension(node, depth);
  if (failed(size))
    return failure();
  Values dims = indices.dims;
  dims.insert(dims.begin() + axis, *size);
  Value off = (*values)[0], on = (*values)[1];
  // The index is read for every element of the axis.
  if (indices.isExpression())
    indices = node.buffer(0);
  node.setResult(
      0, computed(g, node.input(2).type, dims, {indices}, indices.hasElements,
                  [=](GraphBuilder &g, ArrayRef<Value> at) {
                    Values place(at);
                    place.erase(place.begin() + axis);
                    Value index = g.element(indices, place);
                    index = indices.type.isFloat()
                                ? castElement(g, index, indices.type, i64)
                                : asNumber(g, indices.type, index);
                    index =
                        g.select(g.less(index, 0), g.add(index, *size), index);
                    return g.select(g.equal(index, at[axis]), on, off);
                  }));
  return success();
}

static const OperatorRow rows[] = {
    {"Compress", emitCompress, 2, 2, 1, 1, 9},
    {"Gather", emitGather, 2, 2},
    {"GatherElements", emitGatherElements, 2, 2, 1, 1, 11},
    {"GatherND", emitGatherND, 2, 2, 1, 1, 11},
    {"NonZero", emitNonZero, 1, 1, 1, 1, 9},
    {"OneHot", emitOneHot, 3, 3, 1, 1, 9},
};

ArrayRef<OperatorRow> gatheringOperators() { return rows; }

} // namespace llmopt::graph
