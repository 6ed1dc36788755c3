//===- IndexAnalysis.cpp - Tensors as functions of their indices ----------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/IndexAnalysis.h"
#include "passes/Import/ONNXMatch.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace llmopt {

using symbolic::Expr;
using symbolic::Kind;

/// Constants with more elements are read from their attribute where needed.
static constexpr int64_t maxVectorElements = 16;

IndexAnalysis::IndexAnalysis(func::FuncOp function) {
  describeArguments(function);
  for (Operation &op : function.getBody().front()) {
    if (auto initializer = dyn_cast<onnx::InitializerOp>(op))
      functions[initializer.getResult()] =
          describeConstant(initializer.getResult(), initializer.getValue());
    else if (auto node = dyn_cast<onnx::NodeOp>(op))
      describeNode(node);
  }
}

/// True when what is computed from `argument` reaches the angle of a rotation.
static bool reachesRotation(BlockArgument argument) {
  llvm::SetVector<Operation *> reached;
  reached.insert(argument.user_begin(), argument.user_end());
  for (size_t next = 0; next < reached.size(); ++next) {
    auto node = dyn_cast<onnx::NodeOp>(reached[next]);
    if (!node)
      continue;
    if (node.getOpType() == "Cos" || node.getOpType() == "Sin")
      return true;
    reached.insert(node->user_begin(), node->user_end());
  }
  return false;
}

/// True when `value`, reshaped or its sum with a constant, selects rows of a
/// table.
static bool selectsRows(Value value) {
  return llvm::any_of(value.getUses(), [](OpOperand &use) {
    auto node = dyn_cast<onnx::NodeOp>(use.getOwner());
    if (!node)
      return false;
    if (node.getOpType() == "Reshape" && use.getOperandNumber() == 0)
      return selectsRows(node.getResult(0));
    if (node.getOpType() == "Add" &&
        getIntegers(node.getOperand(1 - use.getOperandNumber())))
      return selectsRows(node.getResult(0));
    return node.getOpType() == "Gather" && use.getOperandNumber() == 1;
  });
}

void IndexAnalysis::describeArguments(func::FuncOp function) {
  batch = context.symbol(1);
  sequence = context.symbol(1);
  auto hasPast = [](BlockArgument argument) {
    RankedTensorType type = getFloatTensorType(argument);
    return type && type.getRank() == 4;
  };
  past = llvm::any_of(function.getArguments(), hasPast) ? context.symbol(0)
                                                        : context.constant(0);
  total = context.add(past, sequence);
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    SmallVector<Expr> meaning(type.getRank(), nullptr);
    if (isa<FloatType>(type.getElementType()) && type.getRank() == 4)
      meaning = {batch, nullptr, past, nullptr};
    else if (isa<IntegerType>(type.getElementType()) && type.getRank() == 2)
      meaning = {batch, selectsRows(argument) || reachesRotation(argument)
                            ? sequence
                            : total};
    for (auto [axis, dimension] : llvm::enumerate(type.getShape())) {
      if (!ShapedType::isDynamic(dimension))
        meaning[axis] = context.constant(dimension);
      else if (!meaning[axis])
        meaning[axis] = context.symbol(1);
    }
    functions[argument] = makeBase(argument, type.getElementType(), meaning);
  }
}

/// False for what no dimension can be, as in a Reshape to [-2, -2].
static bool isDimension(Expr expression) {
  return expression &&
         (expression->kind != Kind::Constant || expression->value >= 0);
}

void IndexAnalysis::describeNode(onnx::NodeOp node) {
  if (node.getNumResults() == 0)
    return; // rules may rely on a result
  IndexRule rule = findLayoutRule(node);
  if (!rule)
    rule = findElementwiseRule(node);
  if (!rule)
    rule = findComputationRule(node);
  SmallVector<TensorFunction> results;
  if (!rule || !rule(node, *this, results))
    return;
  for (auto [value, tensor] : llvm::zip(node.getResults(), results)) {
    if (!tensor.elementType || !llvm::all_of(tensor.shape, isDimension))
      continue;
    if (!tensor.element)
      tensor = makeBase(value, tensor.elementType, tensor.shape);
    functions[value] = std::move(tensor);
  }
}

const TensorFunction *IndexAnalysis::lookup(Value value) const {
  auto found = functions.find(value);
  return found == functions.end() ? nullptr : &found->second;
}

int64_t IndexAnalysis::getBaseNumber(Value value) {
  auto [entry, inserted] = baseNumbers.try_emplace(value, bases.size());
  if (inserted)
    bases.push_back(value);
  return entry->second;
}

static symbolic::Type getSymbolicType(Type type) {
  if (type.isInteger(1))
    return symbolic::Type::Boolean;
  return isa<FloatType>(type) ? symbolic::Type::Float : symbolic::Type::Integer;
}

TensorFunction IndexAnalysis::makeBase(Value value, Type elementType,
                                       ArrayRef<Expr> shape) {
  bool isActivation = isa<FloatType>(elementType) &&
                      !value.getDefiningOp<onnx::InitializerOp>();
  Expr element =
      context.load(getBaseNumber(value), getSymbolicType(elementType),
                   getIndices(shape), isActivation);
  return {elementType, SmallVector<Expr>(shape), element};
}

