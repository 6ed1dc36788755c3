//===- Alps.cpp - Pruning by ADMM -------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Alps.h"
#include "passes/Calibration/Factor.h"
#include "passes/Calibration/Products.h"
#include "passes/Calibration/Reconstruct.h"
#include <cassert>
#include <cmath>
#include <vector>

using namespace llmopt;

namespace {
/// ADMM in the form of one matrix: with B the unconstrained and D the sparse
/// weights and V the multipliers, X = B + V / penalty is D where it is kept and
/// V / penalty elsewhere. So X and the mask are the whole state.
class Admm {
public:
  Admm(const MatrixF &weights, const MatrixF &hessian,
       const AlpsOptions &options, const ParallelFor &parallel)
      : hessian(hessian), options(options), parallel(parallel), x(weights),
        penalty(options.penalty) {
    gradient.setZero(weights.rows(), weights.cols());
    addProduct(1.0f, weights, Transpose::No, hessian, Transpose::No, gradient,
               parallel);
    mask = keepLargest(x, options.pattern, parallel);
    // The multipliers are zero.
    x = mask.select(x, 0.0f);
  }

  bool run();
  Mask mask;

private:
  bool factor();
  void iterate();
  int64_t countChanges();
  void raisePenalty(double changed);

  const MatrixF &hessian;
  const AlpsOptions &options;
  const ParallelFor &parallel;
  MatrixF x, gradient, inverse, right;
  Mask checked;
  float penalty;
};
} // namespace

bool Admm::factor() {
  std::optional<MatrixF> result = inverseOf(hessian, penalty, parallel);
  if (!result)
    return false;
  inverse = std::move(*result);
  return true;
}

void Admm::iterate() {
  int64_t rows = x.rows(), columns = x.cols();
  right.resize(rows, columns);
  parallel(rows, [&](int64_t i) {
    const bool *kept = &mask(i, 0);
    float *values = &x(i, 0), *sides = &right(i, 0);
    const float *wanted = &gradient(i, 0);
    for (int64_t k = 0; k < columns; ++k) {
      sides[k] = wanted[k] + penalty * (kept[k] ? values[k] : -values[k]);
      values[k] = kept[k] ? 0 : values[k];
    }
  });
  addProduct(1.0f, right, Transpose::No, inverse, Transpose::No, x, parallel);
  keepLargest(x, options.pattern, mask, parallel);
}

int64_t Admm::countChanges() {
  std::vector<int64_t> changes(mask.rows());
  parallel(mask.rows(), [&](int64_t i) {
    changes[i] = (mask.row(i) != checked.row(i)).count();
  });
  int64_t sum = 0;
  for (int64_t count : changes)
    sum += count;
  checked = mask;
  return sum;
}

void Admm::raisePenalty(double changed) {
  float factor = changed > 0.1 ? 1.3f : changed > 0.005 ? 1.2f : 1.1f;
  factor = std::pow(factor, options.growth);
  // The multipliers stay as they are, not their quotient by the penalty.
  x = mask.select(x, x / factor);
  penalty *= factor;
}

bool Admm::run() {
  checked = mask;
  if (!factor())
    return false;
  double kept = std::max<int64_t>(1, mask.count());
  for (int i = 1; i <= options.maximumIterations; ++i) {
    iterate();
    if (i % options.interval != 0)
      continue;
    double changed = countChanges() / kept;
    if (changed == 0 || (i >= 30 && changed < 3e-4))
      break;
    raisePenalty(changed);
    if (!factor())
      return false;
  }
  return x.allFinite();
}

MatrixF llmopt::descend(const MatrixF &weights, const MatrixF &hessian,
                        const Mask &mask, const MatrixF &start, int steps,
                        const ParallelFor &parallel) {
  MatrixF x = mask.select(start, 0.0f);
  MatrixF residual = MatrixF::Zero(x.rows(), x.cols());
  addProduct(1.0f, MatrixF(weights - x), Transpose::No, hessian, Transpose::No,
             residual, parallel);
  residual = mask.select(residual, 0.0f);
  MatrixF direction = residual, product;
  // Each row is a system of its own.
  VectorF norms = residual.rowwise().squaredNorm(), first = norms;
  for (int step = 0; step < steps; ++step) {
    product.setZero(x.rows(), x.cols());
    addProduct(1.0f, direction, Transpose::No, hessian, Transpose::No, product,
               parallel);
    parallel(x.rows(), [&](int64_t i) {
      product.row(i) = mask.row(i).select(product.row(i), 0.0f);
      float curvature = direction.row(i).dot(product.row(i));
      if (!(curvature > 0) || norms[i] <= 1e-12f * first[i])
        return;
      float length = norms[i] / curvature;
      x.row(i) += length * direction.row(i);
      residual.row(i) -= length * product.row(i);
      float norm = residual.row(i).squaredNorm();
      direction.row(i) = residual.row(i) + norm / norms[i] * direction.row(i);
      norms[i] = norm;
    });
  }
  return x;
}

std::optional<MatrixF> llmopt::solveAlps(const MatrixF &weights,
                                         const MatrixF &hessian,
                                         const AlpsOptions &options, Mask &mask,
                                         const ParallelFor &parallel) {
  assert(weights.cols() == hessian.rows() && "columns disagree");
  if ((hessian.diagonal().array() <= 0).any())
    return std::nullopt;
  VectorF root = hessian.diagonal().cwiseSqrt();
  VectorF inverseRoot = root.cwiseInverse();
  MatrixF normalised = inverseRoot.asDiagonal() * hessian;
  normalised *= inverseRoot.asDiagonal();
  MatrixF scaled = weights * root.asDiagonal();
  Admm admm(scaled, normalised, options, parallel);
  if (!admm.run())
    return std::nullopt;
  mask = admm.mask;
  MatrixF start = mask.select(scaled, 0.0f);
  MatrixF result = options.gradients
                       ? descend(scaled, normalised, mask, start, 20, parallel)
                       : reconstruct(scaled, normalised, mask, start, parallel);
  return MatrixF(result * inverseRoot.asDiagonal());
}
