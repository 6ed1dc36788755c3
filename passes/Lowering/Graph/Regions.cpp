//===- Regions.cpp - Pooling of regions of interest -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Real.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

/// Samples of a region per row or column of the result; more of them say that a
/// region is not what it should be.
static constexpr int64_t kMostSamples = 1 << 14;

/// A whole f32 or f64 as a number in [low, high]; a NaN gives `low`.
static Value wholeNumber(const Real &x, int64_t low, int64_t high) {
  GraphBuilder &g = x.builder();
  Real inside = choose(double(low) < x, x, x.constant(low));
  inside = choose(inside < double(high), inside, x.constant(high));
  return arith::FPToSIOp::create(g.b, g.loc, g.b.getI64Type(), inside);
}

static Real realOf(GraphBuilder &g, Value number, Type type) {
  if (std::optional<int64_t> known = g.known(number))
    return {g, g.constant(type, double(*known))};
  return {g, arith::SIToFPOp::create(g.b, g.loc, type, number)};
}

/// An attribute that says a size of the result.
static FailureOr<int64_t> sizeAttribute(Node &node, StringRef name) {
  int64_t size = node.attribute(name, int64_t(1));
  if (size < 1)
    return node.refuse("attribute " + name + " is " + Twine(size) +
                       ", expected 1 or more");
  return size;
}

/// Checks an image [N, C, H, W] and regions [regions, columns].
static LogicalResult checkRegions(Node &node, int64_t columns) {
  GraphBuilder &g = node.g;
  const Tensor &image = node.input(0), &regions = node.input(1);
  if (failed(node.requireFloat(0)) || failed(node.requireType(1, image.type)))
    return failure();
  if (image.rank() != 4 || regions.rank() != 2)
    return node.refuse("its inputs have " + Twine(image.rank()) + " and " +
                       Twine(regions.rank()) + " dimensions, expected 4 and 2");
  g.require(g.equal(regions.dims[1], columns), node.describe() +
                                                   ": a region needs " +
                                                   Twine(columns) + " entries");
  g.require(g.logicalOr(g.less(g.number(0), g.count(image)),
                        g.equal(regions.dims[0], 0)),
            node.describe() + ": the image is empty");
  return success();
}

/// The number of an image in the batch; noted where there is none.
static Value imageNumber(Node &node, Value number, Value batch) {
  GraphBuilder &g = node.g;
  Value isWrong =
      g.logicalOr(g.less(number, 0), g.logicalNot(g.less(number, batch)));
  g.noteError(isWrong, node.describe() + ": the index of an image is out of "
                                         "range");
  return g.max(g.min(number, g.sub(batch, 1)), 0);
}

//===----------------------------------------------------------------------===//
// RoiAlign
//===----------------------------------------------------------------------===//

namespace {
/// One of the two dimensions of a region.
struct RegionAxis {
  Value start, bin; ///< in elements
  Value samples;    ///< of one bin, a number
  Value size;       ///< of the image, a number
};

/// What a sample reads along a dimension.
struct Neighbours {
  Value low, high;             ///< elements
  Value lowWeight, highWeight; ///< 0 outside
};

class RegionSampler {
public:
  RegionSampler(Node &node, const Tensor &image)
      : node(node), g(node.g), image(image), type(image.type.compute()),
        isMax(node.attribute("mode", StringRef("avg")) == "max") {}

  RegionAxis axis(Value from, Value to, int64_t bins, Value size);
  /// The pooled samples of a bin of a plane that begins at `first`.
  Value pool(Value first, const RegionAxis &y, const RegionAxis &x, Value row,
             Value column);

private:
  Neighbours neighbours(const RegionAxis &axis, Value bin, Value sample);
  Value sample(Value first, const Neighbours &y, const Neighbours &x,
               Value width);

  Node &node;
  GraphBuilder &g;
  const Tensor &image;
  const Type type;
  const bool isMax;
};
} // namespace

RegionAxis RegionSampler::axis(Value from, Value to, int64_t bins, Value size) {
  bool isHalfPixel = node.version() >= 16 &&
                     node.attribute("coordinate_transformation_mode",
                                    StringRef("half_pixel")) == "half_pixel";
  double scale = node.attribute("spatial_scale", 1.0);
  double offset = isHalfPixel ? 0.5 : 0;
  Real start = Real(g, from) * scale - offset;
  Real length = Real(g, to) * scale - offset - start;
  // Before version 16, a region has at least one element.
  if (!isHalfPixel)
    length = choose(length < 1.0, length.constant(1), length);
  Real bin = length / double(bins);
  Value samples = g.number(node.attribute("sampling_ratio", int64_t(0)));
  if (!g.known(samples) || *g.known(samples) <= 0) {
    samples = wholeNumber(bin.apply<math::CeilOp>(), 0, kMostSamples);
    g.noteError(g.equal(samples, kMostSamples),
                node.describe() + ": a region is far too large");
  }
  return {start, bin, samples, size};
}

