//===- LastWindows.cpp - Windows of images with channels last ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/LastWindows.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Lowering/Graph/ConvTile.h"
#include "passes/Lowering/Graph/GemmKernel.h"

using namespace mlir;

namespace llmopt::graph {

void LastWindows::findPixels(GraphBuilder &g, Value table, int64_t tableRows,
                             Value first, Value rows, Value outside) const {
  const Windows &w = windows;
  bool isPlane = w.rank() == 2;
  size_t last = w.rank() - 1;
  auto upper = [&](const Values &values, int64_t otherwise) {
    return isPlane ? values[0] : g.number(otherwise);
  };
  auto step = [&](ArrayRef<int64_t> steps) {
    return g.number(isPlane ? steps[0] : 1);
  };
  func::CallOp::create(
      g.b, g.loc, windowPointers(moduleOf(g), g.targetIsa),
      ValueRange{data, outside, table, g.number(tableRows * 8), first, rows,
                 upper(w.input, 1), w.input[last], upper(w.output, 1),
                 w.output[last], upper(w.kernel, 1), w.kernel[last],
                 step(w.strides), g.number(w.strides[last]), step(w.dilations),
                 g.number(w.dilations[last]), upper(w.pads, 0), w.pads[last],
                 g.number(pixelBytes)});
}

Value makeOutside(GraphBuilder &g, int64_t bytes, Value fill) {
  int64_t size = fill.getType().getIntOrFloatBitWidth() / 8;
  Value memory = g.allocate(g.number(bytes));
  g.vectorLoop(g.number(0), g.number(bytes / size), true,
               [&](Value i, int64_t lanes) {
                 g.store(g.splat(fill, lanes), g.at(memory, g.mul(i, size)));
               });
  return memory;
}

void forChannels(GraphBuilder &g, Value channels,
                 llvm::function_ref<void(Value)> body) {
  Value last = g.sub(channels, kVectorLanes);
  g.loop(g.number(0), channels, g.number(kVectorLanes),
         [&](Value channel) { body(g.min(channel, last)); });
}

} // namespace llmopt::graph
