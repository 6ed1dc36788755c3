//===- ProjectionMatch.cpp - Heads of projections, rotated or not ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/ProjectionMatch.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace llmopt {

using symbolic::Context;
using symbolic::Expr;
using symbolic::Kind;
using symbolic::Node;

/// Axis of the variable that counts the elements of half a head; no tensor has
/// so many.
static constexpr int64_t frequencyAxis = 1001;

Expr peelScale(Expr expression, float &scale) {
  while (expression) {
    if (expression->kind == Kind::FloatMul &&
        expression->operands[0]->kind == Kind::Float) {
      scale *= expression->operands[0]->number;
      expression = expression->operands[1];
    } else if (expression->kind == Kind::FloatMul &&
               expression->operands[1]->kind == Kind::Float) {
      scale *= expression->operands[1]->number;
      expression = expression->operands[0];
    } else if (expression->kind == Kind::FloatDiv &&
               expression->operands[1]->kind == Kind::Float) {
      scale /= expression->operands[1]->number;
      expression = expression->operands[0];
    } else {
      break;
    }
  }
  return expression;
}

namespace {
/// A sum of elements of an activation tensor, each with its factor.
using Combination = llvm::MapVector<Expr, Expr>;
} // namespace

/// Adds `factor * expression` to a combination; false when it is none.
static bool combine(Expr expression, Expr factor, Context &context,
                    Combination &combination) {
  switch (expression->kind) {
  case Kind::Load: {
    if (expression->activation == Node::noActivation)
      return false;
    Expr &total = combination[expression];
    total = total ? context.floatBinary(Kind::FloatAdd, total, factor) : factor;
    return true;
  }
  case Kind::FloatAdd:
    return combine(expression->operands[0], factor, context, combination) &&
           combine(expression->operands[1], factor, context, combination);
  case Kind::FloatNeg:
    return combine(expression->operands[0], context.floatNeg(factor), context,
                   combination);
  case Kind::FloatMul: {
    Expr left = expression->operands[0], right = expression->operands[1];
    if (left->activation == Node::noActivation)
      std::swap(left, right);
    return combine(left, context.floatBinary(Kind::FloatMul, factor, right),
                   context, combination);
  }
  default:
    return false;
  }
}

/// The source of a projection: the tensor whose elements an expression reads,
/// [batch, sequence, heads * headDim].
static Value findSource(const HeadElement &element, IndexAnalysis &analysis,
                        std::string &reason) {
  Value source;
  for (Expr leaf : symbolic::collectLeaves(element.expression)) {
    if (leaf->kind != Kind::Load || leaf->activation == Node::noActivation)
      continue;
    if (source && source != analysis.getBase(leaf)) {
      reason = "combine elements of several tensors";
      return {};
    }
    source = analysis.getBase(leaf);
  }
  const TensorFunction *tensor = source ? analysis.lookup(source) : nullptr;
  if (!tensor || tensor->shape.size() != 3) {
    reason = "are not elements of a projection [batch, sequence, features]";
    return {};
  }
  int64_t width = element.heads * element.headDim;
  if (tensor->shape[2]->kind != Kind::Constant ||
      tensor->shape[2]->value != width) {
    reason = "are a part of a projection of " +
             symbolic::toString(tensor->shape[2]) + " columns, expected " +
             std::to_string(width);
    return {};
  }
  return source;
}

/// The element of the source that belongs to a feature of the head.
static Expr loadFeature(Value source, const HeadElement &element, Expr feature,
                        IndexAnalysis &analysis) {
  Context &context = analysis.getContext();
  Expr column = context.add(
      context.mul(element.head, context.constant(element.headDim)), feature);
  return analysis.loadBase(source, {element.batch, element.row, column});
}

/// The element of an integer input that the factors depend on; null when there
/// is none. False when there are several.
static bool findPosition(ArrayRef<Expr> factors, Expr &position) {
  for (Expr factor : factors)
    for (Expr leaf : symbolic::collectLeaves(factor)) {
      if (leaf->kind != Kind::Load || leaf->type != symbolic::Type::Integer)
        continue;
      if (position && position != leaf)
        return false;
      position = leaf;
    }
  return true;
}

/// Checks that the factors depend on the position and the frequency only, so
/// that a table can hold them.
static LogicalResult checkPosition(Rotation &rotation,
                                   const HeadElement &element,
                                   IndexAnalysis &analysis,
                                   std::string &reason) {
  Expr factors[] = {rotation.firstCosine, rotation.firstSine,
                    rotation.secondCosine, rotation.secondSine};
  if (!findPosition(factors, rotation.position)) {
    reason = "are rotated by more than one position";
    return failure();
  }
  if (rotation.position) {
    Value input = analysis.getBase(rotation.position);
    if (!isa<BlockArgument>(input) ||
        rotation.position !=
            analysis.loadBase(input, {element.batch, element.row})) {
      reason = "are rotated by positions that are no input [batch, sequence]: "
               "export the model with position_ids as an input";
      return failure();
    }
    return success();
  }
  if (analysis.getPast() != analysis.getContext().constant(0)) {
    reason = "are rotated by positions that are no input although there are "
             "past keys: export the model with position_ids as an input";
    return failure();
  }
  rotation.position = element.row;
  return success();
}

static FailureOr<Rotation> matchRotation(const HeadElement &element,
                                         Value source, IndexAnalysis &analysis,
                                         std::string &reason) {
  Context &context = analysis.getContext();
  reason =
      "are not rotated by halves: they are " +
      StringRef(symbolic::toString(element.expression)).take_front(300).str();
  if (element.headDim % 2)
    return failure();
  Expr half = context.constant(element.headDim / 2);
  Rotation rotation;
  rotation.frequency = context.variable(frequencyAxis, half);
  Expr secondFeature = context.add(rotation.frequency, half);
  Expr first = loadFeature(source, element, rotation.frequency, analysis);
  Expr second = loadFeature(source, element, secondFeature, analysis);
  auto combineAt = [&](Expr feature) {
    Combination combination;
    Expr value =
        context.substitute(element.expression, {{element.feature, feature}});
    if (!value || !combine(value, context.number(1), context, combination) ||
        combination.size() != 2)
      combination.clear();
    return combination;
  };
  Combination low = combineAt(rotation.frequency),
              high = combineAt(secondFeature);
  Expr minusSine = low.lookup(second);
  rotation.firstCosine = low.lookup(first);
  rotation.firstSine = context.floatNeg(minusSine);
  rotation.secondCosine = high.lookup(second);
  rotation.secondSine = high.lookup(first);
  if (!rotation.firstCosine || !minusSine || !rotation.secondCosine ||
      !rotation.secondSine)
    return failure();
  if (failed(checkPosition(rotation, element, analysis, reason)))
    return failure();
  return rotation;
}

FailureOr<Projection> matchProjection(const HeadElement &given,
                                      IndexAnalysis &analysis,
                                      std::string &reason) {
  HeadElement element = given;
  Projection projection;
  if (!element.expression) {
    reason = "could not be followed through the graph";
    return failure();
  }
  element.expression = peelScale(element.expression, projection.scale);
  projection.source = findSource(element, analysis, reason);
  if (!projection.source)
    return failure();
  if (element.expression ==
      loadFeature(projection.source, element, element.feature, analysis))
    return projection;
  FailureOr<Rotation> rotation =
      matchRotation(element, projection.source, analysis, reason);
  if (failed(rotation))
    return failure();
  projection.rotation = *rotation;
  return projection;
}

} // namespace llmopt
