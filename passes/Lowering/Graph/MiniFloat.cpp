//===- MiniFloat.cpp - Encodings of float8 and float4 -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Real.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// What follows from the semantics of a kind with sign and mantissa.
struct Format {
  explicit Format(ElementType type)
      : semantics(cast<FloatType>(type.get()).getFloatSemantics()),
        mantissa(APFloat::semanticsPrecision(semantics) - 1),
        minExponent(APFloat::semanticsMinExponent(semantics)),
        signBit(int64_t(1) << (type.bits() - 1)),
        hasInfinity(APFloat::semanticsHasInf(semantics)),
        isUnsignedZero(isa<Float8E4M3FNUZType, Float8E5M2FNUZType>(type.get())),
        hasNaN(!isa<Float4E2M1FNType>(type.get())) {
    auto code = [](const APFloat &value) {
      return int64_t(value.bitcastToAPInt().getZExtValue());
    };
    largest = code(APFloat::getLargest(semantics));
    // ONNX leaves a NaN of float4 open; here it is -0, as its own converter has
    // it.
    nan = hasNaN ? code(APFloat::getNaN(semantics)) : signBit;
    infinity = hasInfinity ? code(APFloat::getInf(semantics)) : nan;
  }

  const llvm::fltSemantics &semantics;
  int64_t mantissa, minExponent, signBit;
  bool hasInfinity;
  bool isUnsignedZero; ///< "FNUZ": the code of -0 is the only NaN
  bool hasNaN;
  int64_t largest = 0, nan = 0, infinity = 0;

  /// Shift from the mantissa of f32 to that of the kind.
  int64_t shift() const { return 23 - mantissa; }
  /// Difference of the exponents' biases, in place.
  int64_t rebias(int64_t place) const {
    return (127 - (1 - minExponent)) << place;
  }
};

/// Integer arithmetic on codes.
class Codes {
public:
  Codes(GraphBuilder &g, Type type) : g(g), type(type) {}
  Value constant(int64_t number) { return g.integer(type, number); }
  Value add(Value x, int64_t y) { return make<arith::AddIOp>(x, y); }
  Value bitAnd(Value x, int64_t y) { return make<arith::AndIOp>(x, y); }
  Value left(Value x, int64_t y) { return make<arith::ShLIOp>(x, y); }
  Value right(Value x, int64_t y) { return make<arith::ShRUIOp>(x, y); }
  Value compare(arith::CmpIPredicate predicate, Value x, int64_t y) {
    return arith::CmpIOp::create(g.b, g.loc, predicate, x, constant(y));
  }
  Value above(Value x, int64_t y) {
    return compare(arith::CmpIPredicate::ugt, x, y);
  }
  Value equal(Value x, int64_t y) {
    return compare(arith::CmpIPredicate::eq, x, y);
  }
  Value choose(Value condition, Value yes, Value no) {
    return arith::SelectOp::create(g.b, g.loc, condition, yes, no);
  }
  Value choose(Value condition, int64_t yes, Value no) {
    return choose(condition, constant(yes), no);
  }

private:
  template <typename Op> Value make(Value x, int64_t y) {
    return Op::create(g.b, g.loc, x, constant(y));
  }
  GraphBuilder &g;
  Type type;
};
} // namespace

/// The magnitude of an f32, given by its bits, rounded to nearest even: an
/// upper bound of all codes where it is too large.
static Value roundedCode(const Format &format, const Real &value,
                         Value magnitude) {
  GraphBuilder &g = value.builder();
  Codes codes(g, value.bitsType());
  Value isOdd = codes.bitAnd(codes.right(magnitude, format.shift()), 1);
  Value rounded = codes.add(magnitude, (1 << (format.shift() - 1)) - 1);
  rounded = arith::AddIOp::create(g.b, g.loc, rounded, isOdd);
  Value normal = codes.add(codes.right(rounded, format.shift()),
                           -format.rebias(format.mantissa));
  // Below the normal numbers, adding a power of two rounds to the last bit.
  Real magic = value.constant(
      std::ldexp(1.0, int(format.minExponent - format.mantissa + 23)));
  Real sum = value.fromBits(magnitude) + magic;
  Value small = arith::SubIOp::create(g.b, g.loc, sum.bits(), magic.bits());
  int64_t firstNormal = (format.minExponent + 127) << 23;
  return codes.choose(codes.above(magnitude, firstNormal - 1), normal, small);
}

