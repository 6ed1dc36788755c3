//===- PackedConv.cpp - Convolutions with packed weights --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/PackedConv.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/ChannelsLast.h"
#include "passes/Lowering/Graph/ConvTile.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/GraphEmitter.h"
#include "passes/Lowering/Graph/LastWindows.h"
#include "passes/Lowering/Kernels/KernelBuilder.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {

/// A convolution while it is deferred. It is copied: it outlives its node.
struct PackedConv {
  LastWindows windows;
  ConvWeights weights;
  Tensor image;    ///< keeps the buffer that `windows` reads
  Value packed;    ///< weights
  Value zeroPoint; ///< of the image, i32; null for floats

  void run(GraphBuilder &g, const SumSink &sink) const;

private:
  Value fill(GraphBuilder &g) const;
  int64_t mostRows(GraphBuilder &g) const;
  void runPanels(GraphBuilder &g, Value outside, const SumSink &sink) const;
  void runPanel(GraphBuilder &g, Value table, int64_t tableRows, Value panel,
                Value first, Value rows, const SumSink &sink) const;
  void runDepthwise(GraphBuilder &g, Value outside, const SumSink &sink) const;
  void emitChannels(GraphBuilder &g, Value table, int64_t tableRows,
                    Value channel, Value first, Value rows,
                    const SumSink &sink) const;
  Value depthwiseSum(GraphBuilder &g, ArrayRef<Value> taps, Value start,
                     llvm::function_ref<Value(int64_t)> pixels) const;
};

} // namespace

/// What stands for zero outside of an image.
Value PackedConv::fill(GraphBuilder &g) const {
  if (!zeroPoint)
    return g.constant(g.b.getF32Type(), 0);
  return arith::TruncIOp::create(g.b, g.loc, g.b.getI8Type(), zeroPoint);
}

void PackedConv::run(GraphBuilder &g, const SumSink &sink) const {
  Value outside = makeOutside(g, windows.pixelBytes, fill(g));
  if (weights.isDepthwise)
    runDepthwise(g, outside, sink);
  else
    runPanels(g, outside, sink);
  g.release(outside);
}

/// Rows of a task: its sums and addresses fit the first cache, and there are
/// tasks for all threads.
int64_t PackedConv::mostRows(GraphBuilder &g) const {
  constexpr int64_t kMostAddresses = 2048;
  int64_t panels = weights.paddedOutputs() / ConvWeights::kPanelOutputs;
  bool isSmall = g.known(windows.pixels).value_or(INT64_MAX) < 1024;
  int64_t most = isSmall && panels < 8 ? 24 : 48;
  return std::max<int64_t>(
      6, std::min(most, kMostAddresses / windows.taps / 6 * 6));
}

void PackedConv::runPanels(GraphBuilder &g, Value outside,
                           const SumSink &sink) const {
  int64_t most = mostRows(g);
  Value panels = g.number(weights.paddedOutputs() / ConvWeights::kPanelOutputs);
  Value blocks = g.divideCeil(windows.pixels, g.number(most));
  // Blocks of about equal size, whole tiles of 6 rows.
  Value blockRows = g.divideCeil(windows.pixels, g.max(blocks, 1));
  blockRows = g.mul(g.divideCeil(blockRows, g.number(6)), 6);
  Value work = g.mul(blockRows, weights.taps * weights.channels * 4);
  // Weights that stay in the second cache are read for every block, others are
  // read once.
  constexpr int64_t kStaysInCache = 256 * 1024;
  bool isRowMajor = weights.bytes() <= kStaysInCache;
  g.parallelFor(g.mul(blocks, panels), work, [&](Value task) {
    Value major = g.div(task, isRowMajor ? panels : blocks);
    Value minor = g.rem(task, isRowMajor ? panels : blocks);
    Value panel = isRowMajor ? minor : major;
    Value first = g.mul(isRowMajor ? major : minor, blockRows);
    Value rows = g.min(g.max(g.sub(windows.pixels, first), 0), blockRows);
    Value table = g.scratch(windows.tableBytes(most));
    windows.findPixels(g, table, most, first, rows, outside);
    runPanel(g, table, most, panel, first, rows, sink);
  });
}

