//===- Factor.cpp - Damping and factors of H --------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Factor.h"
#include "passes/Calibration/Products.h"
#include <Eigen/Cholesky>
#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

using namespace llmopt;

/// Columns that are factored at once.
static constexpr int64_t kPanel = 96;

template <typename Matrix>
static bool factorBlocks(Matrix &a, const ParallelFor &parallel) {
  using T = typename Matrix::Scalar;
  int64_t size = a.rows();
  for (int64_t j = 0; j < size; j += kPanel) {
    int64_t width = std::min(kPanel, size - j), rest = size - j - width;
    Matrix corner = a.block(j, j, width, width);
    Eigen::LLT<Eigen::Ref<Matrix>> factor(corner);
    // A NaN passes the comparison with zero of Eigen.
    if (factor.info() != Eigen::Success || !corner.diagonal().allFinite())
      return false;
    corner.template triangularView<Eigen::StrictlyUpper>().setZero();
    a.block(j, j, width, width) = corner;
    a.block(j, j + width, width, rest).setZero();
    if (rest == 0)
      break;
    Matrix inverse = Matrix::Identity(width, width);
    corner.template triangularView<Eigen::Lower>().solveInPlace(inverse);
    Matrix panel = a.block(j + width, j, rest, width);
    auto below = a.block(j + width, j, rest, width);
    below.setZero();
    addProduct(T(1), panel, Transpose::No, inverse, Transpose::Yes, below,
               parallel);
    addSymmetricProduct(T(-1), below, Transpose::No,
                        a.block(j + width, j + width, rest, rest), parallel);
  }
  return true;
}

bool llmopt::choleskyInPlace(MatrixD &matrix, const ParallelFor &parallel) {
  return factorBlocks(matrix, parallel);
}

bool llmopt::choleskyInPlace(MatrixF &matrix, const ParallelFor &parallel) {
  return factorBlocks(matrix, parallel);
}

/// Row panel by row panel: X_i = L_ii^-1 * (I_i - L_i,<i * X_<i).
template <typename Matrix>
static void invertBlocks(Matrix &l, const ParallelFor &parallel) {
  using T = typename Matrix::Scalar;
  int64_t size = l.rows();
  for (int64_t i = 0; i < size; i += kPanel) {
    int64_t width = std::min(kPanel, size - i);
    Matrix inverse = Matrix::Identity(width, width);
    l.block(i, i, width, width)
        .template triangularView<Eigen::Lower>()
        .solveInPlace(inverse);
    Matrix left = l.block(i, 0, width, i);
    Matrix product = Matrix::Zero(width, i);
    addProduct(T(1), left, Transpose::No, l.topLeftCorner(i, i), Transpose::No,
               product, parallel);
    auto target = l.block(i, 0, width, i);
    target.setZero();
    addProduct(T(-1), inverse, Transpose::No, product, Transpose::No, target,
               parallel);
    l.block(i, i, width, width) = inverse;
  }
}

void llmopt::invertTriangleInPlace(MatrixD &lower,
                                   const ParallelFor &parallel) {
  invertBlocks(lower, parallel);
}

void llmopt::invertTriangleInPlace(MatrixF &lower,
                                   const ParallelFor &parallel) {
  invertBlocks(lower, parallel);
}

std::optional<MatrixF> llmopt::inverseOf(const MatrixF &matrix, float shift,
                                         const ParallelFor &parallel) {
  MatrixF factor = matrix;
  factor.diagonal().array() += shift;
  if (!choleskyInPlace(factor, parallel))
    return std::nullopt;
  invertTriangleInPlace(factor, parallel);
  MatrixF result = MatrixF::Zero(matrix.rows(), matrix.cols());
  addSymmetricProduct(1.0f, factor, Transpose::Yes, result, parallel);
  mirrorLowerTriangle(result);
  return result;
}

std::vector<bool> llmopt::findDeadColumns(const MatrixF &hessian) {
  std::vector<bool> dead(hessian.rows());
  for (int64_t k = 0; k < hessian.rows(); ++k)
    dead[k] = hessian(k, k) == 0;
  return dead;
}

template <typename Matrix> static void damp(Matrix &hessian, double damping) {
  for (int64_t k = 0; k < hessian.rows(); ++k)
    if (hessian(k, k) == 0)
      hessian(k, k) = 1;
  hessian.diagonal().array() += damping * hessian.diagonal().mean();
}

MatrixF llmopt::dampHessian(const MatrixF &hessian, double damping) {
  MatrixF result = hessian;
  damp(result, damping);
  return result;
}

static std::vector<int64_t> orderByActivation(const MatrixF &hessian) {
  std::vector<int64_t> order(hessian.rows());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return hessian(a, a) > hessian(b, b);
  });
  return order;
}

/// H = R * R^T with an upper R, of which the inverse is what is wanted: it is
/// the Cholesky factor of H with rows and columns reversed, reversed back. This
/// takes one factorization where factoring the inverse takes two.
static bool factorInverse(MatrixD &reversed, MatrixF &upper,
                          const ParallelFor &parallel) {
  if (!choleskyInPlace(reversed, parallel))
    return false;
  invertTriangleInPlace(reversed, parallel);
  upper = reversed.reverse().cast<float>();
  return upper.allFinite();
}

std::optional<HessianFactor>
llmopt::factorHessian(const MatrixF &hessian, double damping,
                      bool activationOrder, const ParallelFor &parallel) {
  assert(hessian.rows() == hessian.cols() && "not square");
  if (!hessian.allFinite() || (hessian.diagonal().array() < 0).any())
    return std::nullopt;
  HessianFactor result;
  result.dead = findDeadColumns(hessian);
  if (activationOrder)
    result.order = orderByActivation(hessian);
  for (double factor = damping; factor <= 10;
       factor = std::max(1e-4, 10 * factor)) {
    MatrixD damped = hessian.cast<double>();
    damp(damped, factor);
    if (activationOrder)
      damped = MatrixD(damped(result.order, result.order));
    MatrixD reversed = damped.reverse();
    if (!factorInverse(reversed, result.upper, parallel))
      continue;
    result.damping = factor;
    return result;
  }
  return std::nullopt;
}
