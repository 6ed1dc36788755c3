//===- LayerStatistics.cpp - What calibration observes ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/LayerStatistics.h"
#include "passes/Calibration/Products.h"
#include <algorithm>
#include <cassert>
#include <cmath>

using namespace llmopt;
using llvm::ArrayRef;

LayerStatistics::LayerStatistics(int64_t columns)
    : sum(VectorD::Zero(columns)), sumOfSquares(VectorD::Zero(columns)),
      sumOfMagnitudes(VectorD::Zero(columns)),
      greatestMagnitude(VectorF::Zero(columns)),
      lowerHessian(MatrixF::Zero(columns, columns)) {}

bool LayerStatistics::isFinite(ArrayRef<float> rows) {
  const float *found =
      std::find_if_not(rows.begin(), rows.end(),
                       [](float value) { return std::isfinite(value); });
  if (found == rows.end())
    return true;
  int64_t index = found - rows.begin();
  notFinite = {index / getColumns(), index % getColumns()};
  return false;
}

void LayerStatistics::addColumnSums(Eigen::Ref<const MatrixF> rows) {
  for (int64_t i = 0; i < rows.rows(); ++i) {
    auto row = rows.row(i).transpose().array();
    sum.array() += row.cast<double>();
    sumOfSquares.array() += row.cast<double>().square();
    sumOfMagnitudes.array() += row.abs().cast<double>();
    greatestMagnitude.array() = greatestMagnitude.array().max(row.abs());
  }
}

bool LayerStatistics::accumulate(ArrayRef<float> rows,
                                 const ParallelFor &parallel) {
  int64_t columns = getColumns();
  assert(columns > 0 && rows.size() % columns == 0 && "not whole rows");
  assert(!hasCross() && "pairs were accumulated before");
  if (!isFinite(rows))
    return false;
  int64_t count = rows.size() / columns;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    Eigen::Map<const MatrixF> block(rows.data() + begin * columns,
                                    std::min(kBlock, count - begin), columns);
    addColumnSums(block);
    addSymmetricProduct(1.0f, block, Transpose::Yes, lowerHessian, parallel);
  }
  tokens += count;
  return true;
}

bool LayerStatistics::accumulatePair(ArrayRef<float> compressed,
                                     ArrayRef<float> dense,
                                     const ParallelFor &parallel) {
  int64_t columns = getColumns();
  assert(compressed.size() == dense.size() && "sizes disagree");
  assert((hasCross() || tokens == 0) && "single rows were accumulated before");
  if (!isFinite(dense) || !isFinite(compressed))
    return false;
  MatrixF sums =
      hasCross() ? std::move(cross) : MatrixF(MatrixF::Zero(columns, columns));
  cross.resize(0, 0);
  bool added = accumulate(compressed, parallel);
  assert(added && "checked above");
  int64_t count = added ? compressed.size() / columns : 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    int64_t size = std::min(kBlock, count - begin);
    Eigen::Map<const MatrixF> x(compressed.data() + begin * columns, size,
                                columns);
    Eigen::Map<const MatrixF> d(dense.data() + begin * columns, size, columns);
    addProduct(1.0f, d, Transpose::Yes, x, Transpose::No, sums, parallel);
  }
  cross = std::move(sums);
  return true;
}

void LayerStatistics::merge(const LayerStatistics &other) {
  assert(getColumns() == other.getColumns() && "columns disagree");
  assert((tokens == 0 || other.tokens == 0 || hasCross() == other.hasCross()) &&
         "pairs and single rows do not add");
  sum += other.sum;
  sumOfSquares += other.sumOfSquares;
  sumOfMagnitudes += other.sumOfMagnitudes;
  greatestMagnitude = greatestMagnitude.cwiseMax(other.greatestMagnitude);
  lowerHessian += other.lowerHessian;
  if (!hasCross())
    cross = other.cross;
  else if (other.hasCross())
    cross += other.cross;
  tokens += other.tokens;
}

MatrixF LayerStatistics::hessian() const {
  MatrixF result = lowerHessian;
  mirrorLowerTriangle(result);
  return result;
}

VectorD LayerStatistics::variance() const {
  VectorD average = mean();
  return (sumOfSquares.array() / std::max<double>(1, tokens) -
          average.array().square())
      .max(0.0)
      .matrix();
}
