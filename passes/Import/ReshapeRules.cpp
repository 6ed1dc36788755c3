//===- ReshapeRules.cpp - Reshape and Flatten as index functions ----------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/IndexRules.h"
#include "passes/Import/ONNXMatch.h"

using namespace mlir;

namespace llmopt {

using symbolic::Context;
using symbolic::Expr;
using symbolic::Kind;

static Expr product(ArrayRef<Expr> factors, Context &context) {
  Expr result = context.constant(1);
  for (Expr factor : factors)
    result = context.mul(result, factor);
  return result;
}

namespace {
/// Axes of the operand and of the result that hold the same elements.
struct AxisGroup {
  unsigned fromBegin, fromEnd, toBegin, toEnd;
};
} // namespace

/// Splits two shapes of one size into the smallest groups of equal size that
/// can be proved.
static SmallVector<AxisGroup> groupAxes(ArrayRef<Expr> from, ArrayRef<Expr> to,
                                        Context &context) {
  SmallVector<AxisGroup> groups;
  unsigned i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    AxisGroup group{i, i, j, j};
    Expr left = context.constant(1), right = left;
    auto takeLeft = [&] { left = context.mul(left, from[group.fromEnd++]); };
    auto takeRight = [&] { right = context.mul(right, to[group.toEnd++]); };
    if (i < from.size())
      takeLeft();
    if (j < to.size())
      takeRight();
    while (left != right) {
      bool more = context.provesNonNegative(context.sub(right, left));
      if (more && group.fromEnd < from.size())
        takeLeft();
      else if (group.toEnd < to.size())
        takeRight();
      else if (group.fromEnd < from.size())
        takeLeft();
      else
        break;
    }
    i = group.fromEnd;
    j = group.toEnd;
    groups.push_back(group);
  }
  return groups;
}

/// The indices of the operand for an element of the result of a reshape.
static SmallVector<Expr> reshapeIndices(ArrayRef<Expr> from, ArrayRef<Expr> to,
                                        ArrayRef<Expr> indices,
                                        Context &context) {
  SmallVector<Expr> result(from.size(), context.constant(0));
  for (const AxisGroup &group : groupAxes(from, to, context)) {
    Expr linear = context.constant(0);
    for (unsigned axis = group.toBegin; axis < group.toEnd; ++axis)
      linear = context.add(context.mul(linear, to[axis]), indices[axis]);
    for (unsigned axis = group.fromEnd; axis-- > group.fromBegin;) {
      if (axis == group.fromBegin) {
        result[axis] = linear;
        break;
      }
      result[axis] = context.modulo(linear, from[axis]);
      linear = context.floorDiv(linear, from[axis]);
    }
  }
  return result;
}

/// Fills in the dimensions that a shape operand leaves to the reshape: -1 for
/// the rest, and 0 for "as before" unless `allowZero`.
static bool resolveShape(SmallVectorImpl<Expr> &shape, ArrayRef<Expr> from,
                         bool allowZero, Context &context) {
  Expr *rest = nullptr;
  SmallVector<Expr> known;
  for (auto [axis, dimension] : llvm::enumerate(shape)) {
    if (dimension->kind == Kind::Constant && dimension->value == -1) {
      if (rest)
        return false;
      rest = &dimension;
      continue;
    }
    if (dimension->kind == Kind::Constant && dimension->value == 0 &&
        !allowZero) {
      if (axis >= from.size())
        return false;
      dimension = from[axis];
    }
    known.push_back(dimension);
  }
  Expr all = product(from, context), others = product(known, context);
  if (!rest)
    return all && all == others;
  if (!all || !others)
    return false;
  Expr quotient = context.floorDiv(all, others);
  if (!quotient || context.mul(quotient, others) != all)
    return false;
  *rest = quotient;
  return true;
}

static TensorFunction reshape(const TensorFunction &data, ArrayRef<Expr> shape,
                              IndexAnalysis &analysis) {
  TensorFunction result{data.elementType, SmallVector<Expr>(shape), nullptr};
  result.element = analysis.at(data, reshapeIndices(data.shape, shape,
                                                    analysis.getIndices(shape),
                                                    analysis.getContext()));
  return result;
}

bool describeReshape(onnx::NodeOp node, IndexAnalysis &analysis,
                     Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  std::optional<SmallVector<Expr>> shape =
      analysis.getVector(getInput(node, 1));
  if (!data || !shape ||
      !resolveShape(*shape, data->shape, getIntAttr(node, "allowzero", 0),
                    analysis.getContext()))
    return false;
  results.push_back(reshape(*data, *shape, analysis));
  return true;
}

bool describeFlatten(onnx::NodeOp node, IndexAnalysis &analysis,
                     Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data)
    return false;
  int64_t rank = data->shape.size(), axis = getIntAttr(node, "axis", 1);
  if (axis < -rank || axis > rank)
    return false;
  ArrayRef<Expr> shape(data->shape);
  size_t split = axis < 0 ? axis + rank : axis;
  Context &context = analysis.getContext();
  Expr rows = product(shape.take_front(split), context);
  Expr columns = product(shape.drop_front(split), context);
  if (!rows || !columns)
    return false;
  results.push_back(reshape(*data, {rows, columns}, analysis));
  return true;
}

} // namespace llmopt
