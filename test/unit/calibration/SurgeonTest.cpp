//===- SurgeonTest.cpp - Tests of GPTQ and SparseGPT ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Surgeon.h"
#include "passes/Calibration/Wanda.h"
#include "passes/Sparsity/Magnitude.h"
#include "test/unit/calibration/Helpers.h"
#include <gtest/gtest.h>
#include <limits>

using namespace llmopt;
using namespace llmopt::test;

namespace {

void expectNear(const MatrixF &actual, const MatrixF &expected,
                float tolerance = 2e-6f) {
  ASSERT_EQ(actual.rows(), expected.rows());
  ASSERT_EQ(actual.cols(), expected.cols());
  EXPECT_LE((actual - expected).cwiseAbs().maxCoeff(), tolerance)
      << actual << "\n\n"
      << expected;
}

HessianFactor factorOf(const MatrixF &hessian, bool order = false) {
  std::optional<HessianFactor> factor =
      factorHessian(hessian, 0.01, order, serialFor);
  EXPECT_TRUE(factor);
  return factor ? *factor : HessianFactor();
}

Solution solve(const MatrixF &weights, const MatrixF &hessian,
               const SurgeonOptions &options, bool order = false) {
  return solveSurgeon(weights, factorOf(hessian, order), options, serialFor);
}

SurgeonOptions withGrid(Grid grid) {
  SurgeonOptions options;
  options.grid = std::move(grid);
  return options;
}

TEST(Factor, KnownAnswer) {
  HessianFactor factor = factorOf(exampleHessian());
  expectNear(factor.upper, MatrixF{{.898068f, -.003485f, -.003485f, -.442598f},
                                   {0, .806224f, -.200553f, -.30083f},
                                   {0, 0, .780881f, -.387855f},
                                   {0, 0, 0, .454922f}});
  EXPECT_EQ(factor.damping, 0.01);
}

TEST(Factor, LargeFactorsInvert) {
  MatrixF x = correlatedTokens(500, 301, 1), h = x.transpose() * x;
  for (bool order : {false, true}) {
    HessianFactor factor = factorOf(h, order);
    MatrixD damped = dampHessian(h, .01).cast<double>();
    if (order)
      damped = MatrixD(damped(factor.order, factor.order));
    MatrixD u = factor.upper.cast<double>();
    MatrixD product = u * damped * u.transpose();
    EXPECT_LE((product - MatrixD::Identity(301, 301)).cwiseAbs().maxCoeff(),
              1e-4);
  }
  std::optional<MatrixF> inverse = inverseOf(h, 3, serialFor);
  ASSERT_TRUE(inverse);
  MatrixF shifted = h;
  shifted.diagonal().array() += 3;
  EXPECT_LE((*inverse * shifted - MatrixF::Identity(301, 301)).norm(), 1e-2f);
}

TEST(Factor, DampingGrowsUntilMatricesAreDefinite) {
  // An eigenvalue of -1/2 of the mean diagonal, as no sum of squares has it,
  // but as rounding makes in the small.
  MatrixF h{{1, 1.5f}, {1.5f, 1}};
  HessianFactor factor = factorOf(h);
  EXPECT_DOUBLE_EQ(factor.damping, 1);
  EXPECT_TRUE(factor.upper.allFinite());
  // Rank one without damping.
  std::optional<HessianFactor> undamped =
      factorHessian(MatrixF{{1, 1}, {1, 1}}, 0, false, serialFor);
  ASSERT_TRUE(undamped);
  EXPECT_DOUBLE_EQ(undamped->damping, 1e-4);
}

TEST(Factor, RefusesWhatNoDampingMends) {
  MatrixF h = exampleHessian();
  h(1, 2) = h(2, 1) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(factorHessian(h, .01, false, serialFor));
  h = exampleHessian();
  h(0, 0) = -1;
  EXPECT_FALSE(factorHessian(h, .01, false, serialFor));
}

TEST(Gptq, KnownAnswers) {
  MatrixF w = exampleWeights(), h = exampleHessian();
  Solution two = solve(w, h, withGrid(Grid::affine(2)));
  expectNear(two.weights, MatrixF{{0, -7.f / 3, 7.f / 3, -7.f / 3},
                                  {7.f / 12, 0, -7.f / 12, 7.f / 6}});
  expectNear(two.quantized.scales, MatrixF{{7.f / 3}, {7.f / 12}});
  EXPECT_EQ(two.quantized.zeros(0, 0), 2);
  EXPECT_EQ(two.quantized.zeros(1, 0), 1);
  EXPECT_NEAR(objective(two.weights, w, h), 4.652778, 1e-5);
  Solution three = solve(w, h, withGrid(Grid::affine(3)));
  expectNear(three.weights, w);
  Solution four = solve(w, h, withGrid(Grid::affine(4)));
  EXPECT_NEAR(objective(four.weights, w, h), .285556, 1e-5);
  EXPECT_NEAR(four.weights(0, 3), -3.733333, 1e-5);
}

TEST(Gptq, BeatsRoundingToNearest) {
  MatrixF w = randomMatrix(40, 200, 2), x = correlatedTokens(600, 200, 3);
  MatrixF h = x.transpose() * x;
  for (Grid grid : {Grid::symmetric(3), Grid::symmetric(4, 32),
                    Grid::affine(4, 48), Grid::normalFloat4(64, true),
                    Grid::symmetric(2, 300, true), Grid::symmetric(8)})
    for (bool order : {false, true}) {
      QuantizedMatrix nearest = emptyQuantized(grid, 40, 200);
      MatrixF rounded = w;
      fitScales(grid, w, {}, nearest, serialFor);
      roundAll(grid, rounded, nearest, serialFor);
      Solution solution = solve(w, h, withGrid(grid), order);
      EXPECT_LT(objective(solution.weights, w, h), objective(rounded, w, h));
      EXPECT_EQ(decodeAll(grid, solution.quantized), solution.weights);
    }
}

TEST(Gptq, OrderOfEqualColumnsChangesNothing) {
  // Independent columns of equal size: nothing to compensate.
  MatrixF w = randomMatrix(3, 8, 4), h = MatrixF::Identity(8, 8);
  SurgeonOptions options = withGrid(Grid::symmetric(4));
  EXPECT_EQ(solve(w, h, options, true).weights, solve(w, h, options).weights);
}

TEST(SparseGpt, KnownAnswers) {
  MatrixF w = exampleWeights(), h = exampleHessian();
  // The reference prunes one more than asked for: its mask, given.
  Mask mask{{false, true, true, true}, {false, false, false, false}};
  SurgeonOptions given;
  given.mask = &mask;
  Solution masked = solve(w, h, given);
  expectNear(masked.weights,
             MatrixF{{0, -1.996119f, 3.003881f, -3.507166f}, {0, 0, 0, 0}});
  EXPECT_NEAR(objective(masked.weights, w, h), 7.150112, 1e-5);
  SurgeonOptions two;
  two.pattern = {0, 2, 4, false};
  Solution half = solve(w, h, two);
  expectNear(half.weights, MatrixF{{0, 0, 2.507333f, -4.251987f},
                                   {0, 0, -.685388f, 1.340425f}});
  EXPECT_NEAR(objective(half.weights, w, h), 7.593881, 1e-5);
}

TEST(SparseGpt, PrunesExactlyAsManyAsAskedFor) {
  MatrixF w = randomMatrix(13, 150, 5), x = correlatedTokens(400, 150, 6);
  MatrixF h = x.transpose() * x;
  for (double ratio : {.1, .5, .61, .99, 1.0}) {
    SurgeonOptions options;
    options.pattern.ratio = ratio;
    options.block = 64;
    Solution solution = solve(w, h, options);
    EXPECT_EQ((!solution.mask).count(), prunedCount(ratio, w.size()));
    EXPECT_EQ(solution.weights,
              MatrixF(solution.mask.select(solution.weights, 0.0f)));
    Mask magnitude = keepLargest(w, options.pattern, serialFor);
    // With next to nothing left, greedy choices may be worse than none.
    if (ratio < .9)
      EXPECT_LE(objective(solution.weights, w, h),
                objective(magnitude.select(w, 0.0f), w, h));
  }
}

TEST(SparseGpt, EveryGroupOfAPatternHoldsIt) {
  MatrixF w = randomMatrix(9, 70, 7), x = correlatedTokens(300, 70, 8);
  SurgeonOptions options;
  options.pattern = {0, 2, 4, false};
  options.block = 18;
  options.grid = Grid::symmetric(4, 32);
  Solution solution = solve(w, x.transpose() * x, options);
  for (int64_t i = 0; i < 9; ++i) {
    for (int64_t k = 0; k + 4 <= 70; k += 4)
      EXPECT_EQ(solution.mask.row(i).segment(k, 4).count(), 2);
    EXPECT_EQ(solution.mask.row(i).tail(2).count(), 1);
  }
  EXPECT_TRUE((solution.mask || solution.weights.array() == 0).all());
}

TEST(SparseGpt, DeadColumnsBecomeZero) {
  MatrixF w = randomMatrix(4, 6, 9), x = correlatedTokens(50, 6, 10);
  x.col(2).setZero();
  SurgeonOptions options = withGrid(Grid::symmetric(8));
  Solution solution = solve(w, x.transpose() * x, options);
  EXPECT_TRUE((solution.weights.col(2).array() == 0).all());
  EXPECT_TRUE(solution.weights.allFinite());
}

TEST(Wanda, KnownAnswers) {
  VectorD squares{{6, 7, 7, 12}};
  MatrixF scores = wandaScores(exampleWeights(), squares);
  expectNear(scores, MatrixF{{2.44949f, 5.291503f, 7.937254f, 13.856406f},
                             {1.224745f, .661438f, 1.984313f, 3.464102f}});
  MatrixF expected{{0, 0, 3, -4}, {0, 0, -.75f, 1}};
  for (SparsityPattern pattern :
       {SparsityPattern{.5, 0, 0, true}, SparsityPattern{0, 2, 4, false}})
    EXPECT_EQ(MatrixF(keepLargest(scores, pattern, serialFor)
                          .select(exampleWeights(), 0.0f)),
              expected);
}

TEST(Pattern, TiesAreBrokenByIndex) {
  MatrixF scores{{1, -1, 1}, {1, 0, 1}};
  Mask mask = keepLargest(scores, {.5, 0, 0, false}, serialFor);
  Mask expected{{false, false, true}, {true, false, true}};
  EXPECT_TRUE((mask == expected).all());
  EXPECT_TRUE(keepLargest(scores, {}, serialFor).all());
  EXPECT_FALSE(keepLargest(scores, {1, 0, 0, false}, serialFor).any());
}

TEST(Pattern, AgreesWithPruningByMagnitude) {
  MatrixF scores = randomMatrix(37, 53, 11);
  scores(3, 4) = std::numeric_limits<float>::quiet_NaN();
  Mask mask = keepLargest(scores, {.37, 0, 0, false}, serialFor);
  MatrixF pruned = scores;
  pruneByMagnitude({pruned.data(), size_t(pruned.size())}, .37);
  EXPECT_TRUE((mask == (pruned.array() != 0)).all());
}

} // namespace
