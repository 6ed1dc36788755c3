//===- Products.h - Parallel matrix products --------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_PRODUCTS_H
#define LLMOPT_PASSES_CALIBRATION_PRODUCTS_H

#include "passes/Calibration/Matrix.h"

namespace llmopt {

enum class Transpose { No, Yes };

/// c += alpha * op(a) * op(b), by the best instruction set of this machine.
/// Results depend on the instruction set, never on the number of threads.
void addProduct(float alpha, Eigen::Ref<const MatrixF> a, Transpose transposeA,
                Eigen::Ref<const MatrixF> b, Transpose transposeB,
                Eigen::Ref<MatrixF> c, const ParallelFor &parallel);
void addProduct(double alpha, Eigen::Ref<const MatrixD> a, Transpose transposeA,
                Eigen::Ref<const MatrixD> b, Transpose transposeB,
                Eigen::Ref<MatrixD> c, const ParallelFor &parallel);

/// The lower triangle of the symmetric c [K, K], in whole tiles: c += alpha *
/// op(a) * op(a)^T, where op(a) is [K, n]. The tiles on the diagonal are
/// computed as a whole.
void addSymmetricProduct(float alpha, Eigen::Ref<const MatrixF> a,
                         Transpose transposeA, Eigen::Ref<MatrixF> c,
                         const ParallelFor &parallel);
void addSymmetricProduct(double alpha, Eigen::Ref<const MatrixD> a,
                         Transpose transposeA, Eigen::Ref<MatrixD> c,
                         const ParallelFor &parallel);

/// Copies the lower triangle into the upper one.
template <typename Matrix> void mirrorLowerTriangle(Matrix &matrix) {
  for (int64_t i = 0; i < matrix.rows(); ++i)
    for (int64_t j = 0; j < i; ++j)
      matrix(j, i) = matrix(i, j);
}

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_PRODUCTS_H
