//===- Numbers.cpp - Numbers of graph code that fold ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "passes/Lowering/Graph/GraphBuilder.h"

using namespace mlir;

namespace llmopt::graph {

Value GraphBuilder::number(int64_t value) {
  Value &known = numbers[value];
  if (!known) {
    OpBuilder atStart(entry, entry->begin());
    known = arith::ConstantIntOp::create(atStart, atStart.getUnknownLoc(),
                                         value, 64);
    knownNumbers[known] = value;
  }
  return known;
}

std::optional<int64_t> GraphBuilder::known(Value value) const {
  auto found = knownNumbers.find(value);
  if (found != knownNumbers.end())
    return found->second;
  APInt constant;
  if (value.getType().isInteger() &&
      matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  return std::nullopt;
}

std::optional<bool> GraphBuilder::knownBool(Value value) const {
  APInt constant;
  if (value.getType().isInteger(1) &&
      matchPattern(value, m_ConstantInt(&constant)))
    return constant.getBoolValue();
  return std::nullopt;
}

bool GraphBuilder::same(Value lhs, Value rhs) const {
  if (lhs == rhs)
    return true;
  std::optional<int64_t> left = known(lhs), right = known(rhs);
  return left && right && *left == *right;
}

/// An operation on two numbers, or the value of an equal one before.
Value GraphBuilder::numberOp(StringRef name, Value lhs, Value rhs,
                             llvm::function_ref<Value()> create) {
  Key key(name.str(), lhs.getAsOpaquePointer(), rhs.getAsOpaquePointer());
  for (const std::map<Key, Value> &scope : llvm::reverse(scopes))
    if (auto found = scope.find(key); found != scope.end())
      return found->second;
  Value result = create();
  scopes.back()[key] = result;
  bool keepsSign =
      llvm::is_contained({"add", "mul", "div", "min", "max"}, name);
  if (keepsSign && isDimension(lhs) && isDimension(rhs))
    markDimension(result);
  return result;
}

bool GraphBuilder::isDimension(Value value) const {
  std::optional<int64_t> number = known(value);
  return number ? *number >= 0 : dimensions.contains(value);
}

Value GraphBuilder::add(Value lhs, Value rhs) {
  std::optional<int64_t> left = known(lhs), right = known(rhs);
  if (left && right)
    return number(int64_t(uint64_t(*left) + uint64_t(*right)));
  if (left == 0)
    return rhs;
  if (right == 0)
    return lhs;
  // One order, so that a + b and b + a are the same number.
  if (lhs.getAsOpaquePointer() > rhs.getAsOpaquePointer())
    std::swap(lhs, rhs);
  return numberOp("add", lhs, rhs, [&] {
    return Value(arith::AddIOp::create(b, loc, lhs, rhs));
  });
}

Value GraphBuilder::sub(Value lhs, Value rhs) {
  std::optional<int64_t> left = known(lhs), right = known(rhs);
  if (left && right)
    return number(int64_t(uint64_t(*left) - uint64_t(*right)));
  if (right == 0)
    return lhs;
  if (lhs == rhs)
    return number(0);
  // (a + b) - a = b: lengths of concatenations are taken apart again.
  if (auto sum = lhs.getDefiningOp<arith::AddIOp>()) {
    if (sum.getLhs() == rhs)
      return sum.getRhs();
    if (sum.getRhs() == rhs)
      return sum.getLhs();
  }
  return numberOp("sub", lhs, rhs, [&] {
    return Value(arith::SubIOp::create(b, loc, lhs, rhs));
  });
}

Value GraphBuilder::mul(Value lhs, Value rhs) {
  std::optional<int64_t> left = known(lhs), right = known(rhs);
  if (left && right)
    return number(int64_t(uint64_t(*left) * uint64_t(*right)));
  if (left == 0 || right == 0)
    return number(0);
  if (left == 1)
    return rhs;
  if (right == 1)
    return lhs;
  if (lhs.getAsOpaquePointer() > rhs.getAsOpaquePointer())
    std::swap(lhs, rhs);
  return numberOp("mul", lhs, rhs, [&] {
    return Value(arith::MulIOp::create(b, loc, lhs, rhs));
  });
}

Value GraphBuilder::div(Value lhs, Value rhs) {
  std::optional<int64_t> left = known(lhs), right = known(rhs);
  if (right == 1)
    return lhs;
  if (left && right && *right != 0 && *right != -1)
    return number(*left / *right);
  return numberOp("div", lhs, rhs, [&] {
    return Value(arith::DivSIOp::create(b, loc, lhs, rhs));
  });
}

Value GraphBuilder::rem(Value lhs, Value rhs) {
  std::optional<int64_t> left = known(lhs), right = known(rhs);
  if (right == 1)
    return number(0);
  if (left && right && *right != 0 && *right != -1)
    return number(*left % *right);
  return numberOp("rem", lhs, rhs, [&] {
    return Value(arith::RemSIOp::create(b, loc, lhs, rhs));
  });
}

Value GraphBuilder::min(Value lhs, Value rhs) {
  std::optional<int64_t> left = known(lhs), right = known(rhs);
  if (left && right)
    return number(std::min(*left, *right));
  if (lhs == rhs)
    return lhs;
  return numberOp("min", lhs, rhs, [&] {
    return Value(arith::MinSIOp::create(b, loc, lhs, rhs));
  });
}

Value GraphBuilder::max(Value lhs, Value rhs) {
  std::optional<int64_t> left = known(lhs), right = known(rhs);
  if (left && right)
    return number(std::max(*left, *right));
  if (lhs == rhs)
    return lhs;
  return numberOp("max", lhs, rhs, [&] {
    return Value(arith::MaxSIOp::create(b, loc, lhs, rhs));
  });
}

Value GraphBuilder::divideCeil(Value lhs, Value rhs) {
  return div(add(lhs, sub(rhs, number(1))), rhs);
}

Value GraphBuilder::product(ArrayRef<Value> values) {
  int64_t constant = 1;
  Value result;
  for (Value value : values) {
    if (std::optional<int64_t> factor = known(value))
      constant = int64_t(uint64_t(constant) * uint64_t(*factor));
    else
      result = result ? mul(result, value) : value;
  }
  return result ? mul(result, number(constant)) : number(constant);
}

/// Takes a product apart into its factors.
static void addFactors(Value value, SmallVectorImpl<Value> &factors) {
  if (auto product = value.getDefiningOp<arith::MulIOp>()) {
    addFactors(product.getLhs(), factors);
    addFactors(product.getRhs(), factors);
    return;
  }
  factors.push_back(value);
}

Value GraphBuilder::quotient(ArrayRef<Value> numerator,
                             ArrayRef<Value> denominator) {
  SmallVector<Value> above, below, left;
  for (Value value : numerator)
    addFactors(value, above);
  for (Value value : denominator)
    addFactors(value, below);
  int64_t dividend = 1, divisor = 1;
  for (Value value : below) {
    if (std::optional<int64_t> factor = known(value)) {
      divisor *= *factor;
      continue;
    }
    auto *found = llvm::find(above, value);
    if (found != above.end())
      above.erase(found);
    else
      left.push_back(value);
  }
  SmallVector<Value> rest;
  for (Value value : above) {
    if (std::optional<int64_t> factor = known(value))
      dividend *= *factor;
    else
      rest.push_back(value);
  }
  if (divisor > 0 && dividend % divisor == 0) {
    dividend /= divisor;
    divisor = 1;
  }
  rest.push_back(number(dividend));
  left.push_back(number(divisor));
  // A dimension may be 0 when the code runs; then so is the dividend, or the
  // caller finds that sizes do not fit.
  Value bottom = product(left);
  return div(product(rest), known(bottom) ? bottom : max(bottom, 1));
}

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

Value GraphBuilder::equal(Value lhs, Value rhs) {
  std::optional<int64_t> left = known(lhs), right = known(rhs);
  if (lhs == rhs || (left && right))
    return integer(b.getI1Type(), lhs == rhs || *left == *right);
  return numberOp("eq", lhs, rhs, [&] {
    return Value(
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, lhs, rhs));
  });
}

Value GraphBuilder::less(Value lhs, Value rhs) {
  std::optional<int64_t> left = known(lhs), right = known(rhs);
  if (left && right)
    return integer(b.getI1Type(), *left < *right);
  if (lhs == rhs)
    return integer(b.getI1Type(), false);
  return numberOp("slt", lhs, rhs, [&] {
    return Value(
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, lhs, rhs));
  });
}

