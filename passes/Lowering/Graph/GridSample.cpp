//===- GridSample.cpp - Reading an image at computed places -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ImageSampler.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

static FailureOr<ImageSampler> samplerOf(Node &node) {
  bool isFirst = node.version() < 20;
  StringRef linear = isFirst ? "bilinear" : "linear";
  StringRef cubic = isFirst ? "bicubic" : "cubic";
  std::string mode = node.attribute("mode", linear);
  std::string padding = node.attribute("padding_mode", StringRef("zeros"));
  if (mode != "nearest" && mode != linear && mode != cubic)
    return node.refuse("mode is '" + mode + "', expected nearest, " + linear +
                       " or " + cubic);
  if (padding != "zeros" && padding != "border" && padding != "reflection")
    return node.refuse("padding_mode is '" + padding +
                       "', expected zeros, border or reflection");
  return ImageSampler(node.g,
                      mode == "nearest" ? SampleMode::Nearest
                      : mode == linear  ? SampleMode::Linear
                                        : SampleMode::Cubic,
                      padding == "zeros"    ? Outside::Zeros
                      : padding == "border" ? Outside::Border
                                            : Outside::Reflection,
                      node.attribute("align_corners", int64_t(0)) != 0);
}

/// Checks the inputs; the dimensions of the result.
static FailureOr<Values> sampledDims(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &image = node.input(0), &grid = node.input(1);
  int64_t rank = image.rank(), most = node.version() < 20 ? 4 : 5;
  if (rank < 3 || rank > most)
    return node.refuse("its image has " + Twine(rank) +
                       " dimensions, expected 3 to " + Twine(most));
  if (failed(node.requireFloat(1)))
    return failure();
  if (grid.rank() != rank)
    return node.refuse("its grid has " + Twine(grid.rank()) +
                       " dimensions, expected " + Twine(rank));
  std::string what = node.describe();
  g.require(g.equal(grid.dims.back(), rank - 2),
            what + ": a place of the grid does not have one entry for every "
                   "dimension of the image");
  g.require(g.equal(grid.dims[0], image.dims[0]),
            what + ": the batches of image and grid differ");
  Values dims(ArrayRef(image.dims).take_front(2));
  dims.append(grid.dims.begin() + 1, grid.dims.end() - 1);
  Value pixels = g.product(ArrayRef(image.dims).drop_front(2));
  g.require(
      g.logicalOr(g.less(g.number(0), pixels), g.equal(g.product(dims), 0)),
      what + ": the image is empty");
  return dims;
}

static LogicalResult emitGridSample(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Values> dims = sampledDims(node);
  FailureOr<ImageSampler> sampler = samplerOf(node);
  if (failed(dims) || failed(sampler))
    return failure();
  bool isNearest =
      StringRef(node.attribute("mode", StringRef("linear"))) == "nearest";
  if (!isNearest && failed(node.requireFloat(0)))
    return failure();
  if (!isNearest && node.input(0).rank() == 5 &&
      StringRef(node.attribute("mode", StringRef(""))) == "cubic")
    return node.refuse("cubic interpolation needs an image of 4 dimensions");
  const Tensor &image = node.buffer(0), &grid = node.buffer(1);
  ArrayRef<Value> sizes = ArrayRef(image.dims).drop_front(2);
  Tensor result = g.allocateTensor(image.type, *dims);
  Value channels = image.dims[1], pixels = g.product(sizes);
  Value places = g.product(ArrayRef(*dims).drop_front(2));
  int64_t entries = sizes.size();
  g.parallelFor(
      g.mul(image.dims[0], places), g.mul(channels, 16), [&](Value place) {
        SmallVector<Tap> taps;
        for (auto [axis, size] : llvm::enumerate(sizes)) {
          // The entries of a place begin with that of the last dimension.
          Value entry =
              g.add(g.mul(place, entries), entries - 1 - int64_t(axis));
          taps = sampler->product(
              taps, sampler->along(g.loadElement(grid, entry), size), size);
        }
        Value batch = g.div(place, places), pixel = g.rem(place, places);
        g.loop(channels, [&](Value channel) {
          Value plane = g.add(g.mul(batch, channels), channel);
          Value sum = sampler->read(image, g.mul(plane, pixels), taps);
          g.storeElement(result, g.add(g.mul(plane, places), pixel), sum);
        });
      });
  node.setResult(0, result);
  return success();
}

//===----------------------------------------------------------------------===//
// AffineGrid
//===----------------------------------------------------------------------===//

/// Place i of `size` ones from -1 to 1: at elements' middles or, aligned, from
/// the first one to the last.
static Value gridPlace(GraphBuilder &g, Value i, Value size, bool isAligned,
                       Type type) {
  Real number(g, fromNumber(g, i, type)), count(g, fromNumber(g, size, type));
  if (!isAligned)
    return (number * 2.0 + 1.0) / count - 1.0;
  Value isOne = count == 1.0;
  Real place = number * 2.0 / (count - 1.0) - 1.0;
  return choose(isOne, count.constant(0), place);
}

/// The dimensions of the places: the size without batch and channels.
static FailureOr<Values> gridSizes(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Values> size = numbersOf(node, 1, "size");
  if (failed(size))
    return failure();
  int64_t count = size->size();
  if (count != 4 && count != 5)
    return node.refuse("size has " + Twine(count) +
                       " entries, expected 4 or 5");
  if (node.input(0).rank() != 3)
    return node.refuse("theta has " + Twine(node.input(0).rank()) +
                       " dimensions, expected 3");
  std::string what = node.describe();
  Value wanted[] = {(*size)[0], g.number(count - 2), g.number(count - 1)};
  for (auto [dim, own] : llvm::zip_equal(node.input(0).dims, wanted))
    g.require(g.equal(dim, own), what + ": theta does not fit the size");
  Values sizes;
  for (Value dim : ArrayRef(*size).drop_front(2)) {
    FailureOr<Value> checked = asDimension(node, dim);
    if (failed(checked))
      return failure();
    sizes.push_back(*checked);
  }
  return sizes;
}

static LogicalResult emitAffineGrid(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(node.requireFloat(0)))
    return failure();
  FailureOr<Values> sizes = gridSizes(node);
  if (failed(sizes))
    return failure();
  Tensor theta = node.buffer(0);
  bool isAligned = node.attribute("align_corners", int64_t(0)) != 0;
  int64_t count = sizes->size();
  Values dims{theta.dims[0]};
  dims.append(*sizes);
  dims.push_back(g.number(count));
  node.setResult(
      0, computed(g, theta.type, dims, {theta}, /*fold=*/false,
                  [=, sizes = *sizes](GraphBuilder &g, ArrayRef<Value> at) {
                    Value row = g.add(g.mul(at[0], count), at.back());
                    Value first = g.mul(row, count + 1);
                    auto factor = [&](int64_t i) {
                      return Real(g, g.loadElement(theta, g.add(first, i)));
                    };
                    Real sum = factor(count);
                    // The first column is that of the last dimension.
                    for (int64_t i = 0; i < count; ++i) {
                      int64_t axis = count - 1 - i;
                      Real place(g, gridPlace(g, at[axis + 1], sizes[axis],
                                              isAligned, sum.type()));
                      sum = fma(factor(i), place, sum);
                    }
                    return Value(sum);
                  }));
  return success();
}

static const OperatorRow rows[] = {
    {"AffineGrid", emitAffineGrid, 2, 2, 1, 1, 20},
    {"GridSample", emitGridSample, 2, 2, 1, 1, 16},
};

ArrayRef<OperatorRow> gridSampleOperators() { return rows; }

} // namespace llmopt::graph
