//===- Surgeon.cpp - GPTQ and SparseGPT in one pass -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Surgeon.h"
#include "passes/Calibration/Products.h"
#include "passes/Sparsity/Magnitude.h"
#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

using namespace llmopt;

namespace {
/// The state of the pass, in the order of the factor.
class Surgeon {
public:
  Surgeon(const MatrixF &original, const HessianFactor &factor,
          const SurgeonOptions &options, const ParallelFor &parallel);
  Solution run();

private:
  void selectBlock(int64_t begin, int64_t size);
  void processRow(int64_t row, int64_t begin, int64_t size);
  void selectInRow(int64_t row, int64_t begin, int64_t size);
  void fitFresh(int64_t row, int64_t column, int64_t end);
  float quantize(int64_t row, int64_t column, float weight);
  Solution finish();

  int64_t originalColumn(int64_t column) const {
    return factor.order.empty() ? column : factor.order[column];
  }

  const HessianFactor &factor;
  const SurgeonOptions &options;
  const ParallelFor &parallel;
  MatrixF weights;
  /// Errors of the block by the diagonal of the factor.
  MatrixF errors;
  Mask mask;
  QuantizedMatrix quantized;
  std::vector<float> importance;
  bool freshScales;
  int64_t groupSize;
};
} // namespace

Surgeon::Surgeon(const MatrixF &original, const HessianFactor &factor,
                 const SurgeonOptions &options, const ParallelFor &parallel)
    : factor(factor), options(options), parallel(parallel), weights(original),
      groupSize(options.grid.getGroupSize(original.cols())) {
  int64_t columns = original.cols();
  assert(factor.upper.rows() == columns && "columns disagree");
  assert((options.pattern.of == 0 || factor.order.empty()) &&
         "n:m patterns are of neighbouring columns");
  const Grid &grid = options.grid;
  freshScales = !options.staticScales && factor.order.empty();
  importance.resize(columns);
  for (int64_t k = 0; k < columns; ++k) {
    float diagonal = factor.upper(k, k);
    importance[originalColumn(k)] = 1 / (diagonal * diagonal);
  }
  if (!grid.isFloat())
    quantized = emptyQuantized(grid, original.rows(), columns);
  if (options.mask)
    weights = options.mask->select(weights, 0.0f);
  if (!grid.isFloat() && (!freshScales || groupSize >= columns)) {
    freshScales = false;
    fitScales(grid, weights, importance, quantized, parallel);
  }
  weights = original;
  for (int64_t k = 0; k < columns; ++k)
    if (factor.dead[k])
      weights.col(k).setZero();
  if (options.mask)
    mask = *options.mask;
  else if (!options.pattern.isDense())
    mask.setConstant(original.rows(), columns, true);
  if (factor.order.empty())
    return;
  weights = MatrixF(weights(Eigen::all, factor.order));
  if (mask.size() != 0)
    mask = Mask(mask(Eigen::all, factor.order));
}

/// Unstructured zeros of the columns [begin, begin + size).
void Surgeon::selectBlock(int64_t begin, int64_t size) {
  MatrixF scores = weights.middleCols(begin, size);
  for (int64_t k = 0; k < size; ++k)
    scores.col(k) /= factor.upper(begin + k, begin + k);
  // What was rounded down before is made up for, so that the whole matrix has
  // as many zeros as asked for.
  SparsityPattern part = options.pattern;
  if (!part.perRow) {
    int64_t rows = weights.rows();
    int64_t count = prunedCount(part.ratio, rows * (begin + size)) -
                    prunedCount(part.ratio, rows * begin);
    part.ratio = static_cast<double>(count) / scores.size();
  } else {
    int64_t count =
        prunedCount(part.ratio, begin + size) - prunedCount(part.ratio, begin);
    part.ratio = static_cast<double>(count) / size;
  }
  keepLargest(scores, part, mask.middleCols(begin, size), parallel);
}

