//===- LayoutRules.cpp - Operators that move elements -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/IndexAnalysis.h"
#include "passes/Import/ONNXMatch.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace llmopt {

using symbolic::Context;
using symbolic::Expr;
using symbolic::Kind;
using Results = SmallVectorImpl<TensorFunction>;

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

static bool describeGather(onnx::NodeOp node, IndexAnalysis &analysis,
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

static bool describeGatherND(onnx::NodeOp node, IndexAnalysis &analysis,
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

static bool describeSlice(onnx::NodeOp node, IndexAnalysis &analysis,
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

static bool describeSplit(onnx::NodeOp node, IndexAnalysis &analysis,
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

bool describeReshape(onnx::NodeOp node, IndexAnalysis &analysis,
                     Results &results);
bool describeFlatten(onnx::NodeOp node, IndexAnalysis &analysis,
                     Results &results);

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