/// The sums of a block of pixels and the outputs of a panel.
void PackedConv::runPanel(GraphBuilder &g, Value table, int64_t tableRows,
                          Value panel, Value first, Value rows,
                          const SumSink &sink) const {
  constexpr int64_t kWidth = ConvWeights::kPanelOutputs;
  Value sums = g.scratch(tableRows * kWidth * 4);
  Value start = g.at(packed, g.mul(panel, weights.panelBytes()));
  Value codes = start, factor = g.number(0);
  if (zeroPoint) {
    codes = g.at(start, g.number(kWidth * 4));
    factor =
        g.sub(g.number(0),
              arith::ExtSIOp::create(g.b, g.loc, g.b.getI64Type(), zeroPoint));
  }
  bool isWhole = weights.outputs % kWidth == 0;
  Value firstColumn = g.mul(panel, kWidth);
  Value columns =
      isWhole ? g.number(kWidth)
              : g.min(g.sub(g.number(weights.outputs), firstColumn), kWidth);
  int64_t steps = weights.paddedChannels() / (zeroPoint ? 4 : 1);
  func::CallOp::create(
      g.b, g.loc, convTile(moduleOf(g), g.targetIsa, bool(zeroPoint)),
      ValueRange{table, g.number(tableRows * 8), g.number(weights.taps),
                 g.number(steps), codes, start, factor, sums, rows, columns});
  Type element = zeroPoint ? Type(g.b.getI32Type()) : g.b.getF32Type();
  g.loop(rows, [&](Value i) {
    Value row = g.add(first, i);
    auto handOn = [&](Value j, int64_t lanes) {
      Value place = g.at(sums, g.mul(g.add(g.mul(i, kWidth), j), 4));
      Value column = g.add(firstColumn, j);
      Value linear = g.add(g.mul(row, weights.outputs), column);
      sink(g.load(g.withLanes(element, lanes), place),
           {{row, column}, linear, lanes});
    };
    int64_t rest = weights.outputs % kWidth;
    if (rest == 0 || rest >= kVectorLanes)
      forChannels(g, columns, [&](Value j) { handOn(j, kVectorLanes); });
    else
      forVectors(g, columns, handOn);
  });
}

//===----------------------------------------------------------------------===//
// One channel in a group
//===----------------------------------------------------------------------===//

/// 16 channels of the image times the weights of all taps.
Value PackedConv::depthwiseSum(
    GraphBuilder &g, ArrayRef<Value> taps, Value start,
    llvm::function_ref<Value(int64_t)> pixels) const {
  KernelBuilder k(g.b, g.loc, g.targetIsa);
  Value sum = start;
  if (!zeroPoint) {
    for (int64_t tap = 0; tap < weights.taps; ++tap)
      sum = k.fma(pixels(tap), taps[tap], sum);
    return sum;
  }
  // Two taps at a time, as pairs of 16 bits.
  for (int64_t pair = 0; pair < int64_t(taps.size()); ++pair) {
    Value x = k.zeroExtend(pixels(2 * pair), k.ints());
    if (2 * pair + 1 < weights.taps) {
      Value other = k.zeroExtend(pixels(2 * pair + 1), k.ints());
      x = arith::OrIOp::create(g.b, g.loc, x,
                               k.shiftLeft(other, k.constant(k.ints(), 16)));
    }
    sum = k.dotPairs(sum, x, taps[pair]);
  }
  return sum;
}

/// 16 channels of a block of pixels.
void PackedConv::emitChannels(GraphBuilder &g, Value table, int64_t tableRows,
                              Value channel, Value first, Value rows,
                              const SumSink &sink) const {
  KernelBuilder k(g.b, g.loc, g.targetIsa);
  int64_t lineBytes = weights.paddedOutputs() * 4;
  Type vector = zeroPoint ? k.ints() : k.floats();
  Value line = g.at(packed, g.mul(channel, 4));
  Value start = k.splat(0);
  if (zeroPoint) {
    start = k.mul(g.load(vector, line),
                  k.sub(k.constant(k.ints(), 0), k.broadcast(zeroPoint)));
    line = g.at(line, g.number(lineBytes));
  }
  Values taps;
  for (int64_t i = 0, e = zeroPoint ? (weights.taps + 1) / 2 : weights.taps;
       i < e; ++i)
    taps.push_back(g.load(vector, g.at(line, g.number(i * lineBytes))));
  int64_t bytes = zeroPoint ? 1 : 4;
  Type stored = VectorType::get(kVectorLanes, zeroPoint ? Type(g.b.getI8Type())
                                                        : g.b.getF32Type());
  Value offset = g.mul(channel, bytes);
  g.loop(rows, [&](Value i) {
    Value addresses = g.at(table, g.mul(i, 8));
    Value sum = depthwiseSum(g, taps, start, [&](int64_t tap) {
      Value pixel = g.load(table.getType(),
                           g.at(addresses, g.number(tap * tableRows * 8)));
      return g.load(stored, g.at(pixel, offset));
    });
    Value row = g.add(first, i);
    sink(sum, {{row, channel},
               g.add(g.mul(row, weights.outputs), channel),
               kVectorLanes});
  });
}