Value GraphBuilder::logicalAnd(Value lhs, Value rhs) {
  return b.createOrFold<arith::AndIOp>(loc, lhs, rhs);
}

Value GraphBuilder::logicalOr(Value lhs, Value rhs) {
  return b.createOrFold<arith::OrIOp>(loc, lhs, rhs);
}

Value GraphBuilder::logicalNot(Value value) {
  return b.createOrFold<arith::XOrIOp>(loc, value, integer(value.getType(), 1));
}

Value GraphBuilder::select(Value condition, Value yes, Value no) {
  if (yes == no)
    return yes;
  if (std::optional<bool> which = knownBool(condition))
    return *which ? yes : no;
  if (yes.getType().isInteger(64) && same(yes, no))
    return yes;
  Value result = arith::SelectOp::create(b, loc, condition, yes, no);
  if (yes.getType().isInteger(64) && isDimension(yes) && isDimension(no))
    markDimension(result);
  return result;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Type GraphBuilder::withLanes(Type type, int64_t lanes) {
  return lanes == 1 ? type : VectorType::get(lanes, type);
}

static TypedAttr constantAttribute(Type type, Attribute element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return DenseElementsAttr::get(vector, element);
  return cast<TypedAttr>(element);
}

Value GraphBuilder::constant(Type type, double value) {
  Type element = getElementTypeOrSelf(type);
  if (!isa<FloatType>(element))
    return integer(type, static_cast<int64_t>(value));
  return arith::ConstantOp::create(
      b, loc, constantAttribute(type, b.getFloatAttr(element, value)));
}

Value GraphBuilder::integer(Type type, int64_t value) {
  if (type.isInteger(64))
    return number(value);
  Type element = getElementTypeOrSelf(type);
  unsigned width = element.getIntOrFloatBitWidth();
  APInt bits(64, value, /*isSigned=*/true);
  Attribute attribute = IntegerAttr::get(element, bits.sextOrTrunc(width));
  return arith::ConstantOp::create(b, loc, constantAttribute(type, attribute));
}

} // namespace llmopt::graph
