//===- LastWindows.cpp - Windows of images with channels last ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/LastWindows.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "passes/Lowering/Graph/GemmKernel.h"

using namespace mlir;

namespace llmopt::graph {

/// Whether each pixel of the result reads the pixel of its number.
bool LastWindows::isPointwise(GraphBuilder &g) const {
  const Windows &w = windows;
  return taps == 1 &&
         llvm::all_of(w.strides, [](int64_t stride) { return stride == 1; }) &&
         llvm::all_of(w.pads, [&](Value pad) { return g.isKnown(pad, 0); }) &&
         llvm::all_of(llvm::zip_equal(w.input, w.output), [&](auto sizes) {
           return g.same(std::get<0>(sizes), std::get<1>(sizes));
         });
}

void LastWindows::findPixels(GraphBuilder &g, Value table, int64_t tableRows,
                             Value first, Value rows, Value outside) const {
  if (isPointwise(g)) {
    Value start = g.at(data, g.mul(first, pixelBytes));
    g.loop(rows, [&](Value row) {
      g.store(g.at(start, g.mul(row, pixelBytes)), g.at(table, g.mul(row, 8)));
    });
    return;
  }
  const Windows &w = windows;
  bool isPlane = w.rank() == 2;
  size_t last = w.rank() - 1;
  auto upper = [&](const Values &values, int64_t otherwise) {
    return isPlane ? values[0] : g.number(otherwise);
  };
  auto step = [&](ArrayRef<int64_t> steps) {
    return g.number(isPlane ? steps[0] : 1);
  };
  auto number = [&](Value pointer) -> Value {
    return LLVM::PtrToIntOp::create(g.b, g.loc, g.b.getI64Type(), pointer);
  };
  func::CallOp::create(
      g.b, g.loc, windowPointers(moduleOf(g), g.targetIsa),
      ValueRange{number(data), number(outside), table, g.number(tableRows * 8),
                 first, rows, upper(w.input, 1), w.input[last],
                 upper(w.output, 1), w.output[last], upper(w.kernel, 1),
                 w.kernel[last], step(w.strides), g.number(w.strides[last]),
                 step(w.dilations), g.number(w.dilations[last]),
                 upper(w.pads, 0), w.pads[last], g.number(pixelBytes)});
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
