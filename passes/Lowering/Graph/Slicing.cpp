//===- Slicing.cpp - Operators that cut and extend tensors ------*- C++ -*-===//
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

//===----------------------------------------------------------------------===//
// Slice
//===----------------------------------------------------------------------===//

namespace {
/// What a Slice takes of one dimension: `length` elements from `start` on.
struct Range {
  Value start, step, length;
};
} // namespace

/// value, counted from the end if it is negative, in [0, dim].
static Value clampedBound(GraphBuilder &g, Value value, Value dim) {
  if (std::optional<int64_t> number = g.known(value)) {
    if (*number == INT64_MAX)
      return dim;
    if (*number >= 0)
      return *number == 0 ? value : g.min(value, dim);
    // INT64_MIN plus a dimension does not overflow.
    return g.max(g.add(dim, *number), 0);
  }
  if (g.same(value, dim))
    return dim;
  if (!g.isDimension(value)) {
    value = g.select(g.less(value, 0), g.add(value, dim), value);
    value = g.max(value, 0);
    g.markDimension(value);
  }
  return g.min(value, dim);
}

/// The same for steps back: in [-1, dim - 1].
static Value clampedBackward(GraphBuilder &g, Value value, Value dim) {
  // INT64_MIN stays far below zero.
  value = g.select(g.less(value, 0), g.add(value, dim), value);
  return g.min(g.max(value, -1), g.sub(dim, 1));
}

static FailureOr<Range> sliceRange(Node &node, Value start, Value end,
                                   Value step, Value dim) {
  GraphBuilder &g = node.g;
  if (g.isKnown(step, 0))
    return node.refuse("a step is 0");
  std::optional<int64_t> stride = g.known(step);
  // No dimension is as long; a larger step does the same and may overflow.
  constexpr int64_t kLongest = int64_t(1) << 48;
  if (stride) {
    stride = std::clamp(*stride, -kLongest, kLongest);
    step = g.number(*stride);
  }
  Range range;
  range.step = step;
  auto forward = [&] {
    return Values{clampedBound(g, start, dim), clampedBound(g, end, dim)};
  };
  auto backward = [&] {
    return Values{clampedBackward(g, start, dim), clampedBackward(g, end, dim)};
  };
  if (stride && *stride > 0) {
    Values bounds = forward();
    range.start = bounds[0];
    Value length = g.sub(bounds[1], bounds[0]);
    if (!g.isKnown(bounds[0], 0) && !g.isDimension(length))
      length = g.max(length, 0);
    g.markDimension(length);
    range.length =
        *stride == 1 ? length : g.divideCeil(length, g.number(*stride));
    g.markDimension(range.length);
    return range;
  }
  Values bounds;
  Value isBack, size;
  if (stride) {
    bounds = backward();
    size = g.number(-*stride);
    Value length = g.max(g.sub(bounds[0], bounds[1]), 0);
    range.start = bounds[0];
    range.length = g.div(g.add(length, g.sub(size, 1)), size);
  } else {
    g.require(g.logicalNot(g.equal(step, 0)),
              node.describe() + ": a step is 0");
    isBack = g.less(step, 0);
    Values up = forward(), down = backward();
    range.start = g.select(isBack, down[0], up[0]);
    Value length =
        g.select(isBack, g.sub(down[0], down[1]), g.sub(up[1], up[0]));
    // A step of more than a dimension does the same as one of its length.
    Value most = g.add(dim, 1);
    step = g.min(g.max(step, g.sub(g.number(0), most)), most);
    size = g.max(g.select(isBack, g.sub(g.number(0), step), step), 1);
    range.step = step;
    range.length = g.div(g.add(g.max(length, 0), g.sub(size, 1)), size);
  }
  g.markDimension(range.length);
  return range;
}

