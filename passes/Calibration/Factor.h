//===- Factor.h - Damping and factors of H ----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_FACTOR_H
#define LLMOPT_PASSES_CALIBRATION_FACTOR_H

#include "passes/Calibration/Matrix.h"
#include <optional>
#include <vector>

namespace llmopt {

/// In place, the lower Cholesky factor of a symmetric matrix of which the lower
/// triangle is read; the upper one becomes zero. False if a pivot is not
/// positive, or NaN.
[[nodiscard]] bool choleskyInPlace(MatrixD &matrix,
                                   const ParallelFor &parallel);
[[nodiscard]] bool choleskyInPlace(MatrixF &matrix,
                                   const ParallelFor &parallel);

/// In place, the inverse of a lower triangular matrix without zeros on the
/// diagonal.
void invertTriangleInPlace(MatrixD &lower, const ParallelFor &parallel);
void invertTriangleInPlace(MatrixF &lower, const ParallelFor &parallel);

/// (matrix + shift * I)^-1 of a symmetric matrix; none if it is not positive
/// definite.
std::optional<MatrixF> inverseOf(const MatrixF &matrix, float shift,
                                 const ParallelFor &parallel);

/// Columns that no token has an input for: zero on the diagonal of H.
std::vector<bool> findDeadColumns(const MatrixF &hessian);

/// H as the solvers use it: 1 on the diagonal of dead columns, then damping *
/// mean(diag H) added to all of it.
MatrixF dampHessian(const MatrixF &hessian, double damping);

/// What GPTQ and SparseGPT know of H: upper^T * upper = (H + damping)^-1 with
/// rows and columns in `order`.
struct HessianFactor {
  MatrixF upper;
  /// Column of H for each column of the factor; empty if they are the same.
  std::vector<int64_t> order;
  std::vector<bool> dead;
  /// The damping that was used, relative to mean(diag H). More than was asked
  /// for where H is singular beyond that.
  double damping = 0;
};

/// The factor, in float64. If H is not positive definite the damping is
/// multiplied by ten until it is; none if that does not help either (H is not
/// finite or has a negative diagonal), and weights can only be rounded.
std::optional<HessianFactor> factorHessian(const MatrixF &hessian,
                                           double damping, bool activationOrder,
                                           const ParallelFor &parallel);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_FACTOR_H
