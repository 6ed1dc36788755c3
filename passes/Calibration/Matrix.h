//===- Matrix.h - Types of the solvers --------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_MATRIX_H
#define LLMOPT_PASSES_CALIBRATION_MATRIX_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include <Eigen/Core>
#include <cstdint>
#include <functional>

namespace llmopt {

/// Matrices of the solvers are row-major as the weights of the IR are: [N, K],
/// a row per output and a column per input.
using MatrixF =
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixD =
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using VectorF = Eigen::VectorXf;
using VectorD = Eigen::VectorXd;

/// True where a weight is kept.
using Mask =
    Eigen::Array<bool, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Calls body(0) ... body(count - 1) in any order on any threads and returns
/// when all have returned. The solvers split work into the same parts for any
/// number of threads, so that results do not depend on it. A compiler passes
/// [context](int64_t count, auto body) {
///   mlir::parallelFor(context, 0, count, body); }.
using ParallelFor =
    std::function<void(int64_t count, llvm::function_ref<void(int64_t)> body)>;

/// The ParallelFor of a single thread.
inline void serialFor(int64_t count, llvm::function_ref<void(int64_t)> body) {
  for (int64_t i = 0; i < count; ++i)
    body(i);
}

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_MATRIX_H
