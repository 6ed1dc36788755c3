//===- Gathering.cpp - Operators that read at given places ------*- C++ -*-===//
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

static const OperatorRow rows[] = {
    {"Gather", emitGather, 2, 2},
};

ArrayRef<OperatorRow> gatheringOperators() { return rows; }

} // namespace llmopt::graph
