//===- ImageSampler.cpp - Images between their elements ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ImageSampler.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

Real ImageSampler::denormalized(const Real &place, const Real &size) const {
  if (alignCorners)
    return (place + 1.0) * 0.5 * (size - 1.0);
  return ((place + 1.0) * size - 1.0) * 0.5;
}

/// Thrown back at the borders until it is between them.
Real ImageSampler::reflected(const Real &x, const Real &size) const {
  Real low = x.constant(alignCorners ? 0 : -0.5);
  Real high = alignCorners ? size - 1.0 : size - 0.5;
  Real range = high - low;
  Value isBelow = x < low;
  Real distance = choose(isBelow, low - x, x - high);
  // A single element with borders at its middle reflects everything to itself.
  Value isPoint = range <= 0.0;
  Real turns =
      (distance / choose(isPoint, x.constant(1), range)).apply<math::TruncOp>();
  Real rest = distance - turns * range;
  Value isEven = (turns * 0.5).apply<math::FloorOp>() * 2.0 == turns;
  Value fromLow = arith::CmpIOp::create(g.b, g.loc, arith::CmpIPredicate::eq,
                                        isBelow, isEven);
  Real thrown = choose(fromLow, low + rest, high - rest);
  thrown = choose(isPoint, low, thrown);
  Value isOutside = g.logicalOr(isBelow, high < x);
  return choose(isOutside, thrown, x);
}

/// The whole place as a valid index; a NaN gives 0.
Value ImageSampler::index(const Real &x, const Real &size) const {
  Real last = size - 1.0;
  Real below = choose(x < last, x, last);
  Real inside = choose(0.0 < below, below, x.constant(0));
  // What is no number is not less than the last one.
  inside = choose(isNaN(x), x.constant(0), inside);
  return arith::FPToSIOp::create(g.b, g.loc, g.b.getI64Type(), inside);
}

Tap ImageSampler::tapAt(Real x, const Real &size, Value weight) const {
  Tap tap;
  tap.weight = weight;
  if (outside == Outside::Zeros)
    tap.isRead = g.logicalAnd(x.constant(0) <= x, x <= size - 1.0);
  if (outside == Outside::Reflection)
    x = reflected(x, size);
  tap.offset = index(x, size);
  return tap;
}

/// Keys' kernel with a = -0.75 for the elements at -1, 0, 1 and 2.
SmallVector<Value, 4> ImageSampler::cubicWeights(const Real &fraction) const {
  constexpr double a = -0.75;
  auto far = [&](const Real &x) {
    return polynomial(x, {a, -5 * a, 8 * a, -4 * a});
  };
  auto near = [&](const Real &x) {
    return polynomial(x, {a + 2, -(a + 3), 0, 1});
  };
  Real rest = 1.0 - fraction;
  return {far(fraction + 1.0), near(fraction), near(rest), far(rest + 1.0)};
}

SmallVector<Tap> ImageSampler::along(Value place, Value size) const {
  Real normal(g, place);
  Real length(g, fromNumber(g, size, place.getType()));
  return at(denormalized(normal, length), size);
}

SmallVector<Tap> ImageSampler::at(Value place, Value size) const {
  Real x(g, place), length(g, fromNumber(g, size, place.getType()));
  if (mode == SampleMode::Nearest)
    x = x.apply<math::RoundEvenOp>();
  // Of cubic interpolation, each element that it takes is moved by itself.
  if (outside == Outside::Border && mode != SampleMode::Cubic)
    x = clamp(x, x.constant(0), length - 1.0);
  if (outside == Outside::Reflection)
    x = reflected(x, length);
  if (mode == SampleMode::Nearest)
    return {tapAt(x, length, {})};
  Real whole = x.apply<math::FloorOp>(), fraction = x - whole;
  SmallVector<Value, 4> weights;
  if (mode == SampleMode::Linear)
    weights = {1.0 - fraction, fraction};
  else
    weights = cubicWeights(fraction);
  double first = mode == SampleMode::Linear ? 0 : -1;
  SmallVector<Tap> taps;
  for (auto [i, weight] : llvm::enumerate(weights))
    taps.push_back(tapAt(whole + (first + double(i)), length, weight));
  return taps;
}

SmallVector<Tap> ImageSampler::product(ArrayRef<Tap> outer, ArrayRef<Tap> inner,
                                       Value size) const {
  if (outer.empty())
    return SmallVector<Tap>(inner);
  SmallVector<Tap> taps;
  for (const Tap &out : outer)
    for (const Tap &in : inner) {
      Tap tap;
      tap.offset = g.add(g.mul(out.offset, size), in.offset);
      if (out.weight)
        tap.weight = mulValues(g, out.weight, in.weight);
      if (out.isRead)
        tap.isRead = g.logicalAnd(out.isRead, in.isRead);
      taps.push_back(tap);
    }
  return taps;
}

Value ImageSampler::read(const Tensor &image, Value first,
                         ArrayRef<Tap> taps) const {
  Value sum;
  for (const Tap &tap : taps) {
    Value element = g.loadElement(image, g.add(first, tap.offset));
    if (tap.isRead)
      element =
          g.select(tap.isRead, element, g.constant(image.type.compute(), 0));
    if (!tap.weight)
      return element;
    Value weight = tap.weight;
    if (weight.getType() != element.getType())
      weight = element.getType().isF64()
                   ? Value(arith::ExtFOp::create(g.b, g.loc, element.getType(),
                                                 weight))
                   : Value(arith::TruncFOp::create(g.b, g.loc,
                                                   element.getType(), weight));
    Value share = mulValues(g, element, weight);
    sum = sum ? addValues(g, sum, share) : share;
  }
  return sum;
}

} // namespace llmopt::graph
