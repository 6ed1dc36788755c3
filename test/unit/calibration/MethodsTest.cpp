//===- MethodsTest.cpp - Tests of masks, scales, rotations ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Dsnot.h"
#include "passes/Calibration/Hadamard.h"
#include "passes/Calibration/Owl.h"
#include "passes/Calibration/ScaleSearch.h"
#include "passes/Calibration/Wanda.h"
#include "test/unit/calibration/Helpers.h"
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

using namespace llmopt;
using namespace llmopt::test;

namespace {

TEST(Dsnot, SwapsTowardsTheMeanOfTheOutput) {
  // Means 1, variances 1/4, 1/4, 1/4, 1 and norms that grow with them.
  MatrixF tokens{{1.5f, .5f, 1.5f, 2}, {.5f, 1.5f, .5f, 0}};
  LayerStatistics statistics = statisticsOf(tokens);
  // Pruned: 2 and 3, which the output lacks. The one of lower variance comes
  // back; -1 goes, whose absence helps.
  MatrixF w{{-1, 5, 2, 3}};
  Mask mask{{true, true, false, false}};
  DsnotOptions options;
  refineMask(w, statistics, options, mask, serialFor);
  EXPECT_TRUE((mask == Mask{{false, true, true, false}}).all());
}

TEST(Dsnot, NeverMovesMeansAwayAndKeepsCounts) {
  MatrixF w = randomMatrix(30, 64, 1);
  MatrixF x = correlatedTokens(200, 64, 2).array() + .5f;
  LayerStatistics statistics = statisticsOf(x);
  for (SparsityPattern pattern :
       {SparsityPattern{.6, 0, 0, true}, SparsityPattern{0, 2, 4, false}}) {
    Mask before = keepLargest(wandaScores(w, statistics.sumOfSquares), pattern,
                              serialFor);
    Mask after = before;
    DsnotOptions options;
    options.pattern = pattern;
    refineMask(w, statistics, options, after, serialFor);
    EXPECT_FALSE((before == after).all());
    for (int64_t i = 0; i < 30; ++i) {
      EXPECT_EQ(before.row(i).count(), after.row(i).count());
      auto missing = [&](const Mask &mask) {
        VectorD row =
            mask.row(i).select(0.0f, w.row(i)).cast<double>().transpose();
        return std::fabs(row.dot(statistics.mean()));
      };
      EXPECT_LE(missing(after), missing(before) + 1e-9);
      for (int64_t k = 0; pattern.of && k < 64; k += 4)
        EXPECT_EQ(after.row(i).segment(k, 4).count(), 2);
    }
  }
}

TEST(Owl, KnownAnswers) {
  MatrixF scores{{1, 1, 1, 1, 1, 1, 1, 1, 1, 20}};
  EXPECT_DOUBLE_EQ(outlierPercentage({scores}), 10);
  EXPECT_DOUBLE_EQ(outlierPercentage({scores}, 10), 0);
  EXPECT_EQ(outlierPercentage({}), 0);
  // d = 0, .08, .16 with mean .08: densities .32, .4, .48.
  std::vector<double> ratios = allocateSparsity({1, 2, 3}, .6);
  EXPECT_NEAR(ratios[0], .68, 1e-12);
  EXPECT_NEAR(ratios[1], .60, 1e-12);
  EXPECT_NEAR(ratios[2], .52, 1e-12);
  EXPECT_EQ(allocateSparsity({2, 2}, .6), std::vector<double>({.6, .6}));
  EXPECT_EQ(allocateSparsity({1, 5}, 1)[0], .99);
}

TEST(SmoothQuant, KnownAnswers) {
  MatrixF w = exampleWeights(), x = exampleTokens();
  VectorF greatest = greatestOfColumns({&w});
  EXPECT_EQ(greatest, VectorF({{1, 2, 3, 4}}));
  LayerStatistics statistics = statisticsOf(x);
  VectorF s = smoothingFactors(statistics.greatestMagnitude, greatest, .5);
  EXPECT_TRUE(s.isApprox(VectorF({{1.414214f, 1, .816497f, .866025f}}), 1e-6f));
  MatrixF smoothed = x * s.cwiseInverse().asDiagonal();
  MatrixF scaled = w * s.asDiagonal();
  EXPECT_LE((smoothed * scaled.transpose() - x * w.transpose()).norm(), 1e-5f);
  // Dead inputs and weights of zero leave finite factors.
  VectorF zero = VectorF::Zero(4);
  EXPECT_TRUE(smoothingFactors(zero, zero, .8).allFinite());
}

TEST(Awq, ScalesHelpWhereInputsDifferInSize) {
  MatrixF w = randomMatrix(24, 64, 3), x = correlatedTokens(300, 64, 4);
  for (int64_t k = 0; k < 64; k += 16)
    x.col(k) *= 30;
  LayerStatistics statistics = statisticsOf(x);
  AwqScales found =
      searchAwqScales({&w}, statistics, Grid::symmetric(4, 32), {}, serialFor);
  EXPECT_GT(found.power, 0);
  EXPECT_LT(found.errorAfter, .8 * found.errorBefore);
  EXPECT_NEAR(found.scales.maxCoeff() * found.scales.minCoeff(), 1, 1e-4);
}

TEST(Awq, RepeatedHeadsShareScales) {
  MatrixF w = randomMatrix(8, 24, 5), x = correlatedTokens(300, 24, 6);
  x.col(3) *= 50;
  AwqScales found = searchAwqScales({&w}, statisticsOf(x), Grid::symmetric(3),
                                    {4, 3}, serialFor);
  EXPECT_GT(found.power, 0);
  for (int64_t begin : {0, 12})
    for (int64_t i = 0; i < 4; ++i)
      for (int64_t r = 1; r < 3; ++r)
        EXPECT_EQ(found.scales[begin + i], found.scales[begin + 4 * r + i]);
}

TEST(Awq, ClippingLowersTheErrorOfGroups) {
  MatrixF w = randomMatrix(10, 50, 7), x = correlatedTokens(300, 50, 8);
  MatrixF h = x.transpose() * x;
  Grid grid = Grid::symmetric(3, 20);
  MatrixF clipped = clipWeights(w, h, grid, serialFor);
  double before = 0, after = 0;
  for (int64_t begin : {0, 20, 40}) {
    int64_t size = begin == 40 ? 10 : 20;
    for (const MatrixF *matrix : {&w, &clipped}) {
      MatrixF rounded = *matrix;
      QuantizedMatrix quantized = emptyQuantized(grid, 10, 50);
      fitScales(grid, rounded, {}, quantized, serialFor);
      roundAll(grid, rounded, quantized, serialFor);
      MatrixF block = h.block(begin, begin, size, size);
      (matrix == &w ? before : after) += objective(
          rounded.middleCols(begin, size), w.middleCols(begin, size), block);
    }
  }
  EXPECT_LT(after, .95 * before);
}

TEST(Hadamard, KnownAnswer) {
  std::optional<MatrixF> h = hadamardMatrix(4);
  ASSERT_TRUE(h);
  MatrixF expected{
      {1, 1, 1, 1}, {1, -1, 1, -1}, {1, 1, -1, -1}, {1, -1, -1, 1}};
  EXPECT_EQ(*h, expected);
  MatrixF x{{10, 0, 0, .1f}};
  EXPECT_TRUE((x * *h / 2).isApprox(MatrixF{{5.05f, 4.95f, 4.95f, 5.05f}}));
}

TEST(Hadamard, OrdersOfModels) {
  for (int64_t order : {1, 2, 12, 20, 28, 36, 44, 60, 64, 108, 140, 576, 768}) {
    std::optional<MatrixF> h = hadamardMatrix(order);
    ASSERT_TRUE(h) << order;
    MatrixF identity = *h * h->transpose() / order;
    EXPECT_TRUE(identity.isIdentity(1e-5f)) << order;
    EXPECT_TRUE((h->array().abs() == 1).all());
  }
  EXPECT_FALSE(hadamardMatrix(18));
  EXPECT_FALSE(hadamardMatrix(3));
}

TEST(Hadamard, RotationsAreOrthogonalAndSeeded) {
  for (int64_t order : {36, 50, 64}) {
    MatrixF q = rotationMatrix(order, 1);
    EXPECT_TRUE((q * q.transpose()).isIdentity(1e-4f));
    EXPECT_EQ(q, rotationMatrix(order, 1));
    EXPECT_NE(q, rotationMatrix(order, 2));
  }
  // The product stays, the outlier goes.
  MatrixF w = randomMatrix(5, 64, 9), x = randomMatrix(1, 64, 10);
  x(0, 17) = 40;
  MatrixF q = rotationMatrix(64, 3);
  EXPECT_TRUE((x * q * (w * q).transpose()).isApprox(x * w.transpose(), 1e-4f));
  EXPECT_LT((x * q).cwiseAbs().maxCoeff(), 10);
}

} // namespace