Neighbours RegionSampler::neighbours(const RegionAxis &axis, Value bin,
                                     Value sample) {
  Real width(g, axis.bin), size = realOf(g, axis.size, type);
  Real samples = realOf(g, axis.samples, type);
  Real place = Real(g, axis.start) + realOf(g, bin, type) * width +
               (realOf(g, sample, type) + 0.5) * width / samples;
  Value isInside = g.logicalAnd(place.constant(-1) <= place, place <= size);
  Real last = size - 1.0;
  place = clamp(place, place.constant(0), last);
  Real whole = floor(place), fraction = place - whole;
  Value low =
      g.min(wholeNumber(whole, 0, int64_t(1) << 40), g.sub(axis.size, 1));
  Value high = g.min(g.add(low, 1), g.sub(axis.size, 1));
  Real zero = place.constant(0);
  return {low, high, choose(isInside, 1.0 - fraction, zero),
          choose(isInside, fraction, zero)};
}

Value RegionSampler::sample(Value first, const Neighbours &y,
                            const Neighbours &x, Value width) {
  Value result;
  for (bool isLow : {true, false}) {
    Value row = g.add(first, g.mul(isLow ? y.low : y.high, width));
    Value rowWeight = isLow ? y.lowWeight : y.highWeight;
    for (bool isLeft : {true, false}) {
      Value element = g.loadElement(image, g.add(row, isLeft ? x.low : x.high));
      Value weight =
          mulValues(g, rowWeight, isLeft ? x.lowWeight : x.highWeight);
      Value share = mulValues(g, weight, element);
      if (!result)
        result = share;
      else
        result = isMax ? maxValues(g, image.type, result, share)
                       : addValues(g, result, share);
    }
  }
  return result;
}

Value RegionSampler::pool(Value first, const RegionAxis &y, const RegionAxis &x,
                          Value row, Value column) {
  Value isFirst = g.integer(g.b.getI1Type(), 1);
  Values state{g.constant(type, 0), isFirst};
  Value pooled = g.loop(y.samples, state, [&](Value i, ValueRange outer) {
    Neighbours inY = neighbours(y, row, i);
    return g.loop(x.samples, outer, [&](Value j, ValueRange carried) {
      Value next = sample(first, inY, neighbours(x, column, j), x.size);
      Value joined = isMax ? maxValues(g, image.type, carried[0], next)
                           : addValues(g, carried[0], next);
      return Values{g.select(carried[1], next, joined),
                    g.integer(g.b.getI1Type(), 0)};
    });
  })[0];
  if (isMax)
    return pooled;
  Value count = g.max(g.mul(y.samples, x.samples), 1);
  return Real(g, pooled) / realOf(g, count, type);
}

static LogicalResult checkRoiAlign(Node &node) {
  GraphBuilder &g = node.g;
  std::string mode = node.attribute("mode", StringRef("avg"));
  if (mode != "avg" && mode != "max")
    return node.refuse("mode is '" + mode + "', expected avg or max");
  std::string places =
      node.attribute("coordinate_transformation_mode", StringRef("half_pixel"));
  if (places != "half_pixel" && places != "output_half_pixel")
    return node.refuse("coordinate_transformation_mode is '" + places +
                       "', expected half_pixel or output_half_pixel");
  if (failed(checkRegions(node, 4)))
    return failure();
  if (!node.input(2).type.isInteger() || node.input(2).rank() != 1)
    return node.refuse("batch_indices must be a vector of integers");
  g.require(g.equal(node.input(2).dims[0], node.input(1).dims[0]),
            node.describe() + ": there is not one batch index per region");
  return success();
}

