//===- Reconstruct.h - Least squares for given zeros ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_RECONSTRUCT_H
#define LLMOPT_PASSES_CALIBRATION_RECONSTRUCT_H

#include "passes/Calibration/LayerStatistics.h"

namespace llmopt {

/// Replaces the weights that the mask keeps by those that minimise
/// tr((W' - W) H (W' - W)^T), exactly: a Cholesky factorization per row of the
/// rows and columns of H that it keeps. H [K, K] is damped already. A row whose
/// matrix is not positive definite keeps the weights of `start`. The cost is N
/// * (kept per row)^3 / 3.
MatrixF reconstruct(const MatrixF &weights, const MatrixF &hessian,
                    const Mask &mask, const MatrixF &start,
                    const ParallelFor &parallel);

/// The weights that the solvers shall aim at so that errors of earlier layers
/// are corrected, not only reproduced: W* minimises ||W X_dense - W*
/// X_compressed||^2 + damping * ||W - W*||^2, which is
/// (W C + d W) (H + d I)^-1 with d = damping * mean(diag H). After that, the
/// error of a W' is tr((W' - W*) H (W' - W*)^T) and a constant. `part` in
/// [0, 1] goes only so far from W to W*. W where H + d I cannot be factored.
MatrixF correctedTarget(const MatrixF &weights,
                        const LayerStatistics &statistics, double damping,
                        double part, const ParallelFor &parallel);

/// What to add to the bias so that the means of the outputs stay: (W - W')
/// mean(x), [N]. With pairs, W mean(x_dense) - W' mean(x_compressed) where
/// denseMean is given.
VectorF biasCorrection(const MatrixF &weights, const MatrixF &changed,
                       const VectorD &mean, const VectorD *denseMean = nullptr);

/// tr((a - b) H (a - b)^T) by tr(b H b^T): the relative squared error of the
/// outputs. 0 where both are 0.
double outputError(const MatrixF &changed, const MatrixF &weights,
                   const MatrixF &hessian, const ParallelFor &parallel);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_RECONSTRUCT_H