/// Zeros of the n:m groups that start at a column, from updated weights.
void Surgeon::selectInRow(int64_t row, int64_t begin, int64_t size) {
  MatrixF scores = weights.block(row, begin, 1, size);
  for (int64_t k = 0; k < size; ++k)
    scores(0, k) /= factor.upper(begin + k, begin + k);
  keepLargest(scores, options.pattern, mask.block(row, begin, 1, size),
              serialFor);
}

void Surgeon::fitFresh(int64_t row, int64_t column, int64_t end) {
  int64_t size = std::min(groupSize, weights.cols() - column);
  std::vector<float> group(&weights(row, column), &weights(row, column) + size);
  // The mask of later blocks may not be chosen yet.
  int64_t known = options.mask ? size : std::min(size, end - column);
  if (mask.size() != 0)
    for (int64_t i = 0; i < known; ++i)
      group[i] = mask(row, column + i) ? group[i] : 0;
  GridScale scale =
      fitGroup(options.grid, group,
               llvm::ArrayRef<float>(importance).slice(column, size));
  quantized.scales(row, column / groupSize) = scale.scale;
  if (options.grid.kind == Grid::Kind::Affine)
    quantized.zeros(row, column / groupSize) = static_cast<uint8_t>(scale.zero);
}

float Surgeon::quantize(int64_t row, int64_t column, float weight) {
  int64_t original = originalColumn(column);
  GridScale scale = quantized.scaleOf(row, original / groupSize);
  int code = encode(options.grid, scale, weight);
  quantized.codes(row, original) = static_cast<int16_t>(code);
  return decode(options.grid, scale, code);
}

void Surgeon::processRow(int64_t row, int64_t begin, int64_t size) {
  const SparsityPattern &pattern = options.pattern;
  bool selects = !options.mask && pattern.of != 0 && !pattern.isDense();
  float *w = &weights(row, begin);
  for (int64_t i = 0; i < size; ++i) {
    int64_t column = begin + i;
    if (selects && column % pattern.of == 0)
      selectInRow(row, column, std::min<int64_t>(pattern.of, size - i));
    if (freshScales && !options.grid.isFloat() && column % groupSize == 0)
      fitFresh(row, column, begin + size);
    float value = w[i];
    if (mask.size() != 0 && !mask(row, column))
      value = 0;
    if (!options.grid.isFloat())
      value = quantize(row, column, value);
    const float *upper = &factor.upper(column, begin);
    float error = (w[i] - value) / upper[i];
    errors(row, i) = error;
    for (int64_t j = i + 1; j < size; ++j)
      w[j] -= error * upper[j];
    w[i] = value;
  }
}

Solution Surgeon::run() {
  int64_t columns = weights.cols(), rows = weights.rows();
  // Blocks hold whole groups of a pattern.
  int64_t step = std::max<int64_t>(1, options.block);
  if (options.pattern.of != 0)
    step = (step + options.pattern.of - 1) / options.pattern.of *
           options.pattern.of;
  bool selects = !options.mask && options.pattern.of == 0 && mask.size() != 0;
  for (int64_t begin = 0; begin < columns; begin += step) {
    int64_t size = std::min(step, columns - begin),
            rest = columns - begin - size;
    if (selects)
      selectBlock(begin, size);
    errors.resize(rows, size);
    parallel(rows, [&](int64_t row) { processRow(row, begin, size); });
    addProduct(-1.0f, errors, Transpose::No,
               factor.upper.block(begin, begin + size, size, rest),
               Transpose::No, weights.rightCols(rest), parallel);
  }
  return finish();
}

Solution Surgeon::finish() {
  Solution result;
  result.quantized = std::move(quantized);
  if (factor.order.empty()) {
    result.weights = std::move(weights);
    result.mask = std::move(mask);
    return result;
  }
  result.weights.resizeLike(weights);
  result.weights(Eigen::all, factor.order) = weights;
  if (mask.size() == 0)
    return result;
  result.mask.resizeLike(mask);
  result.mask(Eigen::all, factor.order) = mask;
  return result;
}

Solution llmopt::solveSurgeon(const MatrixF &weights,
                              const HessianFactor &factor,
                              const SurgeonOptions &options,
                              const ParallelFor &parallel) {
  return Surgeon(weights, factor, options, parallel).run();
}
