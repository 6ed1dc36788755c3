//===- ScaleSearch.cpp - Scales of channels before rounding -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/ScaleSearch.h"
#include "passes/Calibration/Products.h"
#include <algorithm>
#include <cassert>
#include <cmath>

using namespace llmopt;
using llvm::ArrayRef;

VectorF llmopt::smoothingFactors(const VectorF &greatestInputs,
                                 const VectorF &greatestWeights, double alpha) {
  assert(greatestInputs.size() == greatestWeights.size() && "sizes disagree");
  Eigen::ArrayXd inputs = greatestInputs.cast<double>().array().max(1e-5);
  Eigen::ArrayXd weights = greatestWeights.cast<double>().array().max(1e-5);
  return (inputs.pow(alpha) / weights.pow(1 - alpha))
      .max(1e-5)
      .cast<float>()
      .matrix();
}

VectorF llmopt::greatestOfColumns(ArrayRef<const MatrixF *> weights) {
  assert(!weights.empty() && "no weights");
  VectorF result = VectorF::Zero(weights.front()->cols());
  for (const MatrixF *matrix : weights)
    result = result.cwiseMax(
        VectorF(matrix->cwiseAbs().colwise().maxCoeff().transpose()));
  return result;
}

/// mean|x| with one value for inputs that must have one scale: the greatest.
static Eigen::ArrayXd sharedMagnitudes(const LayerStatistics &statistics,
                                       const RepeatedHeads &heads) {
  Eigen::ArrayXd result = statistics.meanMagnitude().array();
  int64_t span = heads.size * heads.repeats;
  if (heads.repeats <= 1)
    return result;
  assert(span > 0 && result.size() % span == 0 && "not whole heads");
  for (int64_t begin = 0; begin < result.size(); begin += span)
    for (int64_t i = 0; i < heads.size; ++i) {
      double greatest = 0;
      for (int64_t r = 0; r < heads.repeats; ++r)
        greatest = std::max(greatest, result[begin + r * heads.size + i]);
      for (int64_t r = 0; r < heads.repeats; ++r)
        result[begin + r * heads.size + i] = greatest;
    }
  return result;
}

static VectorF scalesOf(const Eigen::ArrayXd &magnitudes, double power) {
  Eigen::ArrayXd scales = magnitudes.pow(power).max(1e-4);
  scales /= std::sqrt(scales.maxCoeff() * scales.minCoeff());
  return scales.cast<float>().matrix();
}

/// Q(W * s) / s by rounding to nearest.
static MatrixF roundScaled(const MatrixF &weights, const VectorF &scales,
                           const Grid &grid, const ParallelFor &parallel) {
  MatrixF scaled = weights * scales.asDiagonal();
  QuantizedMatrix quantized =
      emptyQuantized(grid, weights.rows(), weights.cols());
  fitScales(grid, scaled, {}, quantized, parallel);
  roundAll(grid, scaled, quantized, parallel);
  return scaled * scales.cwiseInverse().asDiagonal();
}

/// tr(d H d^T).
static double errorOf(const MatrixF &difference, const MatrixF &hessian,
                      const ParallelFor &parallel) {
  MatrixF product = MatrixF::Zero(difference.rows(), difference.cols());
  addProduct(1.0f, difference, Transpose::No, hessian, Transpose::No, product,
             parallel);
  return difference.cwiseProduct(product).cast<double>().sum();
}

AwqScales llmopt::searchAwqScales(ArrayRef<const MatrixF *> weights,
                                  const LayerStatistics &statistics,
                                  const Grid &grid, const RepeatedHeads &heads,
                                  const ParallelFor &parallel, int steps) {
  assert(!grid.isFloat() && "floats need no scales");
  MatrixF hessian = statistics.hessian();
  Eigen::ArrayXd magnitudes = sharedMagnitudes(statistics, heads);
  AwqScales best;
  for (int i = 0; i < steps; ++i) {
    double power = static_cast<double>(i) / steps, error = 0;
    VectorF scales = scalesOf(magnitudes, power);
    for (const MatrixF *matrix : weights)
      error += errorOf(roundScaled(*matrix, scales, grid, parallel) - *matrix,
                       hessian, parallel);
    if (i == 0)
      best = {scales, 0, error, error};
    else if (error < best.errorAfter)
      best = {scales, power, best.errorBefore, error};
  }
  return best;
}

/// The weights of one group, clipped where that is best.
static void clipGroup(float *weights, int64_t size, const MatrixF &hessian,
                      const Grid &grid) {
  Eigen::Map<VectorF> group(weights, size);
  VectorF original = group;
  float greatest = original.cwiseAbs().maxCoeff();
  double bestError = 0;
  for (int i = 0; i < 10; ++i) {
    float limit = greatest * (1 - static_cast<float>(i) / 20);
    VectorF clipped = original.cwiseMin(limit).cwiseMax(-limit);
    GridScale scale = fitGroup(
        grid, ArrayRef<float>(clipped.data(), static_cast<size_t>(size)));
    VectorF error = clipped.unaryExpr([&](float weight) {
      return roundToGrid(grid, scale, weight);
    }) - original;
    double sum = error.dot(hessian * error);
    if (i == 0 || sum < bestError) {
      bestError = sum;
      group = clipped;
    }
  }
}

MatrixF llmopt::clipWeights(const MatrixF &weights, const MatrixF &hessian,
                            const Grid &grid, const ParallelFor &parallel) {
  assert(weights.cols() == hessian.rows() && "columns disagree");
  MatrixF result = weights;
  int64_t columns = weights.cols(), group = grid.getGroupSize(columns);
  for (int64_t begin = 0; begin < columns; begin += group) {
    int64_t size = std::min(group, columns - begin);
    MatrixF block = hessian.block(begin, begin, size, size);
    parallel(result.rows(), [&](int64_t row) {
      clipGroup(&result(row, begin), size, block, grid);
    });
  }
  return result;
}
