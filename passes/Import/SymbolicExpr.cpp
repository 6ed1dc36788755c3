//===- SymbolicExpr.cpp - Expressions of indices and dimensions -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/SymbolicExpr.h"
#include "passes/Import/Polynomial.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/bit.h"
#include <cmath>

namespace llmopt::symbolic {

static void profile(llvm::FoldingSetNodeID &id, Kind kind, Type type,
                    int64_t value, float number,
                    llvm::ArrayRef<Expr> operands) {
  id.AddInteger(unsigned(kind));
  id.AddInteger(unsigned(type));
  id.AddInteger(value);
  id.AddInteger(llvm::bit_cast<uint32_t>(number));
  for (Expr operand : operands)
    id.AddPointer(operand);
}

void Node::Profile(llvm::FoldingSetNodeID &id) const {
  profile(id, kind, type, value, number, operands);
}

Expr Context::make(Kind kind, Type type, int64_t value, float number,
                   llvm::ArrayRef<Expr> operands, int64_t activation) {
  if (llvm::is_contained(operands, nullptr))
    return nullptr;
  work += 1 + operands.size();
  // Leaves are always there: their makers never fail.
  if (work > maxWork && !operands.empty() && kind != Kind::Variable)
    return nullptr;
  llvm::FoldingSetNodeID id;
  profile(id, kind, type, value, number, operands);
  void *position = nullptr;
  if (Node *known = nodes.FindNodeOrInsertPos(id, position))
    return known;
  unsigned size = 1, depth = 1;
  for (Expr operand : operands) {
    size += operand->size;
    depth = std::max(depth, operand->depth + 1);
  }
  if (size > maxSize || depth > maxDepth || nodes.size() >= maxNodes)
    return nullptr;
  Node *node = new (allocator) Node();
  node->size = size;
  node->depth = depth;
  node->kind = kind;
  node->type = type;
  node->id = nodes.size();
  node->value = value;
  node->number = number;
  node->operands = operands.copy(allocator);
  node->activation = activation;
  nodes.InsertNode(node, position);
  return node;
}

/// The activation that an expression of these operands depends on.
static int64_t joinActivations(llvm::ArrayRef<Expr> operands) {
  int64_t joined = Node::noActivation;
  for (Expr operand : operands) {
    if (operand->activation == Node::noActivation ||
        operand->activation == joined)
      continue;
    joined = joined == Node::noActivation ? operand->activation
                                          : Node::manyActivations;
  }
  return joined;
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

Expr Context::constant(int64_t value) {
  return make(Kind::Constant, Type::Integer, value, 0, {}, Node::noActivation);
}

Expr Context::symbol(int64_t atLeast) {
  symbolMinima.push_back(atLeast);
  return make(Kind::Symbol, Type::Integer, symbolMinima.size() - 1, 0, {},
              Node::noActivation);
}

Expr Context::variable(int64_t axis, Expr bound) {
  if (!bound)
    return make(Kind::Variable, Type::Integer, axis, 0, {}, Node::noActivation);
  if (bound->kind == Kind::Constant && bound->value == 1)
    return constant(0);
  return make(Kind::Variable, Type::Integer, axis, 0, {bound},
              Node::noActivation);
}

Expr Context::add(Expr left, Expr right) {
  if (!left || !right)
    return nullptr;
  Polynomial sum(left);
  sum.add(Polynomial(right));
  return sum.toExpr(*this);
}

Expr Context::sub(Expr left, Expr right) {
  if (!left || !right)
    return nullptr;
  Polynomial difference(left);
  difference.add(Polynomial(right), -1);
  return difference.toExpr(*this);
}

Expr Context::mul(Expr left, Expr right) {
  if (!left || !right)
    return nullptr;
  return Polynomial(left).multiply(Polynomial(right)).toExpr(*this);
}

Expr Context::divide(Expr left, Expr right, bool remainder) {
  if (!left || !right || !provesPositive(right))
    return nullptr;
  Polynomial divisor(right), quotient, rest;
  Polynomial(left).divide(divisor, quotient, rest);
  Expr whole = quotient.toExpr(*this), left_over = rest.toExpr(*this);
  if (!whole || !left_over)
    return nullptr;
  if (provesNonNegative(left_over) && provesPositive(sub(right, left_over)))
    return remainder ? left_over : whole;
  Expr part = make(remainder ? Kind::Modulo : Kind::FloorDiv, Type::Integer, 0,
                   0, {left_over, right}, Node::noActivation);
  return remainder ? part : add(whole, part);
}

Expr Context::floorDiv(Expr left, Expr right) {
  return divide(left, right, /*remainder=*/false);
}

Expr Context::modulo(Expr left, Expr right) {
  return divide(left, right, /*remainder=*/true);
}

/// Orders the operands of a commutative operation.
static void sortOperands(Expr &left, Expr &right) {
  if (left->id > right->id)
    std::swap(left, right);
}

Expr Context::minimum(Expr left, Expr right) {
  if (!left || !right)
    return nullptr;
  if (provesNonNegative(sub(right, left)))
    return left;
  if (provesNonNegative(sub(left, right)))
    return right;
  sortOperands(left, right);
  return make(Kind::Minimum, Type::Integer, 0, 0, {left, right},
              Node::noActivation);
}

Expr Context::maximum(Expr left, Expr right) {
  if (!left || !right)
    return nullptr;
  if (provesNonNegative(sub(left, right)))
    return left;
  if (provesNonNegative(sub(right, left)))
    return right;
  sortOperands(left, right);
  return make(Kind::Maximum, Type::Integer, 0, 0, {left, right},
              Node::noActivation);
}

//===----------------------------------------------------------------------===//
// Booleans
//===----------------------------------------------------------------------===//

Expr Context::truth(bool value) {
  return make(Kind::Truth, Type::Boolean, value, 0, {}, Node::noActivation);
}

static bool isTruth(Expr expression, bool value) {
  return expression->kind == Kind::Truth && expression->value == int64_t(value);
}

Expr Context::lessOrEqual(Expr left, Expr right) {
  Expr difference = sub(right, left);
  if (!difference)
    return nullptr;
  if (provesNonNegative(difference))
    return truth(true);
  if (provesPositive(sub(left, right)))
    return truth(false);
  return make(Kind::NonNegative, Type::Boolean, 0, 0, {difference},
              Node::noActivation);
}

Expr Context::equal(Expr left, Expr right) {
  if (!left || !right)
    return nullptr;
  if (left == right)
    return left->activation == Node::noActivation ? truth(true) : nullptr;
  if (left->type == Type::Boolean)
    return logicalOr(logicalAnd(left, right),
                     logicalAnd(logicalNot(left), logicalNot(right)));
  if (left->type == Type::Float) {
    if (left->kind == Kind::Float && right->kind == Kind::Float)
      return truth(left->number == right->number);
    // A condition that a number was chosen by, compared with a number.
    for (auto [chosen, other] :
         {std::pair(left, right), std::pair(right, left)})
      if (chosen->kind == Kind::Select && other->kind == Kind::Float)
        return select(chosen->operands[0], equal(chosen->operands[1], other),
                      equal(chosen->operands[2], other));
    sortOperands(left, right);
    if (joinActivations({left, right}) != Node::noActivation)
      return nullptr;
    return make(Kind::Zero, Type::Boolean, 0, 0, {left, right},
                Node::noActivation);
  }
  Expr difference = sub(left, right);
  if (!difference)
    return nullptr;
  if (provesPositive(difference) || provesPositive(sub(right, left)))
    return truth(false);
  return make(Kind::Zero, Type::Boolean, 0, 0, {difference},
              Node::noActivation);
}

Expr Context::logicalNot(Expr operand) {
  if (!operand)
    return nullptr;
  if (operand->kind == Kind::Truth)
    return truth(!operand->value);
  if (operand->kind == Kind::Not)
    return operand->operands[0];
  if (operand->kind == Kind::NonNegative) // not (x >= 0) is -1 - x >= 0
    return lessOrEqual(add(operand->operands[0], constant(1)), constant(0));
  return make(Kind::Not, Type::Boolean, 0, 0, {operand}, operand->activation);
}

Expr Context::logicalAnd(Expr left, Expr right) {
  if (!left || !right)
    return nullptr;
  if (isTruth(left, true) || left == right)
    return right;
  if (isTruth(right, true))
    return left;
  if (isTruth(left, false) || isTruth(right, false))
    return truth(false);
  sortOperands(left, right);
  return make(Kind::And, Type::Boolean, 0, 0, {left, right},
              joinActivations({left, right}));
}

Expr Context::logicalOr(Expr left, Expr right) {
  if (!left || !right)
    return nullptr;
  if (isTruth(left, false) || left == right)
    return right;
  if (isTruth(right, false))
    return left;
  if (isTruth(left, true) || isTruth(right, true))
    return truth(true);
  sortOperands(left, right);
  return make(Kind::Or, Type::Boolean, 0, 0, {left, right},
              joinActivations({left, right}));
}

//===----------------------------------------------------------------------===//
// Floats
//===----------------------------------------------------------------------===//

Expr Context::number(float value) {
  return make(Kind::Float, Type::Float, 0, value, {}, Node::noActivation);
}

static float computeBinary(Kind kind, float left, float right) {
  if (kind == Kind::FloatAdd)
    return left + right;
  return kind == Kind::FloatMul ? left * right : left / right;
}

static bool isNumber(Expr expression, float value) {
  return expression->kind == Kind::Float && expression->number == value;
}

Expr Context::floatBinary(Kind kind, Expr left, Expr right) {
  if (!left || !right)
    return nullptr;
  if (left->kind == Kind::Float && right->kind == Kind::Float)
    return number(computeBinary(kind, left->number, right->number));
  float neutral = kind == Kind::FloatAdd ? 0 : 1;
  if (isNumber(right, neutral))
    return left;
  if (kind != Kind::FloatDiv) {
    if (isNumber(left, neutral))
      return right;
    sortOperands(left, right);
  }
  return make(kind, Type::Float, 0, 0, {left, right},
              joinActivations({left, right}));
}

Expr Context::floatNeg(Expr operand) {
  if (!operand)
    return nullptr;
  if (operand->kind == Kind::Float)
    return number(-operand->number);
  if (operand->kind == Kind::FloatNeg)
    return operand->operands[0];
  return make(Kind::FloatNeg, Type::Float, 0, 0, {operand},
              operand->activation);
}

Expr Context::call(Function function, llvm::ArrayRef<Expr> operands) {
  if (llvm::is_contained(operands, nullptr))
    return nullptr;
  return make(Kind::FloatCall, Type::Float, int64_t(function), 0, operands,
              joinActivations(operands));
}

Expr Context::isNaN(Expr operand) {
  if (!operand)
    return nullptr;
  if (operand->kind == Kind::Float)
    return truth(std::isnan(operand->number));
  return make(Kind::IsNaN, Type::Boolean, 0, 0, {operand}, operand->activation);
}

Expr Context::fromInteger(Expr operand) {
  if (!operand)
    return nullptr;
  if (operand->kind == Kind::Constant)
    return number(float(operand->value));
  if (operand->kind == Kind::Select)
    return select(operand->operands[0], fromInteger(operand->operands[1]),
                  fromInteger(operand->operands[2]));
  return make(Kind::FromInteger, Type::Float, 0, 0, {operand},
              Node::noActivation);
}

//===----------------------------------------------------------------------===//
// Select and load
//===----------------------------------------------------------------------===//

Expr Context::select(Expr condition, Expr ifTrue, Expr ifFalse) {
  if (!condition || !ifTrue || !ifFalse)
    return nullptr;
  if (condition->kind == Kind::Truth)
    return condition->value ? ifTrue : ifFalse;
  if (ifTrue == ifFalse)
    return ifTrue;
  if (ifTrue->type == Type::Boolean)
    return logicalOr(logicalAnd(condition, ifTrue),
                     logicalAnd(logicalNot(condition), ifFalse));
  return make(Kind::Select, ifTrue->type, 0, 0, {condition, ifTrue, ifFalse},
              joinActivations({condition, ifTrue, ifFalse}));
}

Expr Context::load(int64_t tensor, Type type, llvm::ArrayRef<Expr> indices,
                   bool isActivation) {
  if (llvm::is_contained(indices, nullptr))
    return nullptr;
  return make(Kind::Load, type, tensor, isActivation, indices,
              isActivation ? tensor : Node::noActivation);
}

//===----------------------------------------------------------------------===//
// Substitution
//===----------------------------------------------------------------------===//

Expr Context::rebuild(Expr expression, llvm::ArrayRef<Expr> operands) {
  auto fold = [&](Expr start, auto combine) {
    for (Expr operand : operands)
      start = (this->*combine)(start, operand);
    return start;
  };
  switch (expression->kind) {
  case Kind::Sum:
    return fold(constant(expression->value), &Context::add);
  case Kind::Product:
    return fold(constant(expression->value), &Context::mul);
  case Kind::FloorDiv:
    return floorDiv(operands[0], operands[1]);
  case Kind::Modulo:
    return modulo(operands[0], operands[1]);
  case Kind::Minimum:
    return minimum(operands[0], operands[1]);
  case Kind::Maximum:
    return maximum(operands[0], operands[1]);
  case Kind::NonNegative:
    return lessOrEqual(constant(0), operands[0]);
  case Kind::Zero:
    return equal(operands[0], operands.size() == 2 ? operands[1] : constant(0));
  case Kind::And:
    return logicalAnd(operands[0], operands[1]);
  case Kind::Or:
    return logicalOr(operands[0], operands[1]);
  case Kind::Not:
    return logicalNot(operands[0]);
  case Kind::IsNaN:
    return isNaN(operands[0]);
  case Kind::FromInteger:
    return fromInteger(operands[0]);
  case Kind::FloatAdd:
  case Kind::FloatMul:
  case Kind::FloatDiv:
    return floatBinary(expression->kind, operands[0], operands[1]);
  case Kind::FloatNeg:
    return floatNeg(operands[0]);
  case Kind::FloatCall:
    return call(Function(expression->value), operands);
  case Kind::Select:
    return select(operands[0], operands[1], operands[2]);
  case Kind::Load:
    return load(expression->value, expression->type, operands,
                expression->activation != Node::noActivation);
  case Kind::Constant:
  case Kind::Symbol:
  case Kind::Variable:
  case Kind::Truth:
  case Kind::Float:
    return expression;
  }
  return nullptr;
}

Expr Context::substitute(Expr expression,
                         const llvm::DenseMap<Expr, Expr> &replacements,
                         llvm::DenseMap<Expr, Expr> &done) {
  if (Expr replacement = replacements.lookup(expression))
    return replacement;
  // The bound of a variable is no part of what it stands for.
  if (expression->operands.empty() || expression->kind == Kind::Variable)
    return expression;
  if (auto known = done.find(expression); known != done.end())
    return known->second;
  llvm::SmallVector<Expr> operands;
  bool changed = false;
  for (Expr operand : expression->operands) {
    operands.push_back(substitute(operand, replacements, done));
    changed |= operands.back() != operand;
  }
  Expr result = expression;
  if (llvm::is_contained(operands, nullptr))
    result = nullptr;
  else if (changed)
    result = rebuild(expression, operands);
  done[expression] = result;
  return result;
}

Expr Context::substitute(Expr expression,
                         const llvm::DenseMap<Expr, Expr> &replacements) {
  if (!expression)
    return nullptr;
  llvm::DenseMap<Expr, Expr> done;
  return substitute(expression, replacements, done);
}

} // namespace llmopt::symbolic
