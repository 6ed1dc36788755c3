//===- LayoutRules.cpp - Operators that move elements -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/IndexRules.h"
#include "passes/Import/ONNXMatch.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace llmopt {

using symbolic::Context;
using symbolic::Expr;
using symbolic::Kind;

/// True when `axis` is known to be 1 long.
static bool isUnit(Expr dimension) {
  return dimension->kind == Kind::Constant && dimension->value == 1;
}

static bool describeShape(onnx::NodeOp node, IndexAnalysis &analysis,
                          Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data)
    return false;
  int64_t rank = data->shape.size();
  auto clamp = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  int64_t start = clamp(getIntAttr(node, "start", 0));
  int64_t end = std::max(start, clamp(getIntAttr(node, "end", rank)));
  ArrayRef<Expr> part = ArrayRef(data->shape).slice(start, end - start);
  results.push_back({IntegerType::get(node.getContext(), 64),
                     {analysis.getContext().constant(part.size())},
                     analysis.makeVector(part)});
  return true;
}

/// The axes of Squeeze and Unsqueeze: an attribute up to opset 12, then an
/// input. Nullopt when they are not constant.
static std::optional<SmallVector<int64_t>>
getAxes(onnx::NodeOp node, IndexAnalysis &analysis, int64_t rank) {
  SmallVector<int64_t> axes;
  if (auto attribute = node.getNodeAttr<DenseI64ArrayAttr>("axes"))
    axes = SmallVector<int64_t>(attribute.asArrayRef());
  else if (std::optional<SmallVector<int64_t>> numbers =
               analysis.getNumbers(getInput(node, 1)))
    axes = *numbers;
  else
    return std::nullopt;
  for (int64_t &axis : axes) {
    std::optional<int64_t> normal = normalizeAxis(axis, rank);
    if (!normal)
      return std::nullopt;
    axis = *normal;
  }
  return axes;
}

static bool describeUnsqueeze(onnx::NodeOp node, IndexAnalysis &analysis,
                              Results &results) {
  Context &context = analysis.getContext();
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data)
    return false;
  // The axes count in the result, so their number must be known first.
  Value axesInput = getInput(node, 1);
  auto attribute = node.getNodeAttr<DenseI64ArrayAttr>("axes");
  std::optional<SmallVector<int64_t>> numbers = analysis.getNumbers(axesInput);
  if (!attribute && !numbers)
    return false;
  int64_t rank = data->shape.size() +
                 (attribute ? attribute.size() : int64_t(numbers->size()));
  std::optional<SmallVector<int64_t>> axes = getAxes(node, analysis, rank);
  if (!axes)
    return false;
  TensorFunction result{data->elementType, {}, nullptr};
  size_t next = 0;
  for (int64_t axis = 0; axis < rank; ++axis) {
    bool added = llvm::is_contained(*axes, axis);
    if (!added && next == data->shape.size())
      return false;
    result.shape.push_back(added ? context.constant(1) : data->shape[next++]);
  }
  SmallVector<Expr> from;
  for (auto [axis, index] : llvm::enumerate(analysis.getIndices(result.shape)))
    if (!llvm::is_contained(*axes, int64_t(axis)))
      from.push_back(index);
  result.element = analysis.at(*data, from);
  results.push_back(std::move(result));
  return true;
}

static bool describeSqueeze(onnx::NodeOp node, IndexAnalysis &analysis,
                            Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data)
    return false;
  SmallVector<int64_t> axes;
  if (getInput(node, 1) || node.getNodeAttr("axes")) {
    std::optional<SmallVector<int64_t>> given =
        getAxes(node, analysis, data->shape.size());
    if (!given)
      return false;
    axes = *given;
  } else {
    for (auto [axis, dimension] : llvm::enumerate(data->shape))
      if (isUnit(dimension))
        axes.push_back(axis);
  }
  TensorFunction result{data->elementType, {}, nullptr};
  for (auto [axis, dimension] : llvm::enumerate(data->shape))
    if (!llvm::is_contained(axes, int64_t(axis)))
      result.shape.push_back(dimension);
  SmallVector<Expr> own = analysis.getIndices(result.shape), from;
  size_t next = 0;
  for (size_t axis = 0; axis < data->shape.size(); ++axis)
    from.push_back(llvm::is_contained(axes, int64_t(axis))
                       ? analysis.getContext().constant(0)
                       : own[next++]);
  result.element = analysis.at(*data, from);
  results.push_back(std::move(result));
  return true;
}