void PackedConv::runDepthwise(GraphBuilder &g, Value outside,
                              const SumSink &sink) const {
  constexpr int64_t kRows = 16;
  Value blocks = g.divideCeil(windows.pixels, g.number(kRows));
  Value work = g.number(kRows * weights.outputs * weights.taps / kVectorLanes);
  g.parallelFor(blocks, work, [&](Value block) {
    Value first = g.mul(block, kRows);
    Value rows = g.min(g.sub(windows.pixels, first), kRows);
    Value table = g.scratch(windows.tableBytes(kRows));
    windows.findPixels(g, table, kRows, first, rows, outside);
    forChannels(g, g.number(weights.outputs), [&](Value channel) {
      emitChannels(g, table, kRows, channel, first, rows, sink);
    });
  });
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

/// Adds the zeros of a Pad in front of the convolution.
static void addMargins(Node &node, const Tensor &image, Tensor &padded) {
  padded = image;
  auto found = node.emitter.margins.find(node.op.getInputs()[0]);
  if (found == node.emitter.margins.end())
    return;
  size_t rank = image.dims.size() - 2;
  for (size_t axis = 0; axis < rank; ++axis)
    padded.dims[axis + 2] =
        node.g.add(padded.dims[axis + 2],
                   found->second[axis] + found->second[axis + rank]);
}

/// The windows, for an image without the zeros of a Pad.
static FailureOr<Windows> packedWindows(Node &node) {
  GraphBuilder &g = node.g;
  Tensor padded;
  addMargins(node, node.input(0), padded);
  FailureOr<Windows> w = convWindows(node, padded, node.input(1));
  if (failed(w))
    return failure();
  auto found = node.emitter.margins.find(node.op.getInputs()[0]);
  for (int64_t axis = 0; axis < w->rank(); ++axis) {
    w->input[axis] = node.input(0).dims[axis + 2];
    if (found != node.emitter.margins.end())
      w->pads[axis] = g.add(w->pads[axis], found->second[axis]);
  }
  return w;
}

LogicalResult emitPackedConv(Node &node, Value zeroPoint) {
  GraphBuilder &g = node.g;
  FailureOr<Windows> w = packedWindows(node);
  if (failed(w))
    return failure();
  PackedConv conv;
  conv.weights = *node.input(1).buffer->convolution;
  conv.packed = node.input(1).buffer->data;
  conv.zeroPoint = zeroPoint;
  bool isPadded = zeroPoint && !conv.weights.isDepthwise;
  conv.image = channelsLast(g, node.input(0), isPadded ? 4 : 1);
  int64_t channels = conv.weights.isDepthwise ? conv.weights.outputs
                                              : conv.weights.paddedChannels();
  Value images = node.input(0).dims[0];
  Value pixels = g.mul(images, g.product(w->output));
  conv.windows = {*w, pixels, conv.image.buffer->data, conv.weights.taps,
                  channels * conv.image.type.bytes()};
  Values dims = {images, g.number(conv.weights.outputs)};
  dims.append(w->output.begin(), w->output.end());

  auto deferred = std::make_shared<Deferred>();
  deferred->run = [conv](GraphBuilder &g, const SumSink &sink) {
    conv.run(g, sink);
  };
  ElementType type = zeroPoint ? Type(g.b.getI32Type()) : g.b.getF32Type();
  // Not the product itself: it would own itself.
  Deferred *sums = deferred.get();
  Tensor matrix = makeExpression(
      type, {pixels, dims[1]}, {},
      [sums](GraphBuilder &, const Access &) { return sums->sums; });
  matrix.deferred = deferred;
  matrix.isLinear = matrix.hasLanes = true;
  node.setResult(0, withChannelsLast(dims, matrix));
  return success();
}

} // namespace llmopt::graph