static LogicalResult emitRoiAlign(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<int64_t> height = sizeAttribute(node, "output_height");
  FailureOr<int64_t> width = sizeAttribute(node, "output_width");
  if (failed(height) || failed(width) || failed(checkRoiAlign(node)))
    return failure();
  const Tensor &image = node.buffer(0), &regions = node.buffer(1),
               &numbers = node.buffer(2);
  Value channels = image.dims[1], pixels = g.mul(image.dims[2], image.dims[3]);
  Tensor result =
      g.allocateTensor(image.type, {regions.dims[0], channels,
                                    g.number(*height), g.number(*width)});
  Value rows = g.mul(regions.dims[0], *height);
  RegionSampler sampler(node, image);
  g.parallelFor(rows, g.mul(channels, 64 * *width), [&](Value task) {
    Value region = g.div(task, *height), row = g.rem(task, *height);
    Value number = asNumber(g, numbers.type, g.loadElement(numbers, region));
    Value batch = imageNumber(node, number, image.dims[0]);
    auto entry = [&](int64_t i) {
      return g.loadElement(regions, g.add(g.mul(region, 4), i));
    };
    RegionAxis x = sampler.axis(entry(0), entry(2), *width, image.dims[3]);
    RegionAxis y = sampler.axis(entry(1), entry(3), *height, image.dims[2]);
    g.loop(channels, [&](Value channel) {
      Value first = g.mul(g.add(g.mul(batch, channels), channel), pixels);
      Value plane = g.add(g.mul(region, channels), channel);
      Value to = g.mul(g.add(g.mul(plane, *height), row), *width);
      g.loop(g.number(*width), [&](Value column) {
        g.storeElement(result, g.add(to, column),
                       sampler.pool(first, y, x, row, column));
      });
    });
  });
  node.setResult(0, result);
  return success();
}

//===----------------------------------------------------------------------===//
// MaxRoiPool
//===----------------------------------------------------------------------===//

/// Rounds half away from zero.
static Real rounded(const Real &x) {
  return copySign(floor(absolute(x) + 0.5), x);
}

/// Elements [begin, end) of bin `bin` of a region from `from` to `to`.
static std::pair<Value, Value> binOf(GraphBuilder &g, const Real &from,
                                     const Real &to, int64_t bins, Value bin,
                                     Value size) {
  Real length = to - from + 1.0;
  length = choose(length < 1.0, length.constant(1), length);
  Real width = length / double(bins), number = realOf(g, bin, from.type());
  constexpr int64_t kFar = int64_t(1) << 40;
  auto edge = [&](const Real &place) {
    Value at = wholeNumber(place + from, -kFar, kFar);
    return g.min(g.max(at, 0), size);
  };
  return {edge(floor(number * width)),
          edge(((number + 1.0) * width).apply<math::CeilOp>())};
}

static LogicalResult emitMaxRoiPool(Node &node) {
  GraphBuilder &g = node.g;
  auto shape = node.integers("pooled_shape");
  if (!shape || shape->size() != 2 || (*shape)[0] < 1 || (*shape)[1] < 1)
    return node.refuse("attribute pooled_shape must have two positive entries");
  if (failed(checkRegions(node, 5)))
    return failure();
  const Tensor &image = node.buffer(0), &regions = node.buffer(1);
  double scale = node.attribute("spatial_scale", 1.0);
  Value channels = image.dims[1], height = image.dims[2], width = image.dims[3];
  Values dims{regions.dims[0], channels, g.number((*shape)[0]),
              g.number((*shape)[1])};
  Tensor result = g.allocateTensor(image.type, dims);
  g.parallelFor(g.count(result), g.number(64), [&](Value number) {
    Values at = g.delinearize(number, dims);
    auto entry = [&](int64_t i) {
      return Real(g, g.loadElement(regions, g.add(g.mul(at[0], 5), i)));
    };
    Value batch = imageNumber(node, wholeNumber(entry(0), -1, int64_t(1) << 40),
                              image.dims[0]);
    auto edge = [&](int64_t i) { return rounded(entry(i) * scale); };
    auto [top, bottom] = binOf(g, edge(2), edge(4), (*shape)[0], at[2], height);
    auto [left, right] = binOf(g, edge(1), edge(3), (*shape)[1], at[3], width);
    Value plane = g.add(g.mul(batch, channels), at[1]);
    Value isEmpty =
        g.logicalNot(g.logicalAnd(g.less(top, bottom), g.less(left, right)));
    Value first = g.select(isEmpty, g.constant(image.type.compute(), 0),
                           lowestValue(g, image.type));
    Value one = g.number(1), from = left, to = right;
    Value most = g.loop(top, bottom, one, {first}, [&](Value y, ValueRange in) {
      Value row = g.mul(g.add(g.mul(plane, height), y), width);
      return g.loop(from, to, one, in, [&](Value x, ValueRange carried) {
        Value element = g.loadElement(image, g.add(row, x));
        return Values{maxValues(g, image.type, carried[0], element)};
      });
    })[0];
    g.storeElement(result, number, most);
  });
  node.setResult(0, result);
  return success();
}

static const OperatorRow rows[] = {
    {"MaxRoiPool", emitMaxRoiPool, 2, 2},
    {"RoiAlign", emitRoiAlign, 3, 3, 1, 1, 10},
};

ArrayRef<OperatorRow> regionOperators() { return rows; }

} // namespace llmopt::graph
