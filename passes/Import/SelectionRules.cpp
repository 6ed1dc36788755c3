//===- SelectionRules.cpp - Operators that select elements ------*- C++ -*-===//
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

/// An index that may count from the end, as an index from the front; null when
/// its sign is not known.
static Expr wrapIndex(Expr index, Expr dimension, Context &context) {
  if (context.provesNonNegative(index))
    return index;
  if (index && context.provesPositive(context.sub(context.constant(0), index)))
    return context.add(index, dimension);
  // What is loaded is an index that the model's caller answers for.
  return index && index->kind == Kind::Load ? index : nullptr;
}

/// True when an index depends on the content of a tensor.
static bool dependsOnData(Expr index) {
  return llvm::any_of(symbolic::collectLeaves(index),
                      [](Expr leaf) { return leaf->kind == Kind::Load; });
}

bool describeGather(onnx::NodeOp node, IndexAnalysis &analysis,
                    Results &results) {
  Context &context = analysis.getContext();
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  const TensorFunction *which = analysis.lookup(getInput(node, 1));
  if (!data || !which)
    return false;
  std::optional<int64_t> axis =
      normalizeAxis(getIntAttr(node, "axis", 0), data->shape.size());
  if (!axis)
    return false;
  TensorFunction result{data->elementType, data->shape, nullptr};
  result.shape.erase(result.shape.begin() + *axis);
  result.shape.insert(result.shape.begin() + *axis, which->shape.begin(),
                      which->shape.end());
  SmallVector<Expr> indices = analysis.getIndices(result.shape);
  ArrayRef<Expr> all(indices);
  Expr place =
      wrapIndex(analysis.at(*which, all.slice(*axis, which->shape.size())),
                data->shape[*axis], context);
  bool computed =
      isa<FloatType>(data->elementType) && place && dependsOnData(place);
  if (place && !computed) {
    SmallVector<Expr> from(all.take_front(*axis));
    from.push_back(place);
    llvm::append_range(from, all.drop_front(*axis + which->shape.size()));
    result.element = analysis.at(*data, from);
  }
  results.push_back(std::move(result));
  return true;
}

bool describeGatherND(onnx::NodeOp node, IndexAnalysis &analysis,
                      Results &results) {
  Context &context = analysis.getContext();
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  const TensorFunction *which = analysis.lookup(getInput(node, 1));
  if (!data || !which || which->shape.empty() ||
      getIntAttr(node, "batch_dims", 0) != 0)
    return false;
  Expr depth = which->shape.back();
  if (depth->kind != Kind::Constant ||
      depth->value > int64_t(data->shape.size()))
    return false;
  TensorFunction result{data->elementType,
                        SmallVector<Expr>(ArrayRef(which->shape).drop_back()),
                        nullptr};
  llvm::append_range(result.shape,
                     ArrayRef(data->shape).drop_front(depth->value));
  SmallVector<Expr> indices = analysis.getIndices(result.shape), from;
  for (int64_t place = 0; place < depth->value; ++place) {
    SmallVector<Expr> at(ArrayRef(indices).take_front(which->shape.size() - 1));
    at.push_back(context.constant(place));
    from.push_back(
        wrapIndex(analysis.at(*which, at), data->shape[place], context));
  }
  llvm::append_range(from,
                     ArrayRef(indices).drop_front(which->shape.size() - 1));
  result.element = analysis.at(*data, from);
  results.push_back(std::move(result));
  return true;
}

/// A bound of a slice as an index in [0, dimension].
static Expr clampBound(Expr bound, Expr dimension, Context &context) {
  Expr zero = context.constant(0);
  if (bound->kind == Kind::Constant) {
    // Sentinels for "to the end" and "from the start".
    constexpr int64_t beyond = int64_t(1) << 31;
    if (bound->value >= beyond - 1)
      return dimension;
    if (bound->value <= -beyond)
      return zero;
    if (bound->value < 0)
      bound = context.add(bound, dimension);
  } else if (!context.provesNonNegative(bound)) {
    return nullptr;
  }
  return context.maximum(zero, context.minimum(bound, dimension));
}

bool describeSlice(onnx::NodeOp node, IndexAnalysis &analysis,
                   Results &results) {
  Context &context = analysis.getContext();
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  std::optional<SmallVector<Expr>> starts =
      analysis.getVector(getInput(node, 1));
  std::optional<SmallVector<Expr>> ends = analysis.getVector(getInput(node, 2));
  if (!data || !starts || !ends || starts->size() != ends->size())
    return false;
  SmallVector<int64_t> axes =
      llvm::to_vector(llvm::seq<int64_t>(0, starts->size()));
  if (Value given = getInput(node, 3)) {
    std::optional<SmallVector<int64_t>> numbers = analysis.getNumbers(given);
    if (!numbers || numbers->size() != starts->size())
      return false;
    axes = *numbers;
  }
  if (Value steps = getInput(node, 4)) {
    std::optional<SmallVector<int64_t>> numbers = analysis.getNumbers(steps);
    if (!numbers || llvm::any_of(*numbers, [](int64_t n) { return n != 1; }))
      return false;
  }
  TensorFunction result{data->elementType, data->shape, nullptr};
  SmallVector<Expr> offsets(data->shape.size(), context.constant(0));
  for (auto [place, given] : llvm::enumerate(axes)) {
    std::optional<int64_t> axis = normalizeAxis(given, data->shape.size());
    if (!axis)
      return false;
    Expr dimension = data->shape[*axis];
    Expr start = clampBound((*starts)[place], dimension, context);
    Expr end = clampBound((*ends)[place], dimension, context);
    Expr length = context.sub(end, start);
    if (!length)
      return false;
    offsets[*axis] = start;
    result.shape[*axis] = context.maximum(context.constant(0), length);
  }
  SmallVector<Expr> from;
  for (auto [index, offset] :
       llvm::zip_equal(analysis.getIndices(result.shape), offsets))
    from.push_back(context.add(index, offset));
  result.element = analysis.at(*data, from);
  results.push_back(std::move(result));
  return true;
}

bool describeSplit(onnx::NodeOp node, IndexAnalysis &analysis,
                   Results &results) {
  Context &context = analysis.getContext();
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data)
    return false;
  std::optional<int64_t> axis =
      normalizeAxis(getIntAttr(node, "axis", 0), data->shape.size());
  if (!axis)
    return false;
  SmallVector<Expr> lengths;
  if (Value given = getInput(node, 1)) {
    std::optional<SmallVector<Expr>> vector = analysis.getVector(given);
    if (!vector)
      return false;
    lengths = *vector;
  } else {
    int64_t count = node.getNumResults();
    Expr dimension = data->shape[*axis];
    if (dimension->kind != Kind::Constant || dimension->value % count)
      return false;
    lengths.assign(count, context.constant(dimension->value / count));
  }
  if (lengths.size() != node.getNumResults())
    return false;
  Expr start = context.constant(0);
  for (Expr length : lengths) {
    TensorFunction part{data->elementType, data->shape, nullptr};
    part.shape[*axis] = length;
    SmallVector<Expr> from = analysis.getIndices(part.shape);
    from[*axis] = context.add(from[*axis], start);
    part.element = analysis.at(*data, from);
    results.push_back(std::move(part));
    start = context.add(start, length);
  }
  return true;
}

} // namespace llmopt
