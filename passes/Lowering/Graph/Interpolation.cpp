//===- Interpolation.cpp - Resizing along one dimension ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Interpolation.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Reals.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

/// The place in the source, in elements, of element y of the result.
static Value originalPlace(GraphBuilder &g, const ResizeRules &rules,
                           const ResizedAxis &axis, Value y) {
  Reals r(g);
  Value before = r.fromNumber(axis.before);
  Value after = r.mul(axis.scale, before);
  Value last = r.sub(before, 1.0);
  auto halfPixel = [&] { return r.sub(r.div(r.add(y, 0.5), axis.scale), 0.5); };
  Value isOne = r.equal(after, 1);
  switch (rules.coordinates) {
  case Coordinates::HalfPixel:
    return halfPixel();
  case Coordinates::HalfPixelSymmetric: {
    Value adjustment = r.div(r.fromNumber(axis.after), after);
    Value offset = r.mul(r.mul(before, 0.5), r.sub(r.constant(1), adjustment));
    return r.add(offset, halfPixel());
  }
  case Coordinates::PytorchHalfPixel:
    return r.select(isOne, r.constant(0), halfPixel());
  case Coordinates::AlignCorners:
    return r.select(isOne, r.constant(0),
                    r.div(r.mul(y, last), r.sub(after, 1.0)));
  case Coordinates::Asymmetric:
    return r.div(y, axis.scale);
  case Coordinates::CropAndResize:
    break;
  }
  Value span = r.mul(r.sub(axis.end, axis.begin), last);
  Value place = r.select(isOne, r.mul(span, 0.5),
                         r.div(r.mul(y, span), r.sub(after, 1.0)));
  return r.add(place, r.mul(axis.begin, last));
}

/// True if a place is outside of the source, where a constant stands for it.
static Value isExtrapolated(GraphBuilder &g, const ResizedAxis &axis,
                            Value place) {
  Reals r(g);
  Value last = r.sub(r.fromNumber(axis.before), 1.0);
  return g.logicalOr(r.less(place, r.constant(0)), r.less(last, place));
}

static Value clampedIndex(GraphBuilder &g, const ResizedAxis &axis,
                          Value index) {
  return g.max(g.min(index, g.sub(axis.before, 1)), 0);
}

//===----------------------------------------------------------------------===//
// Nearest elements
//===----------------------------------------------------------------------===//

static Value nearestIndex(GraphBuilder &g, const ResizeRules &rules,
                          const ResizedAxis &axis, Value place) {
  Reals r(g);
  Value whole;
  switch (rules.rounding) {
  case Rounding::PreferFloor:
    whole = r.ceil(r.sub(place, 0.5));
    break;
  case Rounding::PreferCeil:
    whole = r.floor(r.add(place, 0.5));
    break;
  case Rounding::Floor:
    whole = r.floor(place);
    break;
  case Rounding::Ceil:
    whole = r.ceil(place);
    break;
  case Rounding::CeilIfSmaller:
    whole = r.select(r.less(axis.scale, r.constant(1)), r.ceil(place),
                     r.floor(place));
    break;
  }
  return clampedIndex(g, axis, r.toNumber(whole));
}

Tensor resizedNearest(GraphBuilder &g, const Tensor &source,
                      const ResizeRules &rules, const ResizedAxis &axis) {
  bool isCrop = rules.coordinates == Coordinates::CropAndResize;
  Tensor table = g.allocateTensor(g.b.getI64Type(), {axis.after});
  g.loop(axis.after, [&](Value i) {
    Reals r(g);
    Value place = originalPlace(g, rules, axis, r.fromNumber(i));
    Value index = nearestIndex(g, rules, axis, place);
    // What is outside is marked.
    if (isCrop)
      index = g.select(isExtrapolated(g, axis, place), g.number(-1), index);
    g.storeElement(table, i, index);
  });
  Values dims = source.dims;
  dims[axis.axis] = axis.after;
  int64_t number = axis.axis;
  if (!isCrop)
    return moved(g, source, dims, number + 1 < source.rank(),
                 [=](GraphBuilder &g, ArrayRef<Value> at) {
                   Values own(at);
                   own[number] = g.loadElement(table, at[number]);
                   return own;
                 });
  Tensor from = g.materialize(source);
  Value outside = g.constant(source.type.compute(), rules.extrapolation);
  return computed(g, source.type, dims, {from}, /*fold=*/false,
                  [=](GraphBuilder &g, ArrayRef<Value> at) {
                    Values own(at);
                    Value index = g.loadElement(table, at[number]);
                    own[number] = g.max(index, 0);
                    return g.select(g.less(index, 0), outside,
                                    g.element(from, own));
                  });
}

//===----------------------------------------------------------------------===//
// Interpolation
//===----------------------------------------------------------------------===//

/// The weight of an element at a distance.
static Value kernelWeight(GraphBuilder &g, const ResizeRules &rules,
                          Value distance) {
  Reals r(g);
  Value x = r.abs(distance), one = r.constant(1), zero = r.constant(0);
  if (rules.kernel == Kernel::Linear)
    return r.max(r.sub(one, x), zero);
  double a = rules.cubic;
  // (a + 2) x^3 - (a + 3) x^2 + 1, then a x^3 - 5 a x^2 + 8 a x - 4 a
  Value near = r.add(r.mul(r.mul(r.sub(r.mul(x, a + 2), a + 3), x), x), 1.0);
  Value far =
      r.sub(r.mul(r.add(r.mul(r.sub(r.mul(x, a), 5 * a), x), 8 * a), x), 4 * a);
  far = r.select(r.less(x, r.constant(2)), far, zero);
  return r.select(r.less(one, x), far, near);
}

