//===- Interpolation.h - Resizing along one dimension -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_INTERPOLATION_H
#define LLMOPT_PASSES_LOWERING_GRAPH_INTERPOLATION_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

enum class Coordinates {
  HalfPixel,
  HalfPixelSymmetric,
  PytorchHalfPixel,
  AlignCorners,
  Asymmetric,
  CropAndResize,
};

enum class Rounding {
  PreferFloor,
  PreferCeil,
  Floor,
  Ceil,
  CeilIfSmaller, ///< Floor if the result is larger, else Ceil
};

enum class Kernel { Nearest, Linear, Cubic };

/// How a tensor is resized, in every dimension alike.
struct ResizeRules {
  Kernel kernel = Kernel::Nearest;
  Coordinates coordinates = Coordinates::HalfPixel;
  Rounding rounding = Rounding::PreferFloor;
  bool antialias = false;
  bool excludeOutside = false;
  double cubic = -0.75;
  double extrapolation = 0;
};

/// One dimension: from `before` elements to `after`.
struct ResizedAxis {
  int64_t axis;
  mlir::Value before, after; ///< i64
  mlir::Value scale;         ///< f64
  mlir::Value begin, end;    ///< f64, of the region that is taken
};

/// The tensor with one dimension resized to the nearest elements.
Tensor resizedNearest(GraphBuilder &g, const Tensor &source,
                      const ResizeRules &rules, const ResizedAxis &axis);

/// A tensor of f32 or f64 with one dimension interpolated.
Tensor interpolated(GraphBuilder &g, const Tensor &source,
                    const ResizeRules &rules, const ResizedAxis &axis);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_INTERPOLATION_H
