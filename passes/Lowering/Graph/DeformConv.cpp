//===- DeformConv.cpp - DeformConv ------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/ImageSampler.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// Images [N, C, sizes...] whose elements are read at the places of the kernel,
/// each moved by an offset [N, offsetGroups * taps * dims, results...].
struct DeformedConv {
  size_t dims;
  int64_t groups, offsetGroups;
  SmallVector<int64_t> strides, dilations, pads;
  Values sizes, kernel, results;
  Value taps, pixels; ///< products of kernel and results
};
} // namespace

static FailureOr<SmallVector<int64_t>> numbersOr(Node &node, StringRef name,
                                                 size_t count, int64_t least) {
  auto list = node.integers(name);
  if (!list)
    return SmallVector<int64_t>(count, least);
  if (list->size() != count)
    return node.refuse("attribute " + name + " has " + Twine(list->size()) +
                       " entries, expected " + Twine(count));
  for (int64_t number : *list)
    if (number < least)
      return node.refuse("attribute " + name + " has the entry " +
                         Twine(number) + ", expected " + Twine(least) +
                         " or more");
  return *list;
}

static LogicalResult checkInputs(Node &node) {
  int64_t rank = node.input(0).rank();
  if (rank < 3 || rank > 5)
    return node.refuse("its image has " + Twine(rank) +
                       " dimensions, expected 3 to 5");
  ElementType type = node.input(0).type;
  if (failed(node.requireFloat(0)))
    return failure();
  int64_t ranks[] = {rank, rank, rank, 1, rank};
  for (size_t i = 1; i < node.inputCount(); ++i) {
    if (!node.hasInput(i))
      continue;
    if (failed(node.requireType(i, type)))
      return failure();
    if (node.input(i).rank() != ranks[i])
      return node.refuse("input " + Twine(i) + " has " +
                         Twine(node.input(i).rank()) +
                         " dimensions, expected " + Twine(ranks[i]));
  }
  return success();
}

/// What the dimensions of the inputs have to be.
static void requireShapes(Node &node, const DeformedConv &conv) {
  GraphBuilder &g = node.g;
  const Tensor &image = node.input(0), &weights = node.input(1),
               &offset = node.input(2);
  std::string what = node.describe();
  g.require(g.equal(image.dims[1], g.mul(weights.dims[1], conv.groups)),
            what + ": the channels of image and weights do not fit");
  g.require(g.equal(g.rem(weights.dims[0], conv.groups), 0),
            what + ": the channels of the result are no multiple of groups");
  g.require(g.equal(g.rem(image.dims[1], conv.offsetGroups), 0),
            what + ": the channels are no multiple of offset_group");
  Value entries = g.mul(conv.taps, conv.offsetGroups);
  g.require(g.equal(offset.dims[1], g.mul(entries, int64_t(conv.dims))),
            what + ": the offsets do not fit the kernel");
  g.require(g.equal(offset.dims[0], image.dims[0]),
            what + ": the batches of image and offsets differ");
  g.require(g.logicalOr(g.less(g.number(0), g.count(image)),
                        g.equal(g.count(offset), 0)),
            what + ": the image is empty");
  if (node.hasInput(3))
    g.require(g.equal(node.input(3).dims[0], weights.dims[0]),
              what + ": there is not one bias per channel");
  if (!node.hasInput(4))
    return;
  Values mask{image.dims[0], entries};
  mask.append(conv.results);
  for (auto [dim, wanted] : llvm::zip_equal(node.input(4).dims, mask))
    g.require(g.equal(dim, wanted),
              what + ": the dimensions of the mask do not fit");
}

static FailureOr<DeformedConv> deformedConvOf(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(checkInputs(node)))
    return failure();
  DeformedConv conv;
  conv.dims = node.input(0).rank() - 2;
  conv.groups = node.attribute("group", int64_t(1));
  conv.offsetGroups = node.attribute("offset_group", int64_t(1));
  if (conv.groups < 1 || conv.offsetGroups < 1)
    return node.refuse("group and offset_group must be 1 or more");
  auto strides = numbersOr(node, "strides", conv.dims, 1);
  auto dilations = numbersOr(node, "dilations", conv.dims, 1);
  auto pads = numbersOr(node, "pads", 2 * conv.dims, 0);
  if (failed(strides) || failed(dilations) || failed(pads))
    return failure();
  conv.strides = *strides;
  conv.dilations = *dilations;
  conv.pads = *pads;
  conv.sizes.assign(node.input(0).dims.begin() + 2, node.input(0).dims.end());
  conv.kernel.assign(node.input(1).dims.begin() + 2, node.input(1).dims.end());
  conv.results.assign(node.input(2).dims.begin() + 2, node.input(2).dims.end());
  conv.taps = g.product(conv.kernel);
  conv.pixels = g.product(conv.results);
  for (size_t i = 0; i < conv.dims; ++i) {
    int64_t around = conv.pads[i] + conv.pads[i + conv.dims];
    Value span = g.mul(g.sub(conv.kernel[i], 1), conv.dilations[i]);
    Value steps = g.sub(g.add(conv.sizes[i], around), g.add(span, 1));
    g.require(g.equal(g.add(g.div(steps, conv.strides[i]), 1), conv.results[i]),
              node.describe() + ": the dimensions of the offsets do not fit");
  }
  requireShapes(node, conv);
  return conv;
}

