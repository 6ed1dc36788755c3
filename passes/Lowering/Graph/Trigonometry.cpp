//===- Trigonometry.cpp - Functions of angles in graph code -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Real.h"
#include <numbers>

using namespace mlir;

namespace llmopt::graph {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
static constexpr double kHalfPi = std::numbers::pi / 2;

//===----------------------------------------------------------------------===//
// Reduction of angles
//===----------------------------------------------------------------------===//

namespace {
/// x = quadrant * pi/2 + rest with |rest| <= pi/4; quadrants count modulo 4.
struct Angle {
  Real rest;
  Value quadrant; ///< integers as wide as the float
};
} // namespace

/// Angles up to this are reduced with pi/2 as a sum of three floats.
static double largestSmallAngle(const Real &x) {
  return x.isDouble() ? 0x1p22 : 0x1p15;
}

static Angle reduceSmall(const Real &x) {
  GraphBuilder &g = x.builder();
  Real magic = x.constant(0x1.8p23, 0x1.8p52);
  Real shifted = fma(x, x.constant(2 / std::numbers::pi), magic);
  Real n = shifted - magic;
  Real r = fma(n, x.constant(-0x1.921fb0p0, -0x1.921fb54400000p0), x);
  r = fma(n, x.constant(-0x1.5110b4p-22, -0x1.0b4611a600000p-34), r);
  r = fma(n, x.constant(-0x1.846988p-48, -0x1.3198a2e037073p-69), r);
  Value quadrant =
      arith::SubIOp::create(g.b, g.loc, shifted.bits(), magic.bits());
  return {r, quadrant};
}

/// An integer as one of another width, without sign.
static Value resized(GraphBuilder &g, Value value, unsigned width) {
  Type type = g.b.getIntegerType(width);
  unsigned old = value.getType().getIntOrFloatBitWidth();
  if (width == old)
    return value;
  if (width > old)
    return arith::ExtUIOp::create(g.b, g.loc, type, value);
  return arith::TruncIOp::create(g.b, g.loc, type, value);
}

static Value constantBits(GraphBuilder &g, const APInt &bits) {
  Type type = g.b.getIntegerType(bits.getBitWidth());
  return arith::ConstantOp::create(g.b, g.loc, IntegerAttr::get(type, bits));
}

static Value shiftRight(GraphBuilder &g, Value value, unsigned amount) {
  APInt bits(value.getType().getIntOrFloatBitWidth(), amount);
  return arith::ShRUIOp::create(g.b, g.loc, value, constantBits(g, bits));
}

/// The first digits of 2/pi behind the point.
static APInt twoOverPi(unsigned digits) {
  static constexpr StringLiteral kDigits(
      "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561"
      "b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484"
      "e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980f"
      "ef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b"
      "3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cfbc209af4361d");
  return APInt(1280, kDigits, 16).lshr(1280 - digits).trunc(digits);
}

/// |x| 2/pi modulo 4 of a scalar above largestSmallAngle: an integer of
/// `width` bits, two of them before the point. Payne and Hanek: of the digits
/// of 2/pi only those matter that such bits depend on.
static Value quarterTurns(const Real &x, unsigned width) {
  GraphBuilder &g = x.builder();
  bool isDouble = x.isDouble();
  int64_t fractionBits = isDouble ? 52 : 23;
  int64_t bias = isDouble ? 1023 : 127;
  Type ints = x.bitsType();
  auto constant = [&](int64_t number) { return g.integer(ints, number); };
  int64_t implicit = int64_t(1) << fractionBits;
  Value bits = x.bits();
  Value mantissa =
      arith::AndIOp::create(g.b, g.loc, bits, constant(implicit - 1));
  mantissa = arith::OrIOp::create(g.b, g.loc, mantissa, constant(implicit));
  Value exponent =
      arith::ShRUIOp::create(g.b, g.loc, bits, constant(fractionBits));
  exponent =
      arith::AndIOp::create(g.b, g.loc, exponent, constant(2 * bias + 1));

  // |x| = mantissa * 2^power. The product's bits from a weight of 4 on do not
  // matter, nor do the first power - 2 digits. As many zeros stand before the
  // digits as the power may be negative.
  constexpr int64_t kZeros = 32;
  APInt digits = twoOverPi(isDouble ? 1248 : 224);
  unsigned allBits = digits.getBitWidth() + kZeros;
  Value skipped = arith::SubIOp::create(
      g.b, g.loc, exponent, constant(bias + fractionBits + 2 - kZeros));
  // Infinities and NaNs are dealt with by the caller.
  skipped = arith::MaxSIOp::create(g.b, g.loc, skipped, constant(0));
  skipped = arith::MinSIOp::create(g.b, g.loc, skipped,
                                   constant(int64_t(allBits - width)));
  Value shifted =
      arith::ShLIOp::create(g.b, g.loc, constantBits(g, digits.zext(allBits)),
                            resized(g, skipped, allBits));
  Value window = resized(g, shiftRight(g, shifted, allBits - width), width);
  return arith::MulIOp::create(g.b, g.loc, window, resized(g, mantissa, width));
}

/// A scalar above largestSmallAngle.
static Angle reduceLarge(const Real &x) {
  GraphBuilder &g = x.builder();
  // Above the precision of x: as many bits as the fraction of the nearest
  // multiple of pi/2 can be small.
  unsigned width = x.isDouble() ? 192 : 96;
  Value turns = quarterTurns(x, width);
  Value half = constantBits(g, APInt::getOneBitSet(width, width - 3));
  Value rounded = arith::AddIOp::create(g.b, g.loc, turns, half);
  Type ints = x.bitsType();
  Value quadrant = resized(g, shiftRight(g, rounded, width - 2),
                           ints.getIntOrFloatBitWidth());

  // The 64 upper bits of the fraction as a signed number, for f64 64 more.
  Type f64 = g.b.getF64Type();
  Value two = constantBits(g, APInt(width, 2));
  Value fraction = arith::ShLIOp::create(g.b, g.loc, turns, two);
  Value upper = resized(g, shiftRight(g, fraction, width - 64), 64);
  Real rest(g, arith::SIToFPOp::create(g.b, g.loc, f64, upper));
  if (x.isDouble()) {
    Value lower = resized(g, shiftRight(g, fraction, width - 128), 64);
    Real small(g, arith::UIToFPOp::create(g.b, g.loc, f64, lower));
    rest = fma(small, small.constant(0x1p-64), rest);
  }
  rest = rest * (kHalfPi * 0x1p-64);
  if (!x.isDouble())
    rest = Real(g, arith::TruncFOp::create(g.b, g.loc, x.type(), rest));
  Value isNegative = x < 0;
  Value opposite =
      arith::SubIOp::create(g.b, g.loc, g.integer(ints, 0), quadrant);
  return {choose(isNegative, -rest, rest),
          arith::SelectOp::create(g.b, g.loc, isNegative, opposite, quadrant)};
}

/// Replaces the large lanes of an angle.
static Angle reduceLargeLanes(const Real &x, const Angle &angle) {
  GraphBuilder &g = x.builder();
  Value isLarge = largestSmallAngle(x) < absolute(x);
  Values all = g.loop(
      g.number(x.lanes()), ValueRange{angle.rest, angle.quadrant},
      [&](Value i, ValueRange carried) -> Values {
        Value lane =
            arith::IndexCastOp::create(g.b, g.loc, g.b.getIndexType(), i);
        auto extract = [&](Value vector) -> Value {
          return vector::ExtractOp::create(g.b, g.loc, vector, lane);
        };
        Angle large = reduceLarge({g, extract(x)});
        Values next;
        for (auto [value, vector] :
             llvm::zip_equal(ValueRange{large.rest, large.quadrant}, carried)) {
          Value chosen = arith::SelectOp::create(g.b, g.loc, extract(isLarge),
                                                 value, extract(vector));
          next.push_back(
              vector::InsertOp::create(g.b, g.loc, chosen, vector, lane));
        }
        return next;
      });
  return {Real(g, all[0]), all[1]};
}

static Angle reduce(const Real &x) {
  GraphBuilder &g = x.builder();
  Angle small = reduceSmall(x);
  Value isLarge = largestSmallAngle(x) < absolute(x);
  bool isVector = x.lanes() > 1;
  if (isVector)
    isLarge = vector::ReductionOp::create(g.b, g.loc, vector::CombiningKind::OR,
                                          isLarge);
  Values reduced = g.ifElse(
      isLarge, TypeRange{x.type(), x.bitsType()},
      [&]() -> Values {
        Angle large = isVector ? reduceLargeLanes(x, small) : reduceLarge(x);
        return {large.rest, large.quadrant};
      },
      [&]() -> Values { return {small.rest, small.quadrant}; });
  return {Real(g, reduced[0]), reduced[1]};
}

//===----------------------------------------------------------------------===//
// Sine, cosine, tangent
//===----------------------------------------------------------------------===//

/// Coefficients of the series of sin(x) / x (first = 1) or cos(x) (first = 0)
/// in x^2, but for the constant one, the highest first.
static SmallVector<double> series(int first, int terms) {
  SmallVector<double> coefficients;
  double coefficient = 1;
  for (int k = 1; k <= terms; ++k) {
    coefficient /= -double(2 * k + first - 1) * (2 * k + first);
    coefficients.insert(coefficients.begin(), coefficient);
  }
  return coefficients;
}

static Real sinOfRest(const Real &r) {
  Real square = r * r;
  Real p = polynomial(square, series(1, r.isDouble() ? 8 : 4));
  return fma(p * square, r, r);
}

static Real cosOfRest(const Real &r) {
  Real square = r * r;
  Real p = polynomial(square, series(0, r.isDouble() ? 8 : 5));
  return fma(p, square, r.constant(1));
}

static Value hasBit(const Real &like, Value quadrant, int64_t bit) {
  GraphBuilder &g = like.builder();
  Type ints = like.bitsType();
  Value masked =
      arith::AndIOp::create(g.b, g.loc, quadrant, g.integer(ints, bit));
  return arith::CmpIOp::create(g.b, g.loc, arith::CmpIPredicate::ne, masked,
                               g.integer(ints, 0));
}

/// sin(x + turns * pi/2)
static Real sinShifted(const Real &x, int64_t turns) {
  GraphBuilder &g = x.builder();
  Angle angle = reduce(x);
  Value quadrant = arith::AddIOp::create(g.b, g.loc, angle.quadrant,
                                         g.integer(x.bitsType(), turns));
  Real result = choose(hasBit(x, quadrant, 1), cosOfRest(angle.rest),
                       sinOfRest(angle.rest));
  result = choose(hasBit(x, quadrant, 2), -result, result);
  return choose(absolute(x) < kInfinity, result, x.constant(kNaN));
}

static Real tan(const Real &x) {
  Angle angle = reduce(x);
  Real sine = sinOfRest(angle.rest), cosine = cosOfRest(angle.rest);
  Value isOdd = hasBit(x, angle.quadrant, 1);
  Real result = choose(isOdd, -cosine, sine) / choose(isOdd, sine, cosine);
  return choose(absolute(x) < kInfinity, result, x.constant(kNaN));
}

//===----------------------------------------------------------------------===//
// Inverses
//===----------------------------------------------------------------------===//

static Real atan(const Real &x) {
  Real magnitude = absolute(x);
  // atan(m) = pi/2 + atan(-1/m) = pi/4 + atan((m - 1) / (m + 1)).
  Value isLarge = 2.414213562373095 < magnitude;
  Value isMiddle = 0.41421356237309503 < magnitude;
  Real zero = x.constant(0);
  Real above = choose(isLarge, x.constant(-1), magnitude - 1);
  Real below = choose(isLarge, magnitude, magnitude + 1);
  Real reduced = choose(isMiddle, above / below, magnitude);
  Real start = choose(isLarge, x.constant(kHalfPi),
                      choose(isMiddle, x.constant(kHalfPi / 2), zero));
  SmallVector<double> coefficients;
  for (int k = x.isDouble() ? 20 : 9; k >= 1; --k)
    coefficients.push_back((k % 2 ? -1.0 : 1.0) / (2 * k + 1));
  Real square = reduced * reduced;
  Real p = polynomial(square, coefficients);
  Real result = start + fma(p * square, reduced, reduced);
  return copySign(result, x);
}

/// asin(x) - x for |x| <= 1/2, the series.
static Real asinRest(const Real &x) {
  SmallVector<double> coefficients;
  double binomial = 1;
  for (int k = 1; k <= (x.isDouble() ? 23 : 9); ++k) {
    binomial *= (2.0 * k - 1) / (2.0 * k);
    coefficients.insert(coefficients.begin(), binomial / (2 * k + 1));
  }
  Real square = x * x;
  return polynomial(square, coefficients) * square * x;
}

/// asin(|x|) = asin(y) for |x| <= 1/2, else pi/2 - 2 asin(y).
static Real asinArgument(const Real &magnitude, Value isLarge) {
  return choose(isLarge, squareRoot((1.0 - magnitude) * 0.5), magnitude);
}

static Real asin(const Real &x) {
  Real magnitude = absolute(x);
  Value isLarge = 0.5 < magnitude;
  Real y = asinArgument(magnitude, isLarge);
  Real small = y + asinRest(y);
  return copySign(choose(isLarge, kHalfPi - 2.0 * small, small), x);
}

static Real acos(const Real &x) {
  Real magnitude = absolute(x);
  Value isLarge = 0.5 < magnitude;
  Real y = asinArgument(magnitude, isLarge);
  Real arcSine = y + asinRest(y);
  Real twice = 2.0 * arcSine;
  Real large = choose(x < 0, std::numbers::pi - twice, twice);
  return choose(isLarge, large, kHalfPi - copySign(arcSine, x));
}

//===----------------------------------------------------------------------===//
// Interface
//===----------------------------------------------------------------------===//

Value sin(GraphBuilder &g, Value x) {
  // -0 is its own sine.
  Real angle(g, x);
  return choose(angle == 0, angle, sinShifted(angle, 0));
}
Value cos(GraphBuilder &g, Value x) { return sinShifted(Real(g, x), 1); }
Value tan(GraphBuilder &g, Value x) {
  Real angle(g, x);
  return choose(angle == 0, angle, tan(angle));
}
Value asin(GraphBuilder &g, Value x) { return asin(Real(g, x)); }
Value acos(GraphBuilder &g, Value x) { return acos(Real(g, x)); }
Value atan(GraphBuilder &g, Value x) { return atan(Real(g, x)); }

} // namespace llmopt::graph
