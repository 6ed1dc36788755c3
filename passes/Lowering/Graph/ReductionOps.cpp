//===- ReductionOps.cpp - Reducing operators --------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reductions.h"

using namespace mlir;

namespace llmopt::graph {

/// The axes of a node, from an attribute or an input; nullopt: not given.
static FailureOr<std::optional<Values>> axesOf(Node &node) {
  GraphBuilder &g = node.g;
  if (std::optional<SmallVector<int64_t>> axes = node.integers("axes")) {
    Values numbers;
    for (int64_t axis : *axes)
      numbers.push_back(g.number(axis));
    return std::optional<Values>(numbers);
  }
  if (!node.hasInput(1))
    return std::optional<Values>();
  if (failed(node.requireType(1, g.b.getI64Type())))
    return failure();
  std::optional<Values> axes = node.elements(1);
  if (!axes)
    return node.refuse("the number of its axes is not known; export the model "
                       "with constant axes");
  return axes;
}

/// For every dimension whether it is one of the axes.
static FailureOr<Values> reducedDims(Node &node, ArrayRef<Value> axes) {
  GraphBuilder &g = node.g;
  int64_t rank = node.input(0).rank();
  Values isReduced(rank, g.integer(g.b.getI1Type(), 0));
  for (Value axis : axes) {
    if (std::optional<int64_t> value = g.known(axis)) {
      FailureOr<int64_t> place = node.axis(*value, rank);
      if (failed(place))
        return failure();
      isReduced[*place] = g.integer(g.b.getI1Type(), 1);
      continue;
    }
    g.require(
        g.logicalAnd(g.less(g.number(-rank - 1), axis), g.less(axis, rank)),
        node.describe() + ": an axis is out of range");
    for (int64_t place = 0; place < rank; ++place) {
      Value isHere =
          g.logicalOr(g.equal(axis, place), g.equal(axis, place - rank));
      isReduced[place] = g.logicalOr(isReduced[place], isHere);
    }
  }
  return isReduced;
}

/// The dimensions without those that are reduced, which are of `axes` places.
static Values keptDims(Node &node, ArrayRef<Value> isReduced, size_t axes) {
  GraphBuilder &g = node.g;
  ArrayRef<Value> dims = node.input(0).dims;
  bool isKnown = llvm::all_of(
      isReduced, [&](Value c) { return g.knownBool(c).has_value(); });
  Values kept;
  if (isKnown) {
    for (auto [dim, condition] : llvm::zip_equal(dims, isReduced))
      if (!*g.knownBool(condition))
        kept.push_back(dim);
    return kept;
  }
  size_t count = dims.size() > axes ? dims.size() - axes : 0;
  kept.assign(count, g.number(1));
  Value place = g.number(0);
  for (auto [dim, condition] : llvm::zip_equal(dims, isReduced)) {
    for (size_t i = 0; i < count; ++i) {
      Value isHere =
          g.logicalAnd(g.logicalNot(condition), g.equal(place, int64_t(i)));
      kept[i] = g.select(isHere, dim, kept[i]);
    }
    place = g.add(place, g.select(condition, g.number(0), g.number(1)));
  }
  g.require(g.equal(place, int64_t(count)),
            node.describe() + ": an axis is given twice");
  return kept;
}

template <ReduceKind kind> static LogicalResult emitReduce(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  bool isOrder = kind == ReduceKind::Max || kind == ReduceKind::Min;
  if (input.type.isBool() && !isOrder)
    return node.refuse("its input has element type bool");
  FailureOr<std::optional<Values>> axes = axesOf(node);
  if (failed(axes))
    return failure();
  Values given = axes->value_or(Values());
  if (given.empty() && !node.attribute("noop_with_empty_axes", int64_t(0)))
    for (int64_t axis = 0; axis < input.rank(); ++axis)
      given.push_back(g.number(axis));
  FailureOr<Values> isReduced = reducedDims(node, given);
  if (failed(isReduced))
    return failure();
  Tensor result = reduceTensor(g, input, *isReduced, kind);
  if (!node.attribute("keepdims", int64_t(1)))
    result = g.reshaped(result, keptDims(node, *isReduced, given.size()));
  node.setResult(0, result);
  return success();
}

template <ReduceKind kind> static LogicalResult emitGlobalPool(Node &node) {
  const Tensor &input = node.input(0);
  if (input.rank() < 3)
    return node.refuse("its input has " + Twine(input.rank()) +
                       " dimensions, expected at least 3");
  if (failed(node.requireFloat(0)))
    return failure();
  node.setResult(0, reduceTensor(node.g, input, 2, input.rank(), kind));
  return success();
}

static const OperatorRow rows[] = {
    {"ReduceSum", emitReduce<ReduceKind::Sum>, 1, 2},
    {"ReduceMean", emitReduce<ReduceKind::Mean>, 1, 2},
    {"ReduceMax", emitReduce<ReduceKind::Max>, 1, 2},
    {"ReduceMin", emitReduce<ReduceKind::Min>, 1, 2},
    {"ReduceProd", emitReduce<ReduceKind::Prod>, 1, 2},
    {"ReduceL1", emitReduce<ReduceKind::L1>, 1, 2},
    {"ReduceLogSum", emitReduce<ReduceKind::LogSum>, 1, 2},
    {"ReduceLogSumExp", emitReduce<ReduceKind::LogSumExp>, 1, 2},
    {"ReduceL2", emitReduce<ReduceKind::L2>, 1, 2},
    {"ReduceSumSquare", emitReduce<ReduceKind::SumSquare>, 1, 2},
    {"GlobalAveragePool", emitGlobalPool<ReduceKind::Mean>, 1, 1},
    {"GlobalMaxPool", emitGlobalPool<ReduceKind::Max>, 1, 1},
};

ArrayRef<OperatorRow> reductionOperators() { return rows; }

} // namespace llmopt::graph
