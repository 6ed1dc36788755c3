//===- Alps.h - Pruning by ADMM ---------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_ALPS_H
#define LLMOPT_PASSES_CALIBRATION_ALPS_H

#include "passes/Calibration/Pattern.h"
#include <optional>

namespace llmopt {

struct AlpsOptions {
  SparsityPattern pattern;
  int maximumIterations = 300;
  /// Penalty at the start, for an H with ones on its diagonal. It grows with
  /// the change of the support until nothing changes.
  float penalty = 0.1f;
  /// The penalty grows by 1.3, 1.2 or 1.1 (the reference) to this power.
  /// Half as fast lowers errors by 1 % and takes half as long again.
  float growth = 0.5f;
  /// Iterations between two changes of the penalty.
  int interval = 3;
  /// Conjugate gradients instead of exact least squares for the weights that
  /// are kept: cheaper for rows of many thousand columns.
  bool gradients = false;
};

/// Zeros and weights by the alternating direction method of multipliers, then
/// least squares for the zeros found (Meng et al., "ALPS: Improved
/// Optimization for Highly Sparse One-Shot Pruning", 2024). Minimises
/// tr((W' - W) H (W' - W)^T) over all matrices of the pattern; H [K, K] is
/// damped already.
///
/// Differs from the reference code: (H + penalty * I)^-1 is made from a
/// Cholesky factorization for each penalty, which takes less time than two
/// products with eigenvectors per iteration and the eigenvectors; the weights
/// at the end are exact.
///
/// Returns the weights, zero where the mask that it sets is false. None if H is
/// not positive definite.
std::optional<MatrixF> solveAlps(const MatrixF &weights, const MatrixF &hessian,
                                 const AlpsOptions &options, Mask &mask,
                                 const ParallelFor &parallel);

/// Steps of conjugate gradients towards what reconstruct returns, from the
/// weights of `start` that the mask keeps.
MatrixF descend(const MatrixF &weights, const MatrixF &hessian,
                const Mask &mask, const MatrixF &start, int steps,
                const ParallelFor &parallel);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_ALPS_H
