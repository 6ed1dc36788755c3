//===- ProductKernels.h - Products, one per instruction set -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_PRODUCTKERNELS_H
#define LLMOPT_PASSES_CALIBRATION_PRODUCTKERNELS_H

#include <cstdint>

namespace llmopt {

/// c[m, n] += alpha * op(a) * op(b), all row-major with the given distances
/// between rows; op transposes where asked to. k is the inner dimension.
template <typename T> struct ProductArguments {
  int64_t m, n, k;
  T alpha;
  const T *a;
  int64_t aStride;
  bool transposeA;
  const T *b;
  int64_t bStride;
  bool transposeB;
  T *c;
  int64_t cStride;
};

/// Solves for the rows of a least-squares problem that is restricted to some
/// columns, see Reconstruct.h. hessian is [columns, columns] and symmetric;
/// active lists `count` of its columns; right holds their right-hand sides and
/// receives the solution. scratch has count * count elements. False if the
/// restricted matrix is not positive definite.
struct RestrictedSolve {
  const float *hessian;
  int64_t columns;
  const int32_t *active;
  int64_t count;
  float *right;
  float *scratch;
};

/// The hot loops, compiled for one instruction set.
struct ProductKernels {
  void (*multiplyF)(const ProductArguments<float> &);
  void (*multiplyD)(const ProductArguments<double> &);
  bool (*solveRestricted)(const RestrictedSolve &);
};

/// The kernels of each instruction set that this build has.
extern const ProductKernels kProductKernelsBase;
extern const ProductKernels kProductKernelsV3;
extern const ProductKernels kProductKernelsV4;

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_PRODUCTKERNELS_H
