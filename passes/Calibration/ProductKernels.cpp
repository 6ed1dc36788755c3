//===- ProductKernels.cpp - Products, one per instruction set ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Compiled once per instruction set, with LLMOPT_KERNELS naming the table. The
// namespace of Eigen is renamed in each of them: templates that were compiled
// for one instruction set must not be linked in place of another's. For the
// same reason nothing of the standard library that is not inlined may be used.
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/ProductKernels.h"
#include <Eigen/Cholesky>
#include <Eigen/Core>

using namespace llmopt;

template <typename T>
using RowMajor =
    Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <typename T>
static Eigen::Map<const RowMajor<T>, 0, Eigen::OuterStride<>>
view(const T *data, int64_t rows, int64_t columns, int64_t stride) {
  return {data, rows, columns, Eigen::OuterStride<>(stride)};
}

template <typename T> static void multiply(const ProductArguments<T> &p) {
  Eigen::Map<RowMajor<T>, 0, Eigen::OuterStride<>> c(
      p.c, p.m, p.n, Eigen::OuterStride<>(p.cStride));
  auto a = p.transposeA ? view(p.a, p.k, p.m, p.aStride)
                        : view(p.a, p.m, p.k, p.aStride);
  auto b = p.transposeB ? view(p.b, p.n, p.k, p.bStride)
                        : view(p.b, p.k, p.n, p.bStride);
  if (p.transposeA && p.transposeB)
    c.noalias() += p.alpha * a.transpose() * b.transpose();
  else if (p.transposeA)
    c.noalias() += p.alpha * a.transpose() * b;
  else if (p.transposeB)
    c.noalias() += p.alpha * a * b.transpose();
  else
    c.noalias() += p.alpha * a * b;
}

static bool solveRestricted(const RestrictedSolve &p) {
  Eigen::Map<Eigen::MatrixXf> matrix(p.scratch, p.count, p.count);
  for (int64_t j = 0; j < p.count; ++j) {
    const float *row = p.hessian + p.active[j] * p.columns;
    float *out = p.scratch + j * p.count;
    for (int64_t i = j; i < p.count; ++i)
      out[i] = row[p.active[i]];
  }
  Eigen::LLT<Eigen::Ref<Eigen::MatrixXf>> factor(matrix);
  if (factor.info() != Eigen::Success)
    return false;
  Eigen::Map<Eigen::VectorXf> right(p.right, p.count);
  factor.solveInPlace(right);
  return true;
}

const ProductKernels llmopt::LLMOPT_KERNELS = {
    multiply<float>, multiply<double>, solveRestricted};