static bool describeTranspose(onnx::NodeOp node, IndexAnalysis &analysis,
                              Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data)
    return false;
  int64_t rank = data->shape.size();
  SmallVector<int64_t> order =
      llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  if (auto given = node.getNodeAttr<DenseI64ArrayAttr>("perm"))
    order = SmallVector<int64_t>(given.asArrayRef());
  SmallVector<int64_t> sorted(order);
  llvm::sort(sorted);
  if (!llvm::equal(sorted, llvm::seq<int64_t>(0, rank)))
    return false;
  TensorFunction result{data->elementType, {}, nullptr};
  for (int64_t axis : order)
    result.shape.push_back(data->shape[axis]);
  SmallVector<Expr> from(rank, nullptr);
  for (auto [axis, index] : llvm::enumerate(analysis.getIndices(result.shape)))
    from[order[axis]] = index;
  result.element = analysis.at(*data, from);
  results.push_back(std::move(result));
  return true;
}

static bool describeExpand(onnx::NodeOp node, IndexAnalysis &analysis,
                           Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  std::optional<SmallVector<Expr>> wanted =
      analysis.getVector(getInput(node, 1));
  if (!data || !wanted)
    return false;
  std::optional<SmallVector<Expr>> shape =
      analysis.broadcast(data->shape, *wanted);
  if (!shape)
    return false;
  TensorFunction result{data->elementType, *shape, nullptr};
  result.element = analysis.atBroadcast(*data, analysis.getIndices(*shape));
  results.push_back(std::move(result));
  return true;
}

static bool describeConcat(onnx::NodeOp node, IndexAnalysis &analysis,
                           Results &results) {
  Context &context = analysis.getContext();
  SmallVector<const TensorFunction *> parts;
  for (Value input : node.getInputs())
    parts.push_back(analysis.lookup(input));
  if (parts.empty() || llvm::is_contained(parts, nullptr))
    return false;
  TensorFunction result{parts[0]->elementType, parts[0]->shape, nullptr};
  std::optional<int64_t> axis =
      normalizeAxis(getIntAttr(node, "axis", 0), result.shape.size());
  if (!axis)
    return false;
  SmallVector<Expr> starts{context.constant(0)};
  for (const TensorFunction *part : parts) {
    if (part->shape.size() != result.shape.size())
      return false;
    for (auto [other, dimension] : llvm::enumerate(part->shape))
      if (int64_t(other) != *axis && dimension != result.shape[other])
        return false;
    starts.push_back(context.add(starts.back(), part->shape[*axis]));
  }
  result.shape[*axis] = starts.back();
  SmallVector<Expr> indices = analysis.getIndices(result.shape);
  Expr index = indices[*axis];
  for (size_t place = parts.size(); place-- > 0;) {
    indices[*axis] = context.sub(index, starts[place]);
    Expr element = analysis.at(*parts[place], indices);
    result.element =
        place + 1 == parts.size()
            ? element
            : context.select(context.less(index, starts[place + 1]), element,
                             result.element);
  }
  results.push_back(std::move(result));
  return true;
}

