//===- ElementwiseRules.cpp - Operators that work element by element ------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/IndexAnalysis.h"
#include "passes/Import/ONNXMatch.h"
#include "llvm/ADT/StringSwitch.h"
#include <cmath>

using namespace mlir;

namespace llmopt {

using symbolic::Context;
using symbolic::Expr;
using symbolic::Function;
using symbolic::Kind;
using symbolic::Node;
using symbolic::Type;
using Results = SmallVectorImpl<TensorFunction>;

/// Computes an element of the result from those of the inputs; null when it is
/// not known, or when it is computed from activations.
using Formula = Expr (*)(StringRef op, ArrayRef<Expr> inputs, Context &context);

/// Describes an operator that broadcasts its inputs.
static bool describeBroadcast(onnx::NodeOp node, IndexAnalysis &analysis,
                              Results &results, Formula formula,
                              mlir::Type elementType) {
  SmallVector<const TensorFunction *> inputs;
  SmallVector<Expr> shape;
  for (Value value : node.getInputs()) {
    inputs.push_back(analysis.lookup(value));
    if (!inputs.back())
      return false;
    std::optional<SmallVector<Expr>> wider =
        analysis.broadcast(shape, inputs.back()->shape);
    if (!wider)
      return false;
    shape = *wider;
  }
  if (inputs.empty())
    return false;
  SmallVector<Expr> indices = analysis.getIndices(shape), elements;
  for (const TensorFunction *input : inputs)
    elements.push_back(analysis.atBroadcast(*input, indices));
  Expr element =
      llvm::is_contained(elements, nullptr)
          ? nullptr
          : formula(node.getOpType(), elements, analysis.getContext());
  results.push_back(
      {elementType ? elementType : inputs[0]->elementType, shape, element});
  return true;
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// True when a result of these operands would no longer be a combination of the
/// elements of one activation tensor.
static bool leavesOneTensor(bool isProduct, Expr left, Expr right) {
  if (left->activation == Node::noActivation ||
      right->activation == Node::noActivation)
    return false;
  return isProduct || left->activation != right->activation ||
         left->activation == Node::manyActivations;
}

static Expr computeArithmetic(StringRef op, ArrayRef<Expr> inputs,
                              Context &context) {
  if (inputs.size() != 2)
    return nullptr;
  Expr left = inputs[0], right = inputs[1];
  if (left->type == Type::Integer) {
    if (op == "Add")
      return context.add(left, right);
    if (op == "Sub")
      return context.sub(left, right);
    if (op == "Mul")
      return context.mul(left, right);
    // Div truncates, which is floor where nothing is negative.
    return context.provesNonNegative(left) ? context.floorDiv(left, right)
                                           : nullptr;
  }
  bool isProduct = op == "Mul" || op == "Div";
  if (leavesOneTensor(isProduct, left, right) ||
      (op == "Div" && right->activation != Node::noActivation))
    return nullptr;
  if (op == "Add")
    return context.floatBinary(Kind::FloatAdd, left, right);
  if (op == "Sub")
    return context.floatBinary(Kind::FloatAdd, left, context.floatNeg(right));
  return context.floatBinary(op == "Mul" ? Kind::FloatMul : Kind::FloatDiv,
                             left, right);
}

static Expr computeExtremum(StringRef op, ArrayRef<Expr> inputs,
                            Context &context) {
  Expr result = inputs[0];
  for (Expr input : inputs.drop_front()) {
    if (input->type != Type::Integer || !result)
      return nullptr;
    result = op == "Min" ? context.minimum(result, input)
                         : context.maximum(result, input);
  }
  return result->type == Type::Integer ? result : nullptr;
}

static Expr computeFunction(StringRef op, ArrayRef<Expr> inputs,
                            Context &context) {
  if (inputs.size() != (op == "Pow" ? 2 : 1))
    return nullptr;
  for (Expr input : inputs)
    if (input->activation != Node::noActivation || input->type != Type::Float)
      return nullptr;
  if (op == "Reciprocal")
    return context.floatBinary(Kind::FloatDiv, context.number(1), inputs[0]);
  Function function = llvm::StringSwitch<Function>(op)
                          .Case("Cos", Function::Cos)
                          .Case("Sin", Function::Sin)
                          .Case("Sqrt", Function::Sqrt)
                          .Case("Exp", Function::Exp)
                          .Default(Function::Pow);
  return context.call(function, inputs);
}

static Expr computeNegation(StringRef, ArrayRef<Expr> inputs,
                            Context &context) {
  return inputs[0]->type == Type::Integer
             ? context.sub(context.constant(0), inputs[0])
             : context.floatNeg(inputs[0]);
}

static Expr computeNothing(StringRef, ArrayRef<Expr>, Context &) {
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Comparison and logic
//===----------------------------------------------------------------------===//

static Expr computeComparison(StringRef op, ArrayRef<Expr> inputs,
                              Context &context) {
  if (inputs.size() != 2)
    return nullptr;
  Expr left = inputs[0], right = inputs[1];
  if (op == "Equal")
    return context.equal(left, right);
  if (left->type != Type::Integer)
    return nullptr;
  if (op == "Less")
    return context.less(left, right);
  if (op == "LessOrEqual")
    return context.lessOrEqual(left, right);
  return op == "Greater" ? context.less(right, left)
                         : context.lessOrEqual(right, left);
}

static Expr computeLogic(StringRef op, ArrayRef<Expr> inputs,
                         Context &context) {
  if (op == "Not")
    return context.logicalNot(inputs[0]);
  if (inputs.size() != 2)
    return nullptr;
  return op == "And" ? context.logicalAnd(inputs[0], inputs[1])
                     : context.logicalOr(inputs[0], inputs[1]);
}

static Expr computeIsNaN(StringRef, ArrayRef<Expr> inputs, Context &context) {
  return context.isNaN(inputs[0]);
}

static Expr computeWhere(StringRef, ArrayRef<Expr> inputs, Context &context) {
  return inputs.size() == 3 ? context.select(inputs[0], inputs[1], inputs[2])
                            : nullptr;
}

//===----------------------------------------------------------------------===//
// Cast
//===----------------------------------------------------------------------===//

/// The type that a TensorProto::DataType of a Cast stands for.
static mlir::Type getCastType(int64_t code, MLIRContext *context) {
  switch (code) {
  case 1:
    return Float32Type::get(context);
  case 6:
    return IntegerType::get(context, 32);
  case 7:
    return IntegerType::get(context, 64);
  case 9:
    return IntegerType::get(context, 1);
  case 10:
    return Float16Type::get(context);
  case 11:
    return Float64Type::get(context);
  case 16:
    return BFloat16Type::get(context);
  default:
    return {};
  }
}

static Expr castTo(mlir::Type to, mlir::Type from, Expr element,
                   Context &context) {
  if (to == from)
    return element;
  switch (element->type) {
  case Type::Integer:
    if (to.isInteger(1))
      return context.logicalNot(context.equal(element, context.constant(0)));
    return to.isF32() ? context.fromInteger(element) : element;
  case Type::Boolean:
    return to.isF32()
               ? context.select(element, context.number(1), context.number(0))
               : context.select(element, context.constant(1),
                                context.constant(0));
  case Type::Float:
    if (to.isInteger(1) && element->activation == Node::noActivation)
      return context.logicalNot(context.equal(element, context.number(0)));
    if (element->kind == Kind::FromInteger)
      return element->operands[0];
    if (element->kind == Kind::Float && std::abs(element->number) < 1e9f)
      return context.constant(int64_t(element->number));
    return nullptr;
  }
  return nullptr;
}

static bool describeCast(onnx::NodeOp node, IndexAnalysis &analysis,
                         Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 0));
  mlir::Type to = getCastType(getIntAttr(node, "to", 0), node.getContext());
  if (!data || !to)
    return false;
  bool exact =
      data->elementType == to ||
      (!to.isF64() && !to.isF16() && !to.isBF16() &&
       (data->elementType.isF32() || !isa<FloatType>(data->elementType)));
  results.push_back({to, data->shape,
                     exact ? castTo(to, data->elementType, data->element,
                                    analysis.getContext())
                           : nullptr});
  return true;
}

/// True for the sum of an activation and a constant vector that is not zero, or
/// their product: the bias of a projection, or the end of a normalisation.
static bool appliesVector(onnx::NodeOp node, IndexAnalysis &analysis) {
  if ((node.getOpType() != "Add" && node.getOpType() != "Mul") ||
      node.getInputs().size() != 2)
    return false;
  for (unsigned index : {0, 1}) {
    Value vector = node.getInputs()[index];
    const TensorFunction *bias = analysis.lookup(vector);
    const TensorFunction *data = analysis.lookup(node.getInputs()[1 - index]);
    if (bias && data && vector.getDefiningOp<onnx::InitializerOp>() &&
        bias->elementType.isF32() && bias->shape.size() == 1 &&
        bias->shape[0] != analysis.getContext().constant(1) &&
        (node.getOpType() == "Mul" || bias->element->kind == Kind::Load) &&
        data->element->activation != Node::noActivation)
      return true;
  }
  return false;
}

/// Arithmetic; what a vector is applied to is a tensor of its own, because
/// projections with a bias and normalised heads are.
static bool describeArithmetic(onnx::NodeOp node, IndexAnalysis &analysis,
                               Results &results) {
  return describeBroadcast(
      node, analysis, results,
      appliesVector(node, analysis) ? computeNothing : computeArithmetic, {});
}

template <Expr (*formula)(StringRef, ArrayRef<Expr>, Context &)>
static bool describe(onnx::NodeOp node, IndexAnalysis &analysis,
                     Results &results) {
  return describeBroadcast(node, analysis, results, formula, {});
}

template <Expr (*formula)(StringRef, ArrayRef<Expr>, Context &)>
static bool describeBoolean(onnx::NodeOp node, IndexAnalysis &analysis,
                            Results &results) {
  return describeBroadcast(node, analysis, results, formula,
                           IntegerType::get(node.getContext(), 1));
}

static bool describeWhere(onnx::NodeOp node, IndexAnalysis &analysis,
                          Results &results) {
  const TensorFunction *data = analysis.lookup(getInput(node, 1));
  return data && describeBroadcast(node, analysis, results, computeWhere,
                                   data->elementType);
}

IndexRule findElementwiseRule(onnx::NodeOp node) {
  if (!node.getDomain().empty())
    return nullptr;
  return llvm::StringSwitch<IndexRule>(node.getOpType())
      .Cases({"Add", "Sub", "Mul", "Div"}, describeArithmetic)
      .Cases({"Min", "Max"}, describe<computeExtremum>)
      .Cases({"Cos", "Sin", "Sqrt", "Exp", "Pow", "Reciprocal"},
             describe<computeFunction>)
      .Case("Neg", describe<computeNegation>)
      .Cases({"Sigmoid", "Relu", "Tanh", "Erf", "Gelu"},
             describe<computeNothing>)
      .Cases({"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"},
             describeBoolean<computeComparison>)
      .Cases({"And", "Or", "Not"}, describeBoolean<computeLogic>)
      .Case("IsNaN", describeBoolean<computeIsNaN>)
      .Case("Where", describeWhere)
      .Case("Cast", describeCast)
      .Default(nullptr);
}

} // namespace llmopt