/// The ranges of all dimensions.
static FailureOr<SmallVector<Range>> sliceRanges(Node &node) {
  GraphBuilder &g = node.g;
  int64_t rank = node.input(0).rank();
  auto starts = attributeOrInput(node, "starts", 1);
  auto ends = attributeOrInput(node, "ends", 2);
  auto axes = axesOf(node, "axes", 3, rank);
  auto steps = attributeOrInput(node, "steps", 4);
  if (failed(starts) || failed(ends) || failed(axes) || failed(steps))
    return failure();
  if (!*starts || !*ends)
    return node.refuse("starts or ends are missing");
  size_t count = (*starts)->size();
  if (count > size_t(rank))
    return node.refuse("starts has " + Twine(count) + " entries for " +
                       Twine(rank) + " dimensions");
  if (!*axes) {
    *axes = Values();
    for (size_t i = 0; i < count; ++i)
      (*axes)->push_back(g.number(i));
  }
  if (!*steps)
    *steps = Values(count, g.number(1));
  if ((*ends)->size() != count || (*axes)->size() != count ||
      (*steps)->size() != count)
    return node.refuse("starts, ends, axes and steps differ in length");
  SmallVector<Range> ranges;
  for (auto [axis, dim] : llvm::enumerate(node.input(0).dims)) {
    Value start = atAxis(g, **axes, **starts, axis, g.number(0));
    Value end = atAxis(g, **axes, **ends, axis, g.number(INT64_MAX));
    Value step = atAxis(g, **axes, **steps, axis, g.number(1));
    if (g.isKnown(start, 0) && g.isKnown(end, INT64_MAX) &&
        g.isKnown(step, 1)) {
      ranges.push_back({start, step, dim});
      continue;
    }
    FailureOr<Range> range = sliceRange(node, start, end, step, dim);
    if (failed(range))
      return failure();
    ranges.push_back(*range);
  }
  return ranges;
}

static LogicalResult emitSlice(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<SmallVector<Range>> ranges = sliceRanges(node);
  if (failed(ranges))
    return failure();
  Values starts, steps, dims;
  bool isPart = true;
  for (const Range &range : *ranges) {
    starts.push_back(range.start);
    steps.push_back(range.step);
    dims.push_back(range.length);
    isPart = isPart && g.isKnown(range.step, 1);
  }
  if (isPart) {
    node.setResult(0, part(g, node.input(0), starts, dims));
    return success();
  }
  bool keepsLanes = g.isKnown(steps.back(), 1);
  node.setResult(0, moved(g, node.input(0), dims, keepsLanes,
                          [=](GraphBuilder &g, ArrayRef<Value> indices) {
                            Values own;
                            for (auto [axis, index] : llvm::enumerate(indices))
                              own.push_back(g.add(starts[axis],
                                                  g.mul(index, steps[axis])));
                            return own;
                          }));
  return success();
}

//===----------------------------------------------------------------------===//
// ReverseSequence
//===----------------------------------------------------------------------===//

static LogicalResult emitReverseSequence(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  int64_t batch = node.attribute("batch_axis", int64_t(1));
  int64_t time = node.attribute("time_axis", int64_t(0));
  if (batch + time != 1 || batch * time != 0 || input.rank() < 2)
    return node.refuse("batch_axis and time_axis must be 0 and 1 of at least "
                       "two dimensions");
  if (!node.input(1).type.isInteger() || node.input(1).rank() != 1)
    return node.refuse("sequence_lens must be a vector of integers");
  if (node.input(1).isExpression())
    node.buffer(1);
  Tensor lengths = node.input(1);
  g.require(g.equal(lengths.dims[0], input.dims[batch]),
            node.describe() + ": there is not one length per sequence");
  std::string what = node.describe();
  Value most = input.dims[time];
  node.setResult(
      0, moved(g, input, input.dims, /*keepsLanes=*/input.rank() > 2,
               [=](GraphBuilder &g, ArrayRef<Value> indices) {
                 Value length = asNumber(g, lengths.type,
                                         g.element(lengths, {indices[batch]}));
                 Value isWrong =
                     g.logicalOr(g.less(length, 0), g.less(most, length));
                 g.noteError(isWrong, what + ": a length is out of range");
                 length = g.min(g.max(length, 0), most);
                 Values own(indices);
                 Value index = own[time];
                 Value turned = g.sub(g.sub(length, 1), index);
                 own[time] = g.select(g.less(index, length), turned, index);
                 return own;
               }));
  return success();
}

static const OperatorRow rows[] = {
    {"ReverseSequence", emitReverseSequence, 2, 2, 1, 1, 10},
    {"Slice", emitSlice, 3, 5, 1, 1, 10},
    {"Slice", emitSlice, 1, 1, 1, 1, 1, 9},
};

ArrayRef<OperatorRow> slicingOperators() { return rows; }

} // namespace llmopt::graph
