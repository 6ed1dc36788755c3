//===- Helpers.h - What tests of the solvers share --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TEST_CALIBRATION_HELPERS_H
#define LLMOPT_TEST_CALIBRATION_HELPERS_H

#include "passes/Calibration/LayerStatistics.h"
#include "passes/Calibration/Matrix.h"
#include <gtest/gtest.h>
#include <random>

namespace llmopt::test {

/// The two worked matrices of the known answers: weights [2, 4] and five
/// tokens of four inputs.
inline MatrixF exampleWeights() {
  return MatrixF{{1, -2, 3, -4}, {.5f, .25f, -.75f, 1}};
}

inline MatrixF exampleTokens() {
  return MatrixF{
      {1, 0, 2, 1}, {0, 1, 1, 0}, {2, 1, 0, 1}, {1, 1, 1, 3}, {0, 2, 1, 1}};
}

/// Their H as the references scale it: 2 X^T X / tokens.
inline MatrixF exampleHessian() {
  MatrixF x = exampleTokens();
  return 2 * x.transpose() * x / x.rows();
}

inline MatrixF randomMatrix(int64_t rows, int64_t columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  return MatrixF::NullaryExpr(rows, columns,
                              [&](Eigen::Index) { return normal(random); });
}

/// Tokens whose columns depend on each other and differ in size.
inline MatrixF correlatedTokens(int64_t tokens, int64_t columns,
                                unsigned seed) {
  MatrixF mixing = randomMatrix(columns, columns, seed) / columns;
  mixing.diagonal().array() += 1;
  MatrixF x = randomMatrix(tokens, columns, seed + 1) * mixing;
  for (int64_t k = 0; k < columns; k += 5)
    x.col(k) += 2 * x.col((k + 1) % columns);
  return x;
}

/// What is observed of tokens.
inline LayerStatistics statisticsOf(const MatrixF &tokens) {
  LayerStatistics statistics(tokens.cols());
  EXPECT_TRUE(statistics.accumulate(
      {tokens.data(), static_cast<size_t>(tokens.size())}, serialFor));
  return statistics;
}

/// tr((a - b) H (a - b)^T).
inline double objective(const MatrixF &a, const MatrixF &b, const MatrixF &h) {
  MatrixD difference = (a - b).cast<double>();
  return (difference * h.cast<double>() * difference.transpose()).trace();
}

} // namespace llmopt::test

#endif // LLMOPT_TEST_CALIBRATION_HELPERS_H
