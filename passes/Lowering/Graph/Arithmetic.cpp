//===- Arithmetic.cpp - Elementwise arithmetic of graphs --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Matchers.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Real.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// Functions of two elements
//===----------------------------------------------------------------------===//

static Value addElements(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return fold<arith::AddFOp>(g, a, b);
  return a.getType().isInteger(64) ? g.add(a, b) : fold<arith::AddIOp>(g, a, b);
}

static Value mulElements(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return fold<arith::MulFOp>(g, a, b);
  return a.getType().isInteger(64) ? g.mul(a, b) : fold<arith::MulIOp>(g, a, b);
}

static Value subElements(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return fold<arith::SubFOp>(g, a, b);
  return a.getType().isInteger(64) ? g.sub(a, b) : fold<arith::SubIOp>(g, a, b);
}

static Value isEqualTo(GraphBuilder &g, Value a, int64_t number) {
  return fold<arith::CmpIOp>(g, arith::CmpIPredicate::eq, a,
                             g.integer(a.getType(), number));
}

/// The divisor, or 1 where hardware would trap: for 0 and, of signed integers,
/// for -1, which may overflow.
static Value safeDivisor(GraphBuilder &g, ElementType type, Value b) {
  Value isUnsafe = isEqualTo(g, b, 0);
  if (!type.isUnsigned())
    isUnsafe = fold<arith::OrIOp>(g, isUnsafe, isEqualTo(g, b, -1));
  return fold<arith::SelectOp>(g, isUnsafe, g.integer(b.getType(), 1), b);
}

/// True for a known number that is safe to divide by.
static bool isSafe(GraphBuilder &g, ElementType type, Value b) {
  if (!b.getType().isInteger(64) || type.isUnsigned())
    return false;
  std::optional<int64_t> number = g.known(b);
  return number && *number != 0 && *number != -1;
}

/// Division by zero gives 0, as numpy has it.
static Value divElements(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return fold<arith::DivFOp>(g, a, b);
  if (isSafe(g, type, b))
    return g.div(a, b);
  Value divisor = safeDivisor(g, type, b);
  Value zero = g.integer(a.getType(), 0);
  Value result;
  if (type.isUnsigned()) {
    result = fold<arith::DivUIOp>(g, a, divisor);
  } else {
    result = fold<arith::SelectOp>(g, isEqualTo(g, b, -1),
                                   fold<arith::SubIOp>(g, zero, a),
                                   fold<arith::DivSIOp>(g, a, divisor));
  }
  return fold<arith::SelectOp>(g, isEqualTo(g, b, 0), zero, result);
}

/// The remainder of the division that rounds to zero: 0 for a zero divisor.
static Value remElements(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (isSafe(g, type, b))
    return g.rem(a, b);
  Value divisor = safeDivisor(g, type, b);
  return type.isUnsigned() ? fold<arith::RemUIOp>(g, a, divisor)
                           : fold<arith::RemSIOp>(g, a, divisor);
}

/// The remainder with the sign of the divisor.
static Value floorRemainder(GraphBuilder &g, ElementType type, Value a,
                            Value b) {
  if (type.isFloat()) {
    Real rest(g, remainder(g, a, b)), divisor(g, b);
    Value differs = fold<arith::XOrIOp>(g, rest < 0, divisor < 0);
    Value isUneven = rest.compare(arith::CmpFPredicate::ONE, rest.constant(0));
    Value mustMove = fold<arith::AndIOp>(g, differs, isUneven);
    return choose(mustMove, rest + divisor, rest);
  }
  Value rest = remElements(g, type, a, b);
  if (type.isUnsigned())
    return rest;
  Value zero = g.integer(a.getType(), 0);
  Value differs = fold<arith::CmpIOp>(g, arith::CmpIPredicate::slt,
                                      fold<arith::XOrIOp>(g, rest, b), zero);
  Value isUneven = fold<arith::CmpIOp>(g, arith::CmpIPredicate::ne, rest, zero);
  return fold<arith::SelectOp>(g, fold<arith::AndIOp>(g, differs, isUneven),
                               fold<arith::AddIOp>(g, rest, b), rest);
}

static Value minElements(GraphBuilder &g, ElementType type, Value a, Value b) {
  // A NaN of either operand is the result.
  if (type.isFloat())
    return fold<arith::MinimumFOp>(g, a, b);
  if (type.isUnsigned())
    return fold<arith::MinUIOp>(g, a, b);
  return a.getType().isInteger(64) ? g.min(a, b)
                                   : fold<arith::MinSIOp>(g, a, b);
}