/// The elements that the kernel reads: [N, C, taps, pixels].
static Tensor columnsOf(Node &node, const DeformedConv &conv) {
  GraphBuilder &g = node.g;
  const Tensor &image = node.buffer(0), &offset = node.buffer(2);
  const Tensor *mask = node.hasInput(4) ? &node.buffer(4) : nullptr;
  Value batch = image.dims[0], channels = image.dims[1];
  Value own = g.div(channels, conv.offsetGroups), size = g.product(conv.sizes);
  Tensor columns =
      g.allocateTensor(image.type, {batch, channels, conv.taps, conv.pixels});
  ImageSampler sampler(g, SampleMode::Linear, Outside::Zeros,
                       /*alignCorners=*/true);
  Type type = image.type.compute();
  Values tasks{batch, g.number(conv.offsetGroups), conv.taps};
  g.parallelFor(
      g.product(tasks), g.mul(conv.pixels, g.mul(own, 12)), [&](Value task) {
        Values at = g.delinearize(task, tasks);
        Values tap = g.delinearize(at[2], conv.kernel);
        g.loop(conv.pixels, [&](Value pixel) {
          Values place = g.delinearize(pixel, conv.results);
          SmallVector<Tap> taps;
          for (size_t i = 0; i < conv.dims; ++i) {
            Value entry = g.add(g.mul(task, int64_t(conv.dims)), int64_t(i));
            Real moved(g, g.loadElement(
                              offset, g.add(g.mul(entry, conv.pixels), pixel)));
            Value base =
                g.add(g.mul(place[i], conv.strides[i]),
                      g.sub(g.mul(tap[i], conv.dilations[i]), conv.pads[i]));
            Real start(g, fromNumber(g, base, type));
            taps = sampler.product(
                taps, sampler.at(start + moved, conv.sizes[i]), conv.sizes[i]);
          }
          Value weight;
          if (mask)
            weight =
                g.loadElement(*mask, g.add(g.mul(task, conv.pixels), pixel));
          g.loop(own, [&](Value number) {
            Value channel = g.add(g.mul(at[1], own), number);
            Value plane = g.add(g.mul(at[0], channels), channel);
            Value element = sampler.read(image, g.mul(plane, size), taps);
            if (mask)
              element = mulValues(g, element, weight);
            Value row = g.add(g.mul(plane, conv.taps), at[2]);
            g.storeElement(columns, g.add(g.mul(row, conv.pixels), pixel),
                           element);
          });
        });
      });
  return columns;
}

static LogicalResult emitDeformConv(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<DeformedConv> conv = deformedConvOf(node);
  if (failed(conv))
    return failure();
  Tensor columns = columnsOf(node, *conv);
  Value batch = node.input(0).dims[0], groups = g.number(conv->groups);
  Value channels = node.input(1).dims[0];
  Value depth = g.mul(node.input(1).dims[1], conv->taps);
  Tensor weights = g.reshaped(node.buffer(1),
                              {groups, g.div(channels, conv->groups), depth});
  columns = g.reshaped(columns, {batch, groups, depth, conv->pixels});
  FailureOr<Tensor> product =
      multiply(node, Operand(g, weights), Operand(g, columns));
  if (failed(product))
    return failure();
  Tensor result = g.materialize(*product);
  if (node.hasInput(3)) {
    result = g.reshaped(result, {batch, channels, conv->pixels});
    Tensor bias = g.reshaped(node.buffer(3), {channels, g.number(1)});
    result = mapElements(
        g, {result, bias}, result.type,
        [](GraphBuilder &g, ArrayRef<Value> in) {
          return addValues(g, in[0], in[1]);
        },
        node.describe());
  }
  Values dims{batch, channels};
  dims.append(conv->results);
  node.setResult(0, g.reshaped(result, dims));
  return success();
}

static const OperatorRow rows[] = {
    {"DeformConv", emitDeformConv, 3, 5, 1, 1, 19},
};

ArrayRef<OperatorRow> deformConvOperators() { return rows; }

} // namespace llmopt::graph
