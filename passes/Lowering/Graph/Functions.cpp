//===- Functions.cpp - Exponentials and their kin ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Real.h"
#include <numbers>

using namespace mlir;

namespace llmopt::graph {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

//===----------------------------------------------------------------------===//
// Exponential
//===----------------------------------------------------------------------===//

namespace {
/// e^x = (1 + rest) * first * second, the latter powers of two.
struct ExpParts {
  Real rest, first, second;
};
} // namespace

/// 2^exponent for exponents of normal numbers.
static Real powerOfTwo(const Real &like, Value exponent) {
  GraphBuilder &g = like.builder();
  Type type = like.bitsType();
  int64_t bias = like.isDouble() ? 1023 : 127;
  int64_t mantissa = like.isDouble() ? 52 : 23;
  Value biased =
      arith::AddIOp::create(g.b, g.loc, exponent, g.integer(type, bias));
  return like.fromBits(
      arith::ShLIOp::create(g.b, g.loc, biased, g.integer(type, mantissa)));
}

/// e^r - 1 for |r| <= ln(2) / 2. f64: the series, of `terms` terms.
static Real expOfRest(const Real &r, int terms) {
  if (!r.isDouble()) {
    // The minimax polynomial of Cephes' expf.
    Real p = polynomial(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
                            4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
    return fma(p, r * r, r);
  }
  SmallVector<double> coefficients;
  double factorial = 1;
  for (int k = 2; k <= terms; ++k) {
    factorial *= k;
    coefficients.insert(coefficients.begin(), 1 / factorial);
  }
  return fma(polynomial(r, coefficients), r * r, r);
}

static ExpParts expParts(Real x, int terms = 13) {
  // The bounds lie past those of the type, where the result is 0 or infinite by
  // the multiplications with the powers.
  x = clamp(x, x.constant(-104, -746), x.constant(89, 710));
  // Adding 1.5 * 2^23 leaves the rounded integer in the low bits.
  Real magic = x.constant(0x1.8p23, 0x1.8p52);
  Real shifted = fma(x, x.constant(std::numbers::log2e), magic);
  Real n = shifted - magic;
  Real r = fma(n, x.constant(-0x1.62e4p-1, -0x1.62e42fefa39efp-1), x);
  r = fma(n, x.constant(-0x1.7f7d1cp-20, -0x1.abc9e3b39803fp-56), r);

  GraphBuilder &g = x.builder();
  Value exponent =
      arith::SubIOp::create(g.b, g.loc, shifted.bits(), magic.bits());
  // Two factors, so that both exponents are those of normal numbers.
  Value first =
      arith::ShRSIOp::create(g.b, g.loc, exponent, g.integer(x.bitsType(), 1));
  Value second = arith::SubIOp::create(g.b, g.loc, exponent, first);
  return {expOfRest(r, terms), powerOfTwo(x, first), powerOfTwo(x, second)};
}

static Real exp(const Real &x, int terms = 13) {
  ExpParts parts = expParts(x, terms);
  return (parts.rest + 1) * parts.first * parts.second;
}

static Real expm1(const Real &x) {
  // first * (1 + rest) - 1 / second loses nothing where the powers are 1.
  ExpParts parts = expParts(x);
  Real difference = parts.first - 1.0 / parts.second;
  Real result = fma(parts.first, parts.rest, difference) * parts.second;
  return choose(x == 0, x, result);
}

//===----------------------------------------------------------------------===//
// Logarithm
//===----------------------------------------------------------------------===//

/// ln(x) as that of a number in [sqrt(1/2), sqrt(2)) and an exponent. `terms`
/// of the series of the former.
static Real log(const Real &x, int terms) {
  GraphBuilder &g = x.builder();
  Type type = x.bitsType();
  bool isDouble = x.isDouble();
  auto ints = [&](int64_t number) { return g.integer(type, number); };
  int64_t mantissaBits = isDouble ? 52 : 23;
  Value isSmall = x < x.constant(0x1p-126, 0x1p-1022);
  Real scaled = choose(isSmall, x * x.constant(0x1p23, 0x1p52), x);

  Value lowest = ints(isDouble ? 0x3fe6a09e667f3bcd : 0x3f3504f3);
  Value above = arith::SubIOp::create(g.b, g.loc, scaled.bits(), lowest);
  Value exponent =
      arith::ShRSIOp::create(g.b, g.loc, above, ints(mantissaBits));
  Value mask = ints((int64_t(1) << mantissaBits) - 1);
  Value fraction = arith::AndIOp::create(g.b, g.loc, above, mask);
  Real m = x.fromBits(arith::AddIOp::create(g.b, g.loc, fraction, lowest));
  Real e(g, arith::SIToFPOp::create(g.b, g.loc, x.type(), exponent));
  e = choose(isSmall, e - x.constant(23, 52), e);

  // ln(1 + f) = f - (f^2/2 - s (f^2/2 + R)) with s = f / (2 + f) and
  // R = 2 s^2 / 3 + 2 s^4 / 5 + ...
  Real f = m - 1;
  Real s = f / (f + 2);
  Real z = s * s;
  SmallVector<double> coefficients;
  for (int k = terms; k >= 1; --k)
    coefficients.push_back(2.0 / (2 * k + 1));
  Real series = z * polynomial(z, coefficients);
  Real half = 0.5 * f * f;
  Real low = fma(e, x.constant(0x1.2fefa2p-17, 1.90821492927058770002e-10),
                 s * (half + series));
  Real high = e * x.constant(0x1.62e3p-1, 6.93147180369123816490e-01);
  Real result = high - ((half - low) - f);

  result = choose(x < kInfinity, result, x);
  result = choose(x < 0, x.constant(kNaN), result);
  return choose(x == 0, x.constant(-kInfinity), result);
}

static Real log(const Real &x) { return log(x, x.isDouble() ? 9 : 4); }

static Real log1p(const Real &x) {
  Real sum = x + 1;
  // What rounding of the sum has lost, over the sum.
  Real result = log(sum) + (x - (sum - 1)) / sum;
  result = choose(x < kInfinity, result, x);
  result = choose(x == 0, x, result);
  return choose(x == -1, x.constant(-kInfinity), result);
}

//===----------------------------------------------------------------------===//
// Powers
//===----------------------------------------------------------------------===//

static Real toDouble(const Real &x) {
  GraphBuilder &g = x.builder();
  return {g, arith::ExtFOp::create(g.b, g.loc,
                                   g.withLanes(g.b.getF64Type(), x.lanes()),
                                   Value(x))};
}

/// |x|^y: f32 in f64 with as many terms as that takes.
static Real powerOfMagnitude(const Real &x, const Real &y) {
  Real magnitude = absolute(x);
  if (x.isDouble())
    return exp(y * log(magnitude));
  Real wide = exp(toDouble(y) * log(toDouble(magnitude), 6), 9);
  GraphBuilder &g = x.builder();
  return {g, arith::TruncFOp::create(g.b, g.loc, x.type(), wide)};
}

static Real pow(const Real &x, const Real &y) {
  GraphBuilder &g = x.builder();
  Real result = powerOfMagnitude(x, y);
  result = choose(absolute(x) == 1, x.constant(1), result);
  // Negative numbers have powers of whole exponents only.
  Value isWhole = floor(y) == y;
  Real half = y * 0.5;
  Value isOdd = arith::AndIOp::create(
      g.b, g.loc, isWhole,
      half.compare(arith::CmpFPredicate::ONE, floor(half)));
  result = choose(isOdd, copySign(result, x), result);
  Value isFinite = arith::AndIOp::create(g.b, g.loc, x < 0, -kInfinity < x);
  Value isUndefined = arith::AndIOp::create(
      g.b, g.loc, isFinite, y.compare(arith::CmpFPredicate::ONE, floor(y)));
  result = choose(isUndefined, x.constant(kNaN), result);
  // A NaN operand gives NaN but for x = 1 and y = 0.
  Value hasNaN = x.compare(arith::CmpFPredicate::UNO, y);
  result = choose(hasNaN, x + y, result);
  Value isOne = arith::OrIOp::create(g.b, g.loc, x == 1, y == 0);
  return choose(isOne, x.constant(1), result);
}

//===----------------------------------------------------------------------===//
// Remainder
//===----------------------------------------------------------------------===//

/// The exponent of a positive f64, with its bias; of denormal numbers a lower
/// bound.
static Value exponentOf(const Real &x) {
  GraphBuilder &g = x.builder();
  Value exponent = arith::ShRUIOp::create(g.b, g.loc, x.bits(), g.number(52));
  return g.select(g.equal(exponent, 0), g.number(-52), exponent);
}

/// x 2^k for 0 <= k < 3000.
static Real scaled(Real x, Value k) {
  GraphBuilder &g = x.builder();
  for (int step = 0; step < 3; ++step) {
    Value part = g.min(k, 1000);
    x = x * powerOfTwo(x, part);
    k = g.sub(k, part);
  }
  return x;
}

/// Of positive f64, exactly: each step takes up to 50 bits off the quotient.
static Real remainderOfMagnitudes(const Real &x, const Real &y) {
  GraphBuilder &g = x.builder();
  constexpr int64_t kBits = 50;
  Value bits = g.max(g.sub(exponentOf(x), exponentOf(y)), 0);
  Value steps = g.add(g.div(bits, kBits), 1);
  Values rest = g.loop(steps, ValueRange{x}, [&](Value i, ValueRange carried) {
    Real r(g, carried[0]);
    Real divisor = scaled(y, g.mul(g.sub(g.sub(steps, 1), i), g.number(kBits)));
    Real quotient = (r / divisor).apply<math::TruncOp>();
    Real next = fma(-quotient, divisor, r);
    // The quotient may have been rounded up.
    return Values{choose(next < 0, next + divisor, next)};
  });
  return {g, rest[0]};
}

static Real remainder(const Real &x, const Real &y) {
  GraphBuilder &g = x.builder();
  Real a = absolute(x), b = absolute(y), one = x.constant(1);
  Value isFinite = a < kInfinity;
  Value isProper = arith::AndIOp::create(
      g.b, g.loc, isFinite,
      arith::AndIOp::create(g.b, g.loc, 0 < b, b < kInfinity));
  Real dividend = choose(isProper, a, one), divisor = choose(isProper, b, one);
  Real rest = x.isDouble()
                  ? remainderOfMagnitudes(dividend, divisor)
                  : Real(g, arith::TruncFOp::create(
                                g.b, g.loc, x.type(),
                                Value(remainderOfMagnitudes(
                                    toDouble(dividend), toDouble(divisor)))));
  rest = choose(isProper, rest, x.constant(kNaN));
  Value isWhole = arith::AndIOp::create(g.b, g.loc, isFinite, b == kInfinity);
  return copySign(choose(isWhole, a, rest), x);
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

static Real tanh(const Real &x) {
  if (x.isDouble()) {
    Real magnitude = absolute(x);
    Real grown = expm1(2.0 * choose(magnitude < 22, magnitude, x.constant(22)));
    Real result = copySign(grown / (grown + 2), x);
    return choose(isNaN(x), x, result);
  }
  // A rational minimax approximation; beyond the bounds the result is 1.
  Real bounded = clamp(x, x.constant(-7.99881172180175781),
                       x.constant(7.99881172180175781));
  Real square = bounded * bounded;
  Real above = polynomial(square, {-2.76076847742355e-16, 2.00018790482477e-13,
                                   -8.60467152213735e-11, 5.12229709037114e-08,
                                   1.48572235717979e-05, 6.37261928875436e-04,
                                   4.89352455891786e-03});
  Real below = polynomial(square, {1.19825839466702e-06, 1.18534705686654e-04,
                                   2.26843463243900e-03, 4.89352518554385e-03});
  Real result = bounded * above / below;
  return choose(absolute(x) < 4e-4, x, result);
}

/// erf of f64: a polynomial in x^2 up to 1, then 1 - e^(p(x) - x^2).
static Real erfDouble(const Real &x) {
  Real magnitude = absolute(x);
  Real square = x * x;
  Real inner =
      x * polynomial(square, {2.8067128195611262e-13, -6.1967364287877e-12,
                              9.3237235181530266e-11, -1.2277734486795524e-9,
                              1.4806027146128752e-8, -1.6365768648832072e-7,
                              1.6462110782018636e-6, -1.4925650236967502e-5,
                              0.00012055332978879484, -0.00085483270234030006,
                              0.005223977625441674, -0.026866170645131219,
                              0.11283791670955126, -0.37612638903183752,
                              1.1283791670955126});
  Real t = clamp(magnitude, x.constant(1), x.constant(6));
  Real p = polynomial(
      (t - 3.5) * 0.4,
      {-3.245901999030085e-10, 2.1901845906851097e-9,   -5.1951607385372206e-9,
       4.8610991029225574e-9,  -9.6528252053603727e-10, -3.0414788597569983e-9,
       2.7966374245484618e-8,  -1.286781347382139e-7,   3.8251506449279393e-7,
       -9.1779753326693184e-7, 1.919146618676658e-6,    -3.4196471333147523e-6,
       4.5653913877192365e-6,  -1.4783966569639068e-6,  -1.8474346905170144e-5,
       9.0901103641757262e-5,  -0.0003078195950532894,  0.00089357655647921244,
       -0.0023739972761078477, 0.0059537044786857655,   -0.014384548330638939,
       0.034128411079638966,   -0.081650909717799245,   0.20779340786106321,
       -0.66524897091297725,   -1.8624374021481738});
  Real outer = copySign(1.0 - exp(p - t * t), x);
  return choose(1.0 < magnitude, outer, inner);
}

static Real erf(const Real &x) {
  if (x.isDouble())
    return erfDouble(x);
  // From 4 on the result is 1.
  Real magnitude = absolute(x);
  Real t = choose(magnitude < 4, magnitude, x.constant(4));
  Real square = t * t;
  Real p = fma(x.constant(-1.72853470e-5), t, x.constant(3.83197126e-4));
  Real q = fma(x.constant(-3.88396438e-3), t, x.constant(2.42546219e-2));
  p = fma(p, square, q);
  for (double coefficient : {-1.06777877e-1, -6.34846687e-1, -1.28717512e-1})
    p = fma(p, t, x.constant(coefficient));
  Real outer = copySign(1.0 - exp(fma(p, t, -t)), x);
  Real inner =
      polynomial(square, {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2,
                          1.12819925e-1, -3.76125336e-1, 1.28379166e-1});
  inner = fma(inner, x, x);
  // A NaN is not above the bound.
  return choose(0.927734375 < magnitude, outer, inner);
}

static Real sigmoid(const Real &x) { return 1.0 / (exp(-x) + 1); }

static Real softplus(const Real &x) {
  Real positive = choose(x < 0, x.constant(0), x);
  return positive + log1p(exp(-absolute(x)));
}

static Real gelu(const Real &x) {
  Real half = 0.5 * x;
  return fma(half, erf(x * (1 / std::numbers::sqrt2)), half);
}

static Real geluTanh(const Real &x) {
  double scale = 2 / (std::numbers::sqrt2 * 1.7724538509055160273);
  Real inner = x * fma(x * x, x.constant(scale * 0.044715), x.constant(scale));
  Real half = 0.5 * x;
  return fma(half, tanh(inner), half);
}

static Real mish(const Real &x) {
  // tanh(ln(1 + w)) = (w^2 + 2 w) / (w^2 + 2 w + 2); from 20 on it is 1.
  Real w = exp(choose(x < 20, x, x.constant(20)));
  Real n = w * (w + 2);
  return x * (n / (n + 2));
}

//===----------------------------------------------------------------------===//
// Hyperbolic functions
//===----------------------------------------------------------------------===//

static Real sinh(const Real &x) {
  Real magnitude = absolute(x);
  Real grown = expm1(magnitude);
  Real small = 0.5 * (grown + grown / (grown + 1));
  // e^x alone would be infinite too early.
  Real root = exp(0.5 * magnitude);
  Real large = (0.5 * root) * root;
  return copySign(choose(magnitude < 20, small, large), x);
}

static Real cosh(const Real &x) {
  Real root = exp(0.5 * absolute(x));
  return fma(0.5 * root, root, 0.5 / root / root);
}

/// Beyond this the square of a number overflows or 1 is lost beside it.
static Real largeRoot(const Real &x) { return x.constant(0x1p60, 0x1p500); }

static Real asinh(const Real &x) {
  Real magnitude = absolute(x);
  Value isLarge = largeRoot(x) < magnitude;
  Real m = choose(isLarge, x.constant(1), magnitude);
  Real square = m * m;
  Real small = log1p(m + square / (squareRoot(square + 1) + 1));
  Real large = log(magnitude) + std::numbers::ln2;
  Real result = copySign(choose(isLarge, large, small), x);
  return choose(isNaN(x), x, result);
}

static Real acosh(const Real &x) {
  Value isLarge = largeRoot(x) < x;
  Real t = choose(isLarge, x.constant(1), x) - 1;
  Real small = log1p(t + squareRoot(t * (t + 2)));
  Real large = log(x) + std::numbers::ln2;
  Real result = choose(isLarge, large, small);
  return choose(x < 1, x.constant(kNaN), result);
}

static Real atanh(const Real &x) {
  Real magnitude = absolute(x);
  Real result = 0.5 * log1p(2.0 * magnitude / (1.0 - magnitude));
  return copySign(result, x);
}

//===----------------------------------------------------------------------===//
// Interface
//===----------------------------------------------------------------------===//

Value exp(GraphBuilder &g, Value x) { return exp(Real(g, x)); }
Value expm1(GraphBuilder &g, Value x) { return expm1(Real(g, x)); }
Value log(GraphBuilder &g, Value x) { return log(Real(g, x)); }
Value log1p(GraphBuilder &g, Value x) { return log1p(Real(g, x)); }
Value pow(GraphBuilder &g, Value x, Value y) {
  return pow(Real(g, x), Real(g, y));
}
Value remainder(GraphBuilder &g, Value x, Value y) {
  return remainder(Real(g, x), Real(g, y));
}
Value sqrt(GraphBuilder &g, Value x) { return squareRoot(Real(g, x)); }
Value tanh(GraphBuilder &g, Value x) { return tanh(Real(g, x)); }
Value erf(GraphBuilder &g, Value x) { return erf(Real(g, x)); }
Value sigmoid(GraphBuilder &g, Value x) { return sigmoid(Real(g, x)); }
Value silu(GraphBuilder &g, Value x) {
  return Real(g, x) / (exp(-Real(g, x)) + 1);
}
Value softplus(GraphBuilder &g, Value x) { return softplus(Real(g, x)); }
Value gelu(GraphBuilder &g, Value x) { return gelu(Real(g, x)); }
Value geluTanh(GraphBuilder &g, Value x) { return geluTanh(Real(g, x)); }
Value mish(GraphBuilder &g, Value x) { return mish(Real(g, x)); }
Value sinh(GraphBuilder &g, Value x) { return sinh(Real(g, x)); }
Value cosh(GraphBuilder &g, Value x) { return cosh(Real(g, x)); }
Value asinh(GraphBuilder &g, Value x) { return asinh(Real(g, x)); }
Value acosh(GraphBuilder &g, Value x) { return acosh(Real(g, x)); }
Value atanh(GraphBuilder &g, Value x) { return atanh(Real(g, x)); }

} // namespace llmopt::graph