static Value maxElements(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return fold<arith::MaximumFOp>(g, a, b);
  if (type.isUnsigned())
    return fold<arith::MaxUIOp>(g, a, b);
  return a.getType().isInteger(64) ? g.max(a, b)
                                   : fold<arith::MaxSIOp>(g, a, b);
}

using BinaryFunction = Value (*)(GraphBuilder &, ElementType, Value, Value);

//===----------------------------------------------------------------------===//
// Emitters
//===----------------------------------------------------------------------===//

template <BinaryFunction function> static LogicalResult binary(Node &node) {
  FailureOr<ElementType> type = commonType(node);
  FailureOr<Tensor> operand = alignedOperand(node);
  if (failed(type) || failed(operand))
    return failure();
  if (type->isBool())
    return node.refuse("has no meaning for booleans");
  node.setResult(0, mapElements(
                        node.g, {node.input(0), *operand}, *type,
                        [type = *type](GraphBuilder &g, ArrayRef<Value> in) {
                          return function(g, type, in[0], in[1]);
                        },
                        node.describe()));
  return success();
}

static LogicalResult emitMod(Node &node) {
  FailureOr<ElementType> type = commonType(node);
  if (failed(type))
    return failure();
  bool isTruncated = node.attribute("fmod", int64_t(0)) != 0;
  return mapInputs(
      node, *type,
      [isTruncated, type = *type](GraphBuilder &g, ArrayRef<Value> in) {
        if (!isTruncated)
          return floorRemainder(g, type, in[0], in[1]);
        return type.isFloat() ? remainder(g, in[0], in[1])
                              : remElements(g, type, in[0], in[1]);
      },
      /*hasLanes=*/!type->isFloat());
}

/// Min, Max, Sum, Mean: any number of inputs.
template <BinaryFunction function, bool isMean = false>
static LogicalResult variadic(Node &node) {
  FailureOr<ElementType> type = commonType(node);
  if (failed(type))
    return failure();
  if (type->isBool())
    return node.refuse("has no meaning for booleans");
  if (isMean && !type->isFloat())
    return node.refuse("its inputs have no floating-point elements");
  return mapInputs(
      node, *type, [type = *type](GraphBuilder &g, ArrayRef<Value> in) {
        Value result = in[0];
        for (Value value : in.drop_front())
          result = function(g, type, result, value);
        if (isMean)
          result = fold<arith::DivFOp>(
              g, result, g.constant(result.getType(), double(in.size())));
        return result;
      });
}

//===----------------------------------------------------------------------===//
// Powers
//===----------------------------------------------------------------------===//

/// a^b of integers, by squaring: exact modulo the width.
static Value integerPower(GraphBuilder &g, bool isSigned, Value a, Value b) {
  Type type = a.getType();
  Value one = g.integer(type, 1), zero = g.integer(type, 0);
  Values bits = g.loop(
      g.number(getElementTypeOrSelf(type).getIntOrFloatBitWidth()),
      ValueRange{one, a, b}, [&](Value, ValueRange carried) -> Values {
        Value isOdd = arith::CmpIOp::create(
            g.b, g.loc, arith::CmpIPredicate::ne,
            arith::AndIOp::create(g.b, g.loc, carried[2], one), zero);
        Value product =
            arith::MulIOp::create(g.b, g.loc, carried[0], carried[1]);
        return {arith::SelectOp::create(g.b, g.loc, isOdd, product, carried[0]),
                arith::MulIOp::create(g.b, g.loc, carried[1], carried[1]),
                arith::ShRUIOp::create(g.b, g.loc, carried[2], one)};
      });
  if (!isSigned)
    return bits[0];
  // Negative exponents: only 1 and -1 have integer powers; 0 otherwise.
  Value isNegative =
      arith::CmpIOp::create(g.b, g.loc, arith::CmpIPredicate::slt, b, zero);
  Value isUnit =
      arith::OrIOp::create(g.b, g.loc, isEqualTo(g, a, 1), isEqualTo(g, a, -1));
  // Of those the power of the exponent's low bit is the power.
  Value whole = arith::SelectOp::create(g.b, g.loc, isUnit, bits[0], zero);
  return arith::SelectOp::create(g.b, g.loc, isNegative, whole, bits[0]);
}

static Value integerPowerOf(GraphBuilder &g, ElementType type,
                            ElementType exponent, Value a, Value b) {
  Type i64 = g.b.getI64Type();
  ElementType wide =
      type.isUnsigned() ? g.b.getIntegerType(64, /*isSigned=*/false) : i64;
  Value result =
      integerPower(g, !exponent.isUnsigned(), castElement(g, a, type, wide),
                   castElement(g, b, exponent, wide));
  return castElement(g, result, wide, type);
}