namespace {
/// The elements of the source that an element of the result takes, and their
/// weights: [after, taps] each.
struct Taps {
  Value count;
  Tensor indices, weights;
  Tensor outside; ///< [after], of CropAndResize
};

class TapsBuilder {
public:
  TapsBuilder(GraphBuilder &g, const ResizeRules &rules,
              const ResizedAxis &axis, ElementType type)
      : g(g), r(g), rules(rules), axis(axis), type(type) {}

  Taps build() {
    double reach = rules.kernel == Kernel::Linear ? 1 : 2;
    shrink = r.constant(1);
    if (rules.antialias)
      shrink = r.min(axis.scale, shrink);
    // Whole elements that the kernel reaches on each side.
    half = r.toNumber(r.ceil(r.div(r.constant(reach), shrink)));
    taps.count = g.mul(half, 2);
    taps.indices = g.allocateTensor(g.b.getI64Type(), {axis.after, taps.count});
    taps.weights = g.allocateTensor(type, {axis.after, taps.count});
    if (rules.coordinates == Coordinates::CropAndResize)
      taps.outside = g.allocateTensor(g.b.getI1Type(), {axis.after});
    g.loop(axis.after, [&](Value i) { fill(i); });
    return std::move(taps);
  }

private:
  void fill(Value i) {
    Value place = originalPlace(g, rules, axis, r.fromNumber(i));
    if (rules.coordinates == Coordinates::CropAndResize)
      g.storeElement(taps.outside, i, isExtrapolated(g, axis, place));
    // The element to the left of the place; its own left one if it is whole.
    Value left = r.sub(r.ceil(place), 1.0);
    Value first = g.sub(r.toNumber(left), g.sub(half, 1));
    Value start = g.mul(i, taps.count);
    auto weight = [&](Value j) {
      Value index = g.add(first, j);
      Value distance = r.mul(r.sub(r.fromNumber(index), place), shrink);
      Value own = kernelWeight(g, rules, distance);
      if (!rules.excludeOutside)
        return own;
      Value isOutside = g.logicalOr(g.less(index, 0),
                                    g.logicalNot(g.less(index, axis.before)));
      return r.select(isOutside, r.constant(0), own);
    };
    Value sum =
        g.loop(taps.count, {r.constant(0)}, [&](Value j, ValueRange carried) {
          return Values{r.add(carried[0], weight(j))};
        })[0];
    sum = r.select(r.equal(sum, 0), r.constant(1), sum);
    g.loop(taps.count, [&](Value j) {
      Value share = r.div(weight(j), sum);
      if (!type.get().isF64())
        share = arith::TruncFOp::create(g.b, g.loc, g.b.getF32Type(), share);
      Value at = g.add(start, j);
      g.storeElement(taps.weights, at, share);
      g.storeElement(taps.indices, at, clampedIndex(g, axis, g.add(first, j)));
    });
  }

  GraphBuilder &g;
  Reals r;
  const ResizeRules &rules;
  const ResizedAxis &axis;
  const ElementType type;
  Value shrink, half;
  Taps taps;
};
} // namespace

Tensor interpolated(GraphBuilder &g, const Tensor &source,
                    const ResizeRules &rules, const ResizedAxis &axis) {
  Tensor from = g.materialize(source);
  ElementType type = source.type;
  Taps taps = TapsBuilder(g, rules, axis, type).build();
  Values dims = source.dims;
  dims[axis.axis] = axis.after;
  Tensor result = g.allocateTensor(type, dims);
  LineShape lines = linesAlong(g, from, axis.axis, axis.axis + 1);
  Value outside = g.constant(type.compute(), rules.extrapolation);
  // Element i of the row `line` and its neighbours in the inner dimensions.
  auto write = [&](Value line, Value i, Value column, int64_t lanes) {
    Value zero = g.constant(g.withLanes(type.compute(), lanes), 0);
    Value start = g.mul(i, taps.count), row = g.mul(line, axis.before);
    auto step = [&](Value j, ValueRange carried) {
      Value at = g.add(start, j);
      Value index = g.add(row, g.loadElement(taps.indices, at));
      Value element =
          g.loadElement(from, g.add(g.mul(index, lines.inner), column), lanes);
      Value weight = g.splat(g.loadElement(taps.weights, at), lanes);
      return Values{addValues(g, carried[0], mulValues(g, element, weight))};
    };
    Value sum = g.loop(taps.count, {zero}, step)[0];
    if (rules.coordinates == Coordinates::CropAndResize)
      sum = g.select(g.loadElement(taps.outside, i), g.splat(outside, lanes),
                     sum);
    Value to = g.add(g.mul(line, axis.after), i);
    g.storeElement(result, g.add(g.mul(to, lines.inner), column), sum);
  };
  Value work = g.mul(taps.count, 2);
  if (g.isKnown(lines.inner, 1)) {
    g.parallelFor(lines.outer, g.mul(axis.after, work), [&](Value line) {
      g.loop(axis.after, [&](Value i) { write(line, i, g.number(0), 1); });
    });
    return result;
  }
  Values rows{lines.outer, axis.after};
  g.parallelFor(g.product(rows), g.mul(lines.inner, work), [&](Value row) {
    Values place = g.delinearize(row, rows);
    g.vectorLoop(g.number(0), lines.inner, /*hasLanes=*/true,
                 [&](Value column, int64_t lanes) {
                   write(place[0], place[1], column, lanes);
                 });
  });
  return result;
}

} // namespace llmopt::graph
