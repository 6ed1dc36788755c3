//===- CompressLayer.h - Compression of one product -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_COMPRESSLAYER_H
#define LLMOPT_PASSES_CALIBRATION_COMPRESSLAYER_H

#include "passes/Calibration/LayerStatistics.h"
#include "passes/Calibration/Surgeon.h"
#include <string>

namespace llmopt {

/// Auto is ALPS.
enum class PruningMethod { Auto, Magnitude, Wanda, SparseGpt, Alps };
/// Auto is GPTQ with a search for the best scales (Grid::clip, of less than 8
/// bits), then coordinate descent; or magnitudes and rounding to nearest, where
/// these have less error.
enum class RoundingMethod { Auto, Nearest, Gptq };

/// What becomes of the weights of a product.
struct LayerOptions {
  SparsityPattern pattern;
  Grid grid;
  PruningMethod pruning = PruningMethod::Auto;
  RoundingMethod rounding = RoundingMethod::Auto;
  /// Relative to mean(diag H).
  double damping = 0.01;
  /// GPTQ goes through columns by falling diag H, with static scales.
  bool activationOrder = false;
  /// Sweeps of coordinate descent after GPTQ, which also refit the scales.
  /// RoundingMethod::Auto has some of its own.
  int sweeps = 0;
  /// Least squares for the zeros that Wanda, magnitude or SparseGPT chose.
  bool reconstruct = false;
  /// How far weights are to correct errors of earlier layers, in [0, 1], where
  /// the statistics have pairs.
  double correction = 0.5;
  int alpsIterations = 300;
};

/// A compressed product.
struct CompressedLayer {
  /// What the codes decode to; floats if there are none. Zeros are exact.
  MatrixF weights;
  /// False where a weight was pruned; empty if none was.
  Mask mask;
  QuantizedMatrix quantized;
  /// Squared error of the outputs by their squares, over the calibration
  /// tokens: tr((W' - W) H (W' - W)^T) / tr(W H W^T), against the corrected
  /// weights where there are any.
  double error = 0;
  /// The same of magnitudes and rounding to nearest.
  double simpleError = 0;
  /// True if these had less error, and are what the layer holds.
  bool isSimple = false;
  /// The damping that was used.
  double damping = 0;
  /// Why magnitudes and rounding to nearest had to do; empty if they had not.
  std::string fallback;
};

/// Compresses the products that read one input: H and its factor are made once
/// for all of them.
class LayerSolver {
public:
  /// The arguments are referred to.
  LayerSolver(const LayerStatistics &statistics, const LayerOptions &options,
              const ParallelFor &parallel);

  /// weights: [N, K], finite; `parts` are those of SparsityPattern.
  CompressedLayer solve(const MatrixF &weights,
                        llvm::ArrayRef<int64_t> parts = {});

private:
  bool prune(const MatrixF &wanted, CompressedLayer &layer);
  void round(const MatrixF &wanted, CompressedLayer &layer);
  void compressSimply(const MatrixF &weights, CompressedLayer &layer);
  void takeSimpleIfBetter(const MatrixF &weights, const MatrixF &wanted,
                          CompressedLayer &layer);
  const HessianFactor *getFactor(bool activationOrder);

  const LayerStatistics &statistics;
  LayerOptions options;
  const ParallelFor &parallel;
  bool choosesRounding;
  MatrixF hessian, damped;
  std::optional<HessianFactor> factor;
  bool factorHasOrder = false;
};

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_COMPRESSLAYER_H