Expr IndexAnalysis::loadBase(Value value, ArrayRef<Expr> indices) {
  const TensorFunction *tensor = lookup(value);
  if (!tensor || tensor->shape.size() != indices.size())
    return nullptr;
  bool isActivation = isa<FloatType>(tensor->elementType) &&
                      !value.getDefiningOp<onnx::InitializerOp>();
  return context.load(getBaseNumber(value),
                      getSymbolicType(tensor->elementType), indices,
                      isActivation);
}

SmallVector<Expr> IndexAnalysis::getIndices(ArrayRef<Expr> shape) {
  SmallVector<Expr> indices;
  for (auto [axis, dimension] : llvm::enumerate(shape))
    indices.push_back(context.variable(axis, dimension));
  return indices;
}

Expr IndexAnalysis::at(const TensorFunction &tensor, ArrayRef<Expr> indices) {
  if (tensor.shape.size() != indices.size() ||
      llvm::is_contained(indices, nullptr))
    return nullptr;
  DenseMap<Expr, Expr> replacements;
  for (auto [variable, index] :
       llvm::zip_equal(getIndices(tensor.shape), indices))
    if (variable->kind == Kind::Variable)
      replacements[variable] = index;
  return context.substitute(tensor.element, replacements);
}

Expr IndexAnalysis::at(Value value, ArrayRef<Expr> indices) {
  const TensorFunction *tensor = lookup(value);
  return tensor ? at(*tensor, indices) : nullptr;
}

std::optional<SmallVector<Expr>> IndexAnalysis::getVector(Value value) {
  const TensorFunction *tensor = lookup(value);
  if (!tensor || !isa<IntegerType>(tensor->elementType) ||
      tensor->shape.size() > 1)
    return std::nullopt;
  if (tensor->shape.empty())
    return SmallVector<Expr>{tensor->element};
  Expr length = tensor->shape[0];
  if (length->kind != Kind::Constant || length->value > maxVectorElements)
    return std::nullopt;
  SmallVector<Expr> elements;
  for (int64_t index = 0; index < length->value; ++index) {
    elements.push_back(at(*tensor, {context.constant(index)}));
    if (!elements.back())
      return std::nullopt;
  }
  return elements;
}

std::optional<SmallVector<int64_t>> IndexAnalysis::getNumbers(Value value) {
  std::optional<SmallVector<Expr>> elements = getVector(value);
  if (!elements)
    return std::nullopt;
  SmallVector<int64_t> numbers;
  for (Expr element : *elements) {
    if (element->kind != Kind::Constant)
      return std::nullopt;
    numbers.push_back(element->value);
  }
  return numbers;
}

Expr IndexAnalysis::makeVector(ArrayRef<Expr> elements) {
  if (elements.empty())
    return context.constant(0);
  Expr index = context.variable(0, context.constant(elements.size()));
  Expr vector = elements.back();
  for (int64_t place = int64_t(elements.size()) - 2; place >= 0; --place)
    vector = context.select(context.less(index, context.constant(place + 1)),
                            elements[place], vector);
  return vector;
}

std::optional<SmallVector<Expr>>
IndexAnalysis::broadcast(ArrayRef<Expr> left, ArrayRef<Expr> right) {
  if (left.size() < right.size())
    std::swap(left, right);
  SmallVector<Expr> shape(left);
  Expr one = context.constant(1);
  for (auto [axis, other] : llvm::enumerate(llvm::reverse(right))) {
    Expr &dimension = shape[shape.size() - 1 - axis];
    if (dimension == one)
      dimension = other;
    else if (other != one && other != dimension)
      return std::nullopt;
  }
  return shape;
}

Expr IndexAnalysis::atBroadcast(const TensorFunction &tensor,
                                ArrayRef<Expr> indices) {
  SmallVector<Expr> own(indices.take_back(tensor.shape.size()));
  for (auto [index, dimension] : llvm::zip_equal(own, tensor.shape))
    if (dimension == context.constant(1))
      index = context.constant(0);
  return at(tensor, own);
}

TensorFunction IndexAnalysis::describeConstant(Value value, TypedAttr data) {
  auto type = cast<RankedTensorType>(data.getType());
  SmallVector<Expr> shape;
  for (int64_t dimension : type.getShape())
    shape.push_back(context.constant(dimension));
  TensorFunction tensor{type.getElementType(), shape, nullptr};
  auto literal = dyn_cast<DenseIntOrFPElementsAttr>(data);
  if (!literal || type.getNumElements() == 0 ||
      !isa<IntegerType, FloatType>(type.getElementType()))
    return makeBase(value, type.getElementType(), shape);
  auto numberOf = [&](Attribute attribute) -> Expr {
    if (auto number = dyn_cast<FloatAttr>(attribute))
      return number.getType().isF32()
                 ? context.number(number.getValue().convertToFloat())
                 : nullptr;
    const APInt &bits = cast<IntegerAttr>(attribute).getValue();
    if (type.getElementType().isInteger(1))
      return context.truth(bits.getBoolValue());
    return context.constant(bits.getSExtValue());
  };
  if (literal.isSplat())
    tensor.element = numberOf(literal.getSplatValue<Attribute>());
  else if (type.getRank() == 1 && isa<IntegerType>(type.getElementType()) &&
           type.getNumElements() <= maxVectorElements) {
    SmallVector<Expr> elements;
    for (Attribute attribute : literal.getValues<Attribute>())
      elements.push_back(numberOf(attribute));
    tensor.element = makeVector(elements);
  }
  if (!tensor.element)
    return makeBase(value, type.getElementType(), shape);
  return tensor;
}

} // namespace llmopt