static Value encodeSigned(const Format &format, const Real &value,
                          bool saturate) {
  GraphBuilder &g = value.builder();
  Codes codes(g, value.bitsType());
  Value bits = value.bits();
  Value magnitude = codes.bitAnd(bits, 0x7fffffff);
  Value code = roundedCode(format, value, magnitude);
  bool saturates = saturate || !format.hasNaN;
  code = codes.choose(codes.above(code, format.largest),
                      saturates ? format.largest : format.infinity, code);
  code = codes.choose(codes.above(magnitude, 0x7f800000), format.nan, code);
  int64_t signShift = 31 - llvm::Log2_64(format.signBit);
  Value sign = codes.bitAnd(codes.right(bits, signShift), format.signBit);
  if (format.isUnsignedZero)
    sign = codes.choose(codes.equal(code, 0), 0, sign);
  return arith::OrIOp::create(g.b, g.loc, code, sign);
}

static Value decodeSigned(const Format &format, const Real &like, Value code) {
  GraphBuilder &g = like.builder();
  Codes codes(g, like.bitsType());
  Value magnitude = codes.bitAnd(code, format.signBit - 1);
  Value normal =
      codes.add(codes.left(magnitude, format.shift()), format.rebias(23));
  Real units(g, arith::UIToFPOp::create(g.b, g.loc, like.type(), magnitude));
  Real small =
      units * std::ldexp(1.0, int(format.minExponent - format.mantissa));
  Value isNormal = codes.above(magnitude, (1 << format.mantissa) - 1);
  Value result = codes.choose(isNormal, normal, small.bits());
  constexpr int64_t kNaN = 0x7fc00000, kInfinity = 0x7f800000;
  if (format.isUnsignedZero)
    result = codes.choose(codes.equal(code, format.nan), kNaN, result);
  else if (format.hasNaN)
    result = codes.choose(codes.above(magnitude, format.largest), kNaN, result);
  if (format.hasInfinity)
    result = codes.choose(codes.equal(magnitude, format.infinity), kInfinity,
                          result);
  int64_t signShift = 31 - llvm::Log2_64(format.signBit);
  Value sign = codes.left(codes.bitAnd(code, format.signBit), signShift);
  return like.fromBits(arith::OrIOp::create(g.b, g.loc, result, sign));
}

/// A power of two by its exponent: see the table of ONNX's Cast.
static Value encodeExponent(const Real &value, const CastRules &rules) {
  GraphBuilder &g = value.builder();
  Codes codes(g, value.bitsType());
  constexpr int64_t kNaN = 0xff, kLargest = 0xfe;
  Value magnitude = codes.bitAnd(value.bits(), 0x7fffffff);
  Value exponent = codes.right(magnitude, 23);
  Value fraction = codes.bitAnd(magnitude, 0x7fffff);
  // 2^-127, the least one, is a denormal f32.
  Value isLeast = codes.compare(arith::CmpIPredicate::ule, magnitude, 0x400000);
  Value up = codes.add(exponent, 1);
  Value code = exponent;
  if (rules.exponentRounding == CastRules::Up)
    code = codes.choose(codes.above(fraction, 0), up, exponent);
  else if (rules.exponentRounding == CastRules::Nearest)
    code = codes.choose(codes.above(fraction, 0x3fffff), up, exponent);
  code = codes.choose(isLeast, 0, code);
  if (rules.saturate)
    code = codes.choose(codes.above(code, kLargest), kLargest, code);
  else
    code = codes.choose(
        codes.compare(arith::CmpIPredicate::ult, magnitude, 0x400000), kNaN,
        code);
  return codes.choose(codes.above(magnitude, 0x7f800000), kNaN, code);
}

static Value decodeExponent(const Real &like, Value code) {
  Codes codes(like.builder(), like.bitsType());
  Value bits = codes.left(code, 23);
  bits = codes.choose(codes.equal(code, 0), 0x400000, bits);
  bits = codes.choose(codes.equal(code, 0xff), 0x7fc00000, bits);
  return like.fromBits(bits);
}

Value encodeMiniFloat(GraphBuilder &g, ElementType type, Value value,
                      const CastRules &rules) {
  Real real(g, value);
  Value code = isa<Float8E8M0FNUType>(type.get())
                   ? encodeExponent(real, rules)
                   : encodeSigned(Format(type), real, rules.saturate);
  Type bytes = GraphBuilder::withLanes(g.b.getI8Type(), real.lanes());
  return arith::TruncIOp::create(g.b, g.loc, bytes, code);
}

Value decodeMiniFloat(GraphBuilder &g, ElementType type, Value stored) {
  auto vector = dyn_cast<VectorType>(stored.getType());
  int64_t lanes = vector ? vector.getNumElements() : 1;
  Real like(g, g.constant(GraphBuilder::withLanes(g.b.getF32Type(), lanes), 0));
  Value code = arith::ExtUIOp::create(g.b, g.loc, like.bitsType(), stored);
  if (isa<Float8E8M0FNUType>(type.get()))
    return decodeExponent(like, code);
  return decodeSigned(Format(type), like, code);
}

} // namespace llmopt::graph
