//===- PoolLast.cpp - Pooling of images with channels last ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ChannelsLast.h"
#include "passes/Lowering/Graph/LastWindows.h"
#include "passes/Lowering/Graph/Pooling.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

static Windows windowsOf(const Tensor &input, ArrayRef<PoolDim> dims,
                         GraphBuilder &g) {
  Windows w;
  w.groups = g.number(1);
  w.channels = input.dims[1];
  for (const PoolDim &dim : dims) {
    w.input.push_back(dim.input);
    w.output.push_back(dim.output);
    w.kernel.push_back(g.number(dim.kernel));
    w.pads.push_back(dim.padBefore);
    w.strides.push_back(dim.stride);
    w.dilations.push_back(dim.dilation);
  }
  return w;
}

bool canMaxPoolLast(GraphBuilder &g, const Tensor &input,
                    ArrayRef<PoolDim> dims) {
  constexpr int64_t kMostTaps = 25;
  int64_t taps = 1;
  for (const PoolDim &dim : dims)
    taps *= dim.kernel;
  bool isByte = input.type.isInteger() && input.type.bits() == 8;
  return input.channelsLast && dims.size() <= 2 && taps <= kMostTaps &&
         (input.type.get().isF32() || isByte) &&
         g.known(input.dims[1]).value_or(0) >= kVectorLanes;
}

Tensor maxPoolLast(GraphBuilder &g, const Tensor &input,
                   ArrayRef<PoolDim> dims) {
  ElementType type = input.type;
  Tensor image = channelsLast(g, input, 1);
  Value channels = input.dims[1];
  int64_t bytes = type.bytes();
  LastWindows windows{windowsOf(input, dims, g),
                      {},
                      image.buffer->data,
                      1,
                      *g.known(channels) * bytes};
  for (const PoolDim &dim : dims)
    windows.taps *= dim.kernel;
  Values output = {input.dims[0], channels};
  output.append(windows.windows.output);
  windows.pixels = g.mul(input.dims[0], g.product(windows.windows.output));
  Tensor result = g.allocateTensor(type, {windows.pixels, channels});
  Value outside = makeOutside(g, windows.pixelBytes, lowestValue(g, type));
  Type vector = g.withLanes(type.storage(), kVectorLanes);
  constexpr int64_t kRows = 16;
  Value work =
      g.number(kRows * windows.taps * *g.known(channels) / kVectorLanes);
  Value blocks = g.divideCeil(windows.pixels, g.number(kRows));
  g.parallelFor(blocks, work, [&](Value block) {
    Value first = g.mul(block, kRows);
    Value rows = g.min(g.sub(windows.pixels, first), kRows);
    Value table = g.scratch(windows.tableBytes(kRows));
    windows.findPixels(g, table, kRows, first, rows, outside);
    g.loop(rows, [&](Value row) {
      Value line = g.mul(g.add(first, row), channels);
      forChannels(g, channels, [&](Value channel) {
        Value best;
        for (int64_t tap = 0; tap < windows.taps; ++tap) {
          Value place = g.at(table, g.mul(g.add(row, tap * kRows), 8));
          Value pixel = g.load(table.getType(), place);
          Value x = g.load(vector, g.at(pixel, g.mul(channel, bytes)));
          best = best ? maxValues(g, type, best, x) : x;
        }
        g.storeElement(result, g.add(line, channel), best);
      });
    });
  });
  g.release(outside);
  return withChannelsLast(output, result);
}

} // namespace llmopt::graph