static bool describeRange(onnx::NodeOp node, IndexAnalysis &analysis,
                          Results &results) {
  Context &context = analysis.getContext();
  std::optional<SmallVector<Expr>> start =
      analysis.getVector(getInput(node, 0));
  std::optional<SmallVector<Expr>> limit =
      analysis.getVector(getInput(node, 1));
  std::optional<SmallVector<int64_t>> step =
      analysis.getNumbers(getInput(node, 2));
  if (!start || !limit || !step || start->size() != 1 || limit->size() != 1 ||
      step->size() != 1 || step->front() < 1)
    return false;
  Expr delta = context.constant(step->front());
  Expr length =
      context.floorDiv(context.add(context.sub(limit->front(), start->front()),
                                   context.constant(step->front() - 1)),
                       delta);
  length = context.maximum(context.constant(0), length);
  if (!length)
    return false;
  Expr index = context.variable(0, length);
  results.push_back({analysis.lookup(getInput(node, 0))->elementType,
                     {length},
                     context.add(start->front(), context.mul(index, delta))});
  return true;
}

static bool describeConstantOfShape(onnx::NodeOp node, IndexAnalysis &analysis,
                                    Results &results) {
  Context &context = analysis.getContext();
  std::optional<SmallVector<Expr>> shape =
      analysis.getVector(getInput(node, 0));
  if (!shape)
    return false;
  auto value = node.getNodeAttr<DenseElementsAttr>("value");
  if (!value) {
    results.push_back(
        {Float32Type::get(node.getContext()), *shape, context.number(0)});
    return true;
  }
  if (value.getNumElements() != 1)
    return false;
  TensorFunction constant = analysis.describeConstant(node.getResult(0), value);
  results.push_back({value.getElementType(), *shape, constant.element});
  return constant.element->kind != Kind::Load;
}

static bool describeTrilu(onnx::NodeOp node, IndexAnalysis &analysis,
                          Results &results) {
  Context &context = analysis.getContext();
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data || data->shape.size() < 2)
    return false;
  SmallVector<int64_t> diagonal{0};
  if (Value given = getInput(node, 1)) {
    std::optional<SmallVector<int64_t>> numbers = analysis.getNumbers(given);
    if (!numbers || numbers->size() != 1)
      return false;
    diagonal = *numbers;
  }
  SmallVector<Expr> indices = analysis.getIndices(data->shape);
  Expr column = indices.back(), row = indices[indices.size() - 2];
  Expr limit = context.add(row, context.constant(diagonal[0]));
  Expr keeps = getIntAttr(node, "upper", 1)
                   ? context.lessOrEqual(limit, column)
                   : context.lessOrEqual(column, limit);
  Expr zero = isa<FloatType>(data->elementType) ? context.number(0)
              : data->elementType.isInteger(1)  ? context.truth(false)
                                                : context.constant(0);
  results.push_back({data->elementType, data->shape,
                     context.select(keeps, data->element, zero)});
  return true;
}

static bool describeConstantNode(onnx::NodeOp node, IndexAnalysis &analysis,
                                 Results &results) {
  auto value = node.getNodeAttr<TypedAttr>("value");
  if (!value || !isa<DenseElementsAttr, onnx::FileBlobAttr>(value))
    return false;
  results.push_back(analysis.describeConstant(node.getResult(0), value));
  return true;
}

static bool describeSame(onnx::NodeOp node, IndexAnalysis &analysis,
                         Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  if (!data)
    return false;
  results.push_back(*data);
  return true;
}

IndexRule findLayoutRule(onnx::NodeOp node) {
  if (!node.getDomain().empty())
    return nullptr;
  return llvm::StringSwitch<IndexRule>(node.getOpType())
      .Case("Concat", describeConcat)
      .Case("Constant", describeConstantNode)
      .Case("ConstantOfShape", describeConstantOfShape)
      .Case("Expand", describeExpand)
      .Case("Flatten", describeFlatten)
      .Case("Gather", describeGather)
      .Case("GatherND", describeGatherND)
      .Case("Identity", describeSame)
      .Case("Range", describeRange)
      .Case("Reshape", describeReshape)
      .Case("Shape", describeShape)
      .Case("Slice", describeSlice)
      .Case("Split", describeSplit)
      .Case("Squeeze", describeSqueeze)
      .Case("Transpose", describeTranspose)
      .Case("Trilu", describeTrilu)
      .Case("Unsqueeze", describeUnsqueeze)
      .Default(nullptr);
}

} // namespace llmopt
