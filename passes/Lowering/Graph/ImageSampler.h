//===- ImageSampler.h - Images between their elements -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_IMAGESAMPLER_H
#define LLMOPT_PASSES_LOWERING_GRAPH_IMAGESAMPLER_H

#include "passes/Lowering/Graph/Real.h"

namespace llmopt::graph {

enum class SampleMode { Nearest, Linear, Cubic };
enum class Outside { Zeros, Border, Reflection };

/// An element of the image that a place reads.
struct Tap {
  mlir::Value offset; ///< in elements of one channel; always valid
  mlir::Value weight; ///< null: 1
  mlir::Value isRead; ///< i1; null: always. Others read 0
};

/// Reads images between their elements.
class ImageSampler {
public:
  ImageSampler(GraphBuilder &g, SampleMode mode, Outside outside,
               bool alignCorners)
      : g(g), mode(mode), outside(outside), alignCorners(alignCorners) {}

  /// The taps along a dimension of `size` elements for a place in [-1, 1].
  llvm::SmallVector<Tap> along(mlir::Value place, mlir::Value size) const;
  /// The same for a place that is counted in elements.
  llvm::SmallVector<Tap> at(mlir::Value place, mlir::Value size) const;
  /// Taps of more dimensions: those of one more dimension, of `size` elements,
  /// are put inside.
  llvm::SmallVector<Tap> product(llvm::ArrayRef<Tap> outer,
                                 llvm::ArrayRef<Tap> inner,
                                 mlir::Value size) const;
  /// The weighted sum of the elements of an image whose channel begins at the
  /// row-major number `first`.
  mlir::Value read(const Tensor &image, mlir::Value first,
                   llvm::ArrayRef<Tap> taps) const;

private:
  Real denormalized(const Real &place, const Real &size) const;
  Real reflected(const Real &x, const Real &size) const;
  Tap tapAt(Real x, const Real &size, mlir::Value weight) const;
  llvm::SmallVector<mlir::Value, 4> cubicWeights(const Real &fraction) const;
  mlir::Value index(const Real &x, const Real &size) const;

  GraphBuilder &g;
  const SampleMode mode;
  const Outside outside;
  const bool alignCorners;
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_IMAGESAMPLER_H
