//===- LayerStatisticsTest.cpp - Tests of calibration sums ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/LayerStatistics.h"
#include "passes/Calibration/Products.h"
#include "test/unit/calibration/Helpers.h"
#include <gtest/gtest.h>
#include <limits>
#include <thread>
#include <vector>

using namespace llmopt;
using namespace llmopt::test;

namespace {

llvm::ArrayRef<float> valuesOf(const MatrixF &matrix) {
  return {matrix.data(), static_cast<size_t>(matrix.size())};
}

/// Two threads that take every second part.
void twoThreads(int64_t count, llvm::function_ref<void(int64_t)> body) {
  auto half = [&](int64_t first) {
    for (int64_t i = first; i < count; i += 2)
      body(i);
  };
  std::thread other([&] { half(1); });
  half(0);
  other.join();
}

TEST(LayerStatistics, KnownAnswers) {
  LayerStatistics statistics(4);
  ASSERT_TRUE(statistics.accumulate(valuesOf(exampleTokens()), serialFor));
  EXPECT_EQ(statistics.getTokens(), 5);
  MatrixF expected{{2.4f, 1.2f, 1.2f, 2.4f},
                   {1.2f, 2.8f, 1.6f, 2.4f},
                   {1.2f, 1.6f, 2.8f, 2.4f},
                   {2.4f, 2.4f, 2.4f, 4.8f}};
  EXPECT_TRUE((statistics.hessian() * .4f).isApprox(expected, 1e-6f));
  EXPECT_EQ(statistics.sumOfSquares, VectorD({{6, 7, 7, 12}}));
  EXPECT_EQ(statistics.greatestMagnitude, VectorF({{2, 2, 2, 3}}));
  EXPECT_TRUE(statistics.mean().isApprox(VectorD({{.8, 1, 1, 1.2}})));
  EXPECT_TRUE(statistics.variance().isApprox(VectorD({{.56, .4, .4, .96}})));
}

TEST(LayerStatistics, MagnitudesAreOfBothSigns) {
  MatrixF rows{{-3, 1}, {2, -1}};
  LayerStatistics statistics(2);
  ASSERT_TRUE(statistics.accumulate(valuesOf(rows), serialFor));
  EXPECT_EQ(statistics.meanMagnitude(), VectorD({{2.5, 1}}));
  EXPECT_EQ(statistics.mean(), VectorD({{-.5, 0}}));
  EXPECT_EQ(statistics.greatestMagnitude, VectorF({{3, 1}}));
}

TEST(LayerStatistics, ManyBlocksAgreeWithFloat64) {
  MatrixF rows = correlatedTokens(3 * LayerStatistics::kBlock + 77, 200, 1);
  LayerStatistics statistics(200);
  ASSERT_TRUE(statistics.accumulate(valuesOf(rows), serialFor));
  MatrixD x = rows.cast<double>();
  MatrixD expected = x.transpose() * x;
  EXPECT_TRUE(statistics.hessian().cast<double>().isApprox(expected, 1e-6));
}

TEST(LayerStatistics, ThreadsDoNotChangeSums) {
  MatrixF rows = correlatedTokens(700, 450, 2);
  LayerStatistics one(450), two(450);
  ASSERT_TRUE(one.accumulate(valuesOf(rows), serialFor));
  ASSERT_TRUE(two.accumulate(valuesOf(rows), twoThreads));
  EXPECT_EQ(one.hessian(), two.hessian());
}

TEST(LayerStatistics, MergedPartsAreTheWhole) {
  MatrixF rows = correlatedTokens(64, 10, 3);
  LayerStatistics whole(10), first(10), second(10);
  ASSERT_TRUE(whole.accumulate(valuesOf(rows), serialFor));
  ASSERT_TRUE(first.accumulate(valuesOf(rows.topRows(20)), serialFor));
  ASSERT_TRUE(second.accumulate(valuesOf(rows.bottomRows(44)), serialFor));
  first.merge(second);
  EXPECT_EQ(first.getTokens(), 64);
  EXPECT_TRUE(first.hessian().isApprox(whole.hessian(), 1e-5f));
  EXPECT_TRUE(first.sumOfSquares.isApprox(whole.sumOfSquares));
  EXPECT_EQ(first.greatestMagnitude, whole.greatestMagnitude);
}

TEST(LayerStatistics, PairsSumTheirProduct) {
  MatrixF dense = correlatedTokens(50, 6, 4), compressed = dense * .5f;
  LayerStatistics statistics(6);
  for (int64_t begin : {0, 20}) {
    int64_t rows = begin == 0 ? 20 : 30;
    MatrixF c = compressed.middleRows(begin, rows);
    MatrixF d = dense.middleRows(begin, rows);
    ASSERT_TRUE(statistics.accumulatePair(valuesOf(c), valuesOf(d), serialFor));
  }
  EXPECT_EQ(statistics.getTokens(), 50);
  EXPECT_TRUE(statistics.getCross().isApprox(2 * statistics.hessian(), 1e-5f));
}

TEST(LayerStatistics, NotFiniteValuesAreRefusedAndNamed) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(),
                    std::numeric_limits<float>::infinity()}) {
    MatrixF rows = exampleTokens(), dense = rows;
    LayerStatistics statistics(4);
    rows(3, 2) = bad;
    EXPECT_FALSE(statistics.accumulate(valuesOf(rows), serialFor));
    EXPECT_EQ(statistics.notFinite, std::pair(int64_t(3), int64_t(2)));
    EXPECT_FALSE(
        statistics.accumulatePair(valuesOf(rows), valuesOf(dense), serialFor));
    EXPECT_FALSE(
        statistics.accumulatePair(valuesOf(dense), valuesOf(rows), serialFor));
    EXPECT_EQ(statistics.getTokens(), 0);
    EXPECT_EQ(statistics.hessian(), MatrixF(MatrixF::Zero(4, 4)));
  }
}

TEST(Products, EveryFormAgreesWithEigen) {
  for (auto [m, n, k] : {std::tuple(1, 1, 1), std::tuple(5, 300, 7),
                         std::tuple(400, 33, 129), std::tuple(0, 3, 2)})
    for (bool transposeA : {false, true})
      for (bool transposeB : {false, true}) {
        MatrixF a = randomMatrix(m, k, 5), b = randomMatrix(k, n, 6);
        MatrixF c = randomMatrix(m, n, 7), expected = c + 2 * a * b;
        addProduct(2.0f, transposeA ? MatrixF(a.transpose()) : a,
                   transposeA ? Transpose::Yes : Transpose::No,
                   transposeB ? MatrixF(b.transpose()) : b,
                   transposeB ? Transpose::Yes : Transpose::No, c, twoThreads);
        EXPECT_LE((c - expected).cwiseAbs().sum(), 1e-4f * (1 + m * n));
      }
}

} // namespace