/// An integer to the power of a float, rounded to zero.
static Value mixedPower(GraphBuilder &g, ElementType type, ElementType exponent,
                        Value a, Value b) {
  ElementType f64 = g.b.getF64Type(), i64 = g.b.getI64Type();
  Real power(g, castElement(g, b, exponent, f64));
  Real real(g, pow(g, castElement(g, a, type, f64), power));
  // Roots that are integers must not fall below.
  Real nearest = real.apply<math::RoundEvenOp>();
  Value isNear = absolute(real - nearest) <= 1e-12 * absolute(real);
  Value root = castElement(g, choose(isNear, nearest, real), f64, type);
  Value whole =
      integerPowerOf(g, type, i64, a, castElement(g, power, f64, i64));
  Value isWhole =
      fold<arith::AndIOp>(g, floor(power) == power, absolute(power) < 0x1p62);
  return fold<arith::SelectOp>(g, isWhole, whole, root);
}

static Value powerOf(GraphBuilder &g, ElementType type, ElementType exponent,
                     Value a, Value b) {
  if (type.isFloat())
    return pow(g, a, castElement(g, b, exponent, getElementTypeOrSelf(a)));
  return exponent.isFloat() ? mixedPower(g, type, exponent, a, b)
                            : integerPowerOf(g, type, exponent, a, b);
}

/// The number that all elements of the exponent are known to be.
static std::optional<double> knownExponent(const Tensor &tensor) {
  FloatAttr constant;
  if (tensor.hasElements && tensor.elements.size() == 1 &&
      matchPattern(tensor.elements[0], m_Constant(&constant)))
    return constant.getValueAsDouble();
  return std::nullopt;
}

static LogicalResult emitPow(Node &node) {
  ElementType type = node.input(0).type;
  FailureOr<Tensor> operand = alignedOperand(node);
  if (failed(operand))
    return failure();
  ElementType exponentType = operand->type;
  if (type.isBool() || exponentType.isBool())
    return node.refuse("has no meaning for booleans");
  std::optional<double> known = knownExponent(*operand);
  bool isProduct = type.isFloat() && (known == 2 || known == 3);
  node.setResult(0, mapElements(
                        node.g, {node.input(0), *operand}, type,
                        [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
                          if (!isProduct)
                            return powerOf(g, type, exponentType, in[0], in[1]);
                          Real x(g, in[0]);
                          return *known == 2 ? x * x : x * x * x;
                        },
                        node.describe(), /*hasLanes=*/type.isFloat()));
  return success();
}

//===----------------------------------------------------------------------===//
// Signs
//===----------------------------------------------------------------------===//

static Value negate(GraphBuilder &g, ElementType type, Value x) {
  if (type.isFloat())
    return fold<arith::NegFOp>(g, x);
  return subElements(g, type, g.integer(x.getType(), 0), x);
}

static Value magnitude(GraphBuilder &g, ElementType type, Value x) {
  if (type.isFloat())
    return fold<math::AbsFOp>(g, x);
  return type.isUnsigned() ? x : maxElements(g, type, x, negate(g, type, x));
}

static Value signOf(GraphBuilder &g, ElementType type, Value x) {
  if (type.isFloat()) {
    Real real(g, x);
    Real result = choose(0 < real, real.constant(1), real);
    return choose(real < 0, real.constant(-1), result);
  }
  Value one = g.integer(x.getType(), 1);
  if (type.isUnsigned())
    return minElements(g, type, x, one);
  return maxElements(g, type, minElements(g, type, x, one),
                     g.integer(x.getType(), -1));
}

using TypedFunction = Value (*)(GraphBuilder &, ElementType, Value);

template <TypedFunction function> static LogicalResult unary(Node &node) {
  ElementType type = node.input(0).type;
  if (type.isBool())
    return node.refuse("has no meaning for booleans");
  return mapInputs(node, type, [type](GraphBuilder &g, ArrayRef<Value> in) {
    return function(g, type, in[0]);
  });
}

static const OperatorRow rows[] = {
    {"Add", binary<addElements>, 2, 2},
    {"Mul", binary<mulElements>, 2, 2},
    {"Sub", binary<subElements>, 2, 2},
    {"Div", binary<divElements>, 2, 2},
    {"Mod", emitMod, 2, 2},
    {"Pow", emitPow, 2, 2},
    {"Min", variadic<minElements>, 1},
    {"Max", variadic<maxElements>, 1},
    {"Sum", variadic<addElements>, 1},
    {"Mean", variadic<addElements, true>, 1},
    {"Neg", unary<negate>, 1, 1},
    {"Abs", unary<magnitude>, 1, 1},
    {"Sign", unary<signOf>, 1, 1},
};

ArrayRef<OperatorRow> arithmeticOperators() { return rows; }

} // namespace llmopt::graph
