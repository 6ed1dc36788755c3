//===- CoordinateDescent.cpp - Refinement of rounded weights ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/CoordinateDescent.h"
#include "passes/Calibration/Products.h"
#include <algorithm>
#include <cassert>
#include <vector>

using namespace llmopt;

namespace {
/// The state of the descent: weights on the grid, and the gradient
/// (weights - wanted) * H of half the objective.
class Descent {
public:
  Descent(const Grid &grid, const MatrixF &hessian, const Mask &mask,
          QuantizedMatrix &quantized, const ParallelFor &parallel)
      : grid(grid), hessian(hessian), mask(mask), quantized(quantized),
        parallel(parallel), groupSize(grid.getGroupSize(hessian.cols())) {
    weights = decodeAll(grid, quantized);
  }

  /// One pass over blocks of columns. False if nothing changed.
  bool sweep(const MatrixF &wanted);
  void refitScales(const MatrixF &wanted);
  MatrixF weights;

private:
  void setGradient(const MatrixF &wanted);
  bool sweepRow(int64_t row, int64_t begin, int64_t size);
  bool isKept(int64_t row, int64_t column) const {
    return mask.size() == 0 || mask(row, column);
  }
  void refitGroup(int64_t row, int64_t group);

  const Grid &grid;
  const MatrixF &hessian;
  const Mask &mask;
  QuantizedMatrix &quantized;
  const ParallelFor &parallel;
  MatrixF gradient, steps;
  int64_t groupSize;
};
} // namespace

void Descent::setGradient(const MatrixF &wanted) {
  gradient.setZero(weights.rows(), weights.cols());
  addProduct(1.0f, MatrixF(weights - wanted), Transpose::No, hessian,
             Transpose::No, gradient, parallel);
}

/// The columns [begin, begin + size) of a row; the gradient of later columns is
/// updated from `steps` afterwards.
bool Descent::sweepRow(int64_t row, int64_t begin, int64_t size) {
  std::vector<float> slope(&gradient(row, begin), &gradient(row, begin) + size);
  bool changed = false;
  for (int64_t i = 0; i < size; ++i) {
    int64_t column = begin + i;
    steps(row, i) = 0;
    float curvature = hessian(column, column), old = weights(row, column);
    GridScale scale = quantized.scaleOf(row, column / groupSize);
    if (!isKept(row, column) || scale.scale == 0 || !(curvature > 0))
      continue;
    int code = encode(grid, scale, old - slope[i] / curvature);
    float step = decode(grid, scale, code) - old;
    if (step == 0)
      continue;
    changed = true;
    quantized.codes(row, column) = static_cast<int16_t>(code);
    weights(row, column) = old + step;
    steps(row, i) = step;
    const float *line = &hessian(column, begin);
    for (int64_t j = 0; j < size; ++j)
      slope[j] += step * line[j];
  }
  return changed;
}

bool Descent::sweep(const MatrixF &wanted) {
  constexpr int64_t block = 128;
  int64_t rows = weights.rows(), columns = weights.cols();
  // From scratch each time, so that rounding does not add up.
  setGradient(wanted);
  std::vector<char> changed(rows);
  for (int64_t begin = 0; begin < columns; begin += block) {
    int64_t size = std::min(block, columns - begin);
    steps.resize(rows, size);
    parallel(rows,
             [&](int64_t row) { changed[row] |= sweepRow(row, begin, size); });
    addProduct(1.0f, steps, Transpose::No, hessian.middleRows(begin, size),
               Transpose::No, gradient, parallel);
  }
  // What was decoded is exact again.
  weights = decodeAll(grid, quantized);
  return std::find(changed.begin(), changed.end(), 1) != changed.end();
}

/// Moves the scale of a group to the best one for its codes, if all of its
/// values survive.
void Descent::refitGroup(int64_t row, int64_t group) {
  int64_t begin = group * groupSize;
  int64_t size = std::min(groupSize, weights.cols() - begin);
  GridScale scale = quantized.scaleOf(row, group);
  VectorF units(size);
  for (int64_t i = 0; i < size; ++i)
    units[i] = decode(grid, {1, scale.zero}, quantized.codes(row, begin + i));
  VectorF line = hessian.block(begin, begin, size, size) * units;
  float curvature = units.dot(line);
  float slope = gradient.row(row).segment(begin, size).dot(units);
  if (!(curvature > 0))
    return;
  float best = storeScale(grid, scale.scale - slope / curvature);
  // A scale of zero would lose the codes.
  if (best == 0)
    return;
  quantized.scales(row, group) = best;
  weights.row(row).segment(begin, size) = units.transpose() * best;
  gradient.row(row) += (best - scale.scale) * units.transpose() *
                       hessian.middleRows(begin, size);
}

void Descent::refitScales(const MatrixF &wanted) {
  setGradient(wanted);
  parallel(weights.rows(), [&](int64_t row) {
    for (int64_t g = 0; g < quantized.scales.cols(); ++g)
      refitGroup(row, g);
  });
}

MatrixF llmopt::refineCodes(const Grid &grid, const MatrixF &weights,
                            const MatrixF &hessian, const Mask &mask,
                            const DescentOptions &options,
                            QuantizedMatrix &quantized,
                            const ParallelFor &parallel) {
  assert(!grid.isFloat() && "floats need no rounding");
  assert(weights.cols() == hessian.rows() && "columns disagree");
  Descent descent(grid, hessian, mask, quantized, parallel);
  for (int i = 0; i < options.sweeps; ++i) {
    if (options.refitScales)
      descent.refitScales(weights);
    if (!descent.sweep(weights) && !options.refitScales)
      break;
  }
  if (options.refitScales)
    descent.refitScales(weights);
  return descent.weights;
}
