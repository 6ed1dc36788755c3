//===- Reconstruct.cpp - Least squares for given zeros ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Reconstruct.h"
#include "passes/Calibration/Dispatch.h"
#include "passes/Calibration/Factor.h"
#include "passes/Calibration/Products.h"
#include <algorithm>
#include <cassert>
#include <limits>
#include <vector>

using namespace llmopt;

/// One row: right sides are those of W H; they become the solution.
static void solveRow(const MatrixF &hessian, const bool *mask,
                     const float *rightSides, float *row,
                     std::vector<float> &scratch) {
  int64_t columns = hessian.cols();
  std::vector<int32_t> active;
  std::vector<float> right;
  for (int64_t k = 0; k < columns; ++k)
    if (mask[k]) {
      active.push_back(static_cast<int32_t>(k));
      right.push_back(rightSides[k]);
    }
  int64_t count = active.size();
  scratch.resize(count * count);
  if (!getProductKernels().solveRestricted({hessian.data(), columns,
                                            active.data(), count, right.data(),
                                            scratch.data()}))
    return;
  for (int64_t i = 0; i < count; ++i)
    row[active[i]] = right[i];
}

MatrixF llmopt::reconstruct(const MatrixF &weights, const MatrixF &hessian,
                            const Mask &mask, const MatrixF &start,
                            const ParallelFor &parallel) {
  assert(weights.cols() == hessian.rows() && "columns disagree");
  int64_t rows = weights.rows();
  MatrixF right = MatrixF::Zero(rows, weights.cols());
  addProduct(1.0f, weights, Transpose::No, hessian, Transpose::No, right,
             parallel);
  MatrixF result = mask.select(start, 0.0f);
  // A few rows per part, which share memory.
  constexpr int64_t step = 16;
  parallel((rows + step - 1) / step, [&](int64_t part) {
    std::vector<float> scratch;
    for (int64_t i = part * step; i < std::min(rows, (part + 1) * step); ++i)
      solveRow(hessian, &mask(i, 0), &right(i, 0), &result(i, 0), scratch);
  });
  return result;
}

MatrixF llmopt::correctedTarget(const MatrixF &weights,
                                const LayerStatistics &statistics,
                                double damping, double part,
                                const ParallelFor &parallel) {
  assert(statistics.hasCross() && "no pairs were accumulated");
  MatrixF hessian = statistics.hessian();
  float shift = static_cast<float>(damping * hessian.diagonal().mean());
  std::optional<MatrixF> inverse = inverseOf(hessian, shift, parallel);
  if (!inverse)
    return weights;
  // W* - W = W (C - H) (H + d I)^-1.
  MatrixF difference = statistics.getCross() - hessian;
  MatrixF step = MatrixF::Zero(weights.rows(), weights.cols());
  addProduct(1.0f, weights, Transpose::No, difference, Transpose::No, step,
             parallel);
  MatrixF result = weights;
  addProduct(static_cast<float>(part), step, Transpose::No, *inverse,
             Transpose::No, result, parallel);
  return result.allFinite() ? result : weights;
}

VectorF llmopt::biasCorrection(const MatrixF &weights, const MatrixF &changed,
                               const VectorD &mean, const VectorD *denseMean) {
  VectorD wanted = weights.cast<double>() * (denseMean ? *denseMean : mean);
  return (wanted - changed.cast<double>() * mean).cast<float>();
}

/// tr(a H a^T).
static double squaredNorm(const MatrixF &a, const MatrixF &hessian,
                          const ParallelFor &parallel) {
  MatrixF product = MatrixF::Zero(a.rows(), a.cols());
  addProduct(1.0f, a, Transpose::No, hessian, Transpose::No, product, parallel);
  double sum = 0;
  for (int64_t i = 0; i < a.rows(); ++i)
    sum += a.row(i).dot(product.row(i));
  // Rounding can make it less than nothing.
  return std::max(sum, 0.0);
}

double llmopt::outputError(const MatrixF &changed, const MatrixF &weights,
                           const MatrixF &hessian,
                           const ParallelFor &parallel) {
  double error = squaredNorm(changed - weights, hessian, parallel);
  if (error == 0)
    return 0;
  double norm = squaredNorm(weights, hessian, parallel);
  return norm > 0 ? error / norm : std::numeric_limits<double>::infinity();
}
