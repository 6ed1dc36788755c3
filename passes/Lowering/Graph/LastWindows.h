//===- LastWindows.h - Windows of images with channels last -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_LASTWINDOWS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_LASTWINDOWS_H

#include "passes/Lowering/Graph/Conv.h"
#include "passes/Lowering/Graph/ConvTile.h"

namespace llmopt::graph {

/// Where windows of an image with channels last read.
struct LastWindows {
  Windows windows;
  mlir::Value pixels; ///< of the results of all images
  mlir::Value data;   ///< of the image
  int64_t taps;
  int64_t pixelBytes;

  /// Bytes of a table for the addresses of `rows` pixels.
  int64_t tableBytes(int64_t rows) const {
    return windowTableBytes(taps, rows);
  }
  /// Writes the addresses of `rows` pixels from `first` on, those of a tap
  /// `tableRows` after those of the tap before.
  void findPixels(GraphBuilder &g, mlir::Value table, int64_t tableRows,
                  mlir::Value first, mlir::Value rows,
                  mlir::Value outside) const;

private:
  bool isPointwise(GraphBuilder &g) const;
};

/// Memory for what is read outside of an image.
mlir::Value makeOutside(GraphBuilder &g, int64_t bytes, mlir::Value fill);

/// Calls body(first channel) for vectors of `channels`, at least as many as a
/// vector has; the last one may overlap the one before.
void forChannels(GraphBuilder &g, mlir::Value channels,
                 llvm::function_ref<void(mlir::Value)> body);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_LASTWINDOWS_H
