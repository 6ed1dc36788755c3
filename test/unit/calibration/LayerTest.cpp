//===- LayerTest.cpp - Tests of whole layers --------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Alps.h"
#include "passes/Calibration/CompressLayer.h"
#include "passes/Calibration/CoordinateDescent.h"
#include "passes/Calibration/Reconstruct.h"
#include "passes/Sparsity/Magnitude.h"
#include "test/unit/calibration/Helpers.h"
#include <gtest/gtest.h>
#include <limits>

using namespace llmopt;
using namespace llmopt::test;

namespace {

CompressedLayer compress(const MatrixF &weights,
                         const LayerStatistics &statistics,
                         const LayerOptions &options) {
  ParallelFor parallel = serialFor;
  LayerSolver solver(statistics, options, parallel);
  return solver.solve(weights);
}

TEST(Reconstruct, SolvesTheNormalEquations) {
  MatrixF w = randomMatrix(20, 60, 1), x = correlatedTokens(300, 60, 2);
  MatrixF h = dampHessian(x.transpose() * x, .01);
  Mask mask = keepLargest(w, {.6, 0, 0, false}, serialFor);
  MatrixF start = mask.select(w, 0.0f);
  MatrixF best = reconstruct(w, h, mask, start, serialFor);
  // The gradient vanishes where weights are kept; zeros stay.
  MatrixF gradient = (best - w) * h;
  EXPECT_LE(mask.select(gradient, 0.0f).norm(), 1e-4f * (w * h).norm());
  EXPECT_EQ(MatrixF(mask.select(best, 0.0f)), best);
  EXPECT_LT(objective(best, w, h), objective(start, w, h));
  MatrixF descended = descend(w, h, mask, start, 100, serialFor);
  EXPECT_NEAR(objective(descended, w, h) / objective(best, w, h), 1, 1e-3);
}

TEST(Reconstruct, KeepsRowsThatCannotBeSolved) {
  MatrixF h{{1, 2}, {2, 1}}, w{{3, 4}};
  Mask all = Mask::Constant(1, 2, true);
  EXPECT_EQ(reconstruct(w, h, all, w, serialFor), w);
}

TEST(Reconstruct, CorrectionRecoversDenseOutputs) {
  // The compressed model has its inputs scaled and mixed.
  MatrixF dense = correlatedTokens(400, 12, 3), w = randomMatrix(5, 12, 4);
  MatrixF mixing = MatrixF::Identity(12, 12) + .1f * randomMatrix(12, 12, 5);
  MatrixF compressed = dense * mixing;
  LayerStatistics statistics(12);
  ASSERT_TRUE(statistics.accumulatePair(
      {compressed.data(), static_cast<size_t>(compressed.size())},
      {dense.data(), static_cast<size_t>(dense.size())}, serialFor));
  MatrixF wanted = correctedTarget(w, statistics, 1e-6, 1, serialFor);
  MatrixF output = dense * w.transpose();
  EXPECT_LE((compressed * wanted.transpose() - output).norm(),
            1e-3f * output.norm());
  EXPECT_EQ(correctedTarget(w, statistics, .01, 0, serialFor), w);
}

TEST(Reconstruct, BiasKeepsMeans) {
  VectorD mean{{1, 2}};
  EXPECT_EQ(biasCorrection(MatrixF{{1, 1}}, MatrixF{{1, 0}}, mean)[0], 2);
  VectorD denseMean{{0, 3}};
  EXPECT_EQ(
      biasCorrection(MatrixF{{1, 1}}, MatrixF{{1, 0}}, mean, &denseMean)[0], 2);
}

TEST(Alps, ComesCloseToTheBestZerosOfIndependentColumns) {
  // Without correlations, the Wanda score decides.
  MatrixF w = randomMatrix(6, 30, 6), h = MatrixF::Zero(30, 30);
  for (int k = 0; k < 30; ++k)
    h(k, k) = 1 + k;
  AlpsOptions options;
  options.pattern.ratio = .6;
  Mask mask;
  std::optional<MatrixF> result = solveAlps(w, h, options, mask, serialFor);
  ASSERT_TRUE(result);
  MatrixF scores = w * h.diagonal().cwiseSqrt().asDiagonal();
  Mask best = keepLargest(scores, options.pattern, serialFor);
  EXPECT_LE((*result - MatrixF(mask.select(w, 0.0f))).norm(), 1e-4f);
  EXPECT_LE(objective(*result, w, h),
            1.02 * objective(best.select(w, 0.0f), w, h));
}

TEST(Alps, BeatsSparseGpt) {
  MatrixF w = randomMatrix(48, 128, 7), x = correlatedTokens(500, 128, 8);
  LayerStatistics statistics = statisticsOf(x);
  for (SparsityPattern pattern :
       {SparsityPattern{.6, 0, 0, false}, SparsityPattern{.6, 0, 0, true},
        SparsityPattern{0, 2, 4, false}}) {
    LayerOptions options;
    options.pattern = pattern;
    CompressedLayer alps = compress(w, statistics, options);
    options.pruning = PruningMethod::SparseGpt;
    CompressedLayer sparseGpt = compress(w, statistics, options);
    options.pruning = PruningMethod::Wanda;
    CompressedLayer wanda = compress(w, statistics, options);
    EXPECT_LT(alps.error, sparseGpt.error);
    EXPECT_LT(alps.error, wanda.error);
    int64_t zeros = pattern.of       ? w.size() / 2
                    : pattern.perRow ? 48 * prunedCount(.6, 128)
                                     : prunedCount(.6, w.size());
    EXPECT_EQ((alps.weights.array() == 0).count(), zeros);
  }
}

TEST(CoordinateDescent, NeverRaisesTheError) {
  MatrixF w = randomMatrix(16, 150, 9), x = correlatedTokens(400, 150, 10);
  MatrixF h = dampHessian(x.transpose() * x, .01);
  Mask none, mask = keepLargest(w, {.5, 0, 0, false}, serialFor);
  for (Grid grid :
       {Grid::symmetric(3, 32), Grid::affine(4, 0), Grid::normalFloat4(64)})
    for (const Mask &kept : {none, mask})
      for (bool refit : {false, true}) {
        QuantizedMatrix quantized = emptyQuantized(grid, 16, 150);
        MatrixF rounded = kept.size() ? MatrixF(kept.select(w, 0.0f)) : w;
        fitScales(grid, rounded, {}, quantized, serialFor);
        roundAll(grid, rounded, quantized, serialFor);
        double before = objective(rounded, w, h);
        for (int sweep = 0; sweep < 3; ++sweep) {
          MatrixF refined =
              refineCodes(grid, w, h, kept, {1, refit}, quantized, serialFor);
          double after = objective(refined, w, h);
          EXPECT_LE(after, before * (1 + 1e-5));
          EXPECT_TRUE(decodeAll(grid, quantized).isApprox(refined, 1e-6f));
          if (kept.size())
            EXPECT_TRUE((kept || refined.array() == 0).all());
          before = after;
        }
      }
}

TEST(Layer, SparseAndQuantizedInOne) {
  MatrixF w = randomMatrix(32, 96, 11);
  LayerStatistics statistics = statisticsOf(correlatedTokens(400, 96, 12));
  LayerOptions options;
  options.pattern.ratio = .5;
  options.grid = Grid::symmetric(4, 32);
  for (PruningMethod method : {PruningMethod::Magnitude, PruningMethod::Wanda,
                               PruningMethod::SparseGpt, PruningMethod::Alps}) {
    options.pruning = method;
    CompressedLayer layer = compress(w, statistics, options);
    EXPECT_TRUE(layer.fallback.empty());
    EXPECT_EQ(decodeAll(options.grid, layer.quantized), layer.weights);
    EXPECT_TRUE((layer.mask || layer.weights.array() == 0).all());
    EXPECT_EQ((!layer.mask).count(), w.size() / 2);
    EXPECT_GT(layer.error, 0);
    EXPECT_LT(layer.error, .5);
  }
}

TEST(Layer, DefaultsBeatEveryMethodOfTheReferences) {
  MatrixF w = randomMatrix(32, 96, 19);
  LayerStatistics statistics = statisticsOf(correlatedTokens(400, 96, 20));
  for (double ratio : {0.0, .5})
    for (Grid grid : {Grid::symmetric(3, 32), Grid::symmetric(4, 32),
                      Grid::affine(4, 32), Grid::normalFloat4(32)}) {
      LayerOptions options;
      options.pattern.ratio = ratio;
      options.grid = grid;
      double automatic = compress(w, statistics, options).error;
      options.pruning = PruningMethod::SparseGpt;
      options.rounding = RoundingMethod::Gptq;
      double gptq = compress(w, statistics, options).error;
      options.pruning = PruningMethod::Wanda;
      options.rounding = RoundingMethod::Nearest;
      double nearest = compress(w, statistics, options).error;
      EXPECT_LT(automatic, .9 * gptq);
      EXPECT_LT(automatic, .7 * nearest);
    }
}

TEST(Layer, CorrectsErrorsOfEarlierLayers) {
  // Inputs that an earlier layer got wrong in a way that weights can undo.
  MatrixF dense = correlatedTokens(400, 32, 21), w = randomMatrix(8, 32, 22);
  MatrixF compressed =
      dense * (MatrixF::Identity(32, 32) + .1f * randomMatrix(32, 32, 23));
  LayerStatistics statistics(32);
  ASSERT_TRUE(statistics.accumulatePair(
      {compressed.data(), static_cast<size_t>(compressed.size())},
      {dense.data(), static_cast<size_t>(dense.size())}, serialFor));
  LayerOptions options;
  options.grid = Grid::symmetric(8);
  double last = std::numeric_limits<double>::infinity();
  for (double correction : {0.0, .5, 1.0}) {
    options.correction = correction;
    MatrixF changed = compress(w, statistics, options).weights;
    double error =
        (compressed * changed.transpose() - dense * w.transpose()).norm();
    EXPECT_LT(error, .8 * last);
    last = error;
  }
}

TEST(Layer, FallsBackWithoutStatistics) {
  MatrixF w = randomMatrix(4, 32, 13);
  LayerOptions options;
  options.pattern.ratio = .5;
  options.grid = Grid::symmetric(8);
  LayerStatistics empty(32);
  CompressedLayer layer = compress(w, empty, options);
  EXPECT_EQ(layer.fallback, "no calibration token reaches it");
  EXPECT_GE((layer.weights.array() == 0).count(), 64);
  EXPECT_LT((layer.weights - MatrixF(layer.mask.select(w, 0.0f))).norm(), .1f);
  LayerStatistics bad = statisticsOf(correlatedTokens(10, 32, 14));
  bad.lowerHessian(5, 3) = std::numeric_limits<float>::infinity();
  layer = compress(w, bad, options);
  EXPECT_EQ(layer.fallback, "the second moments of its inputs are not finite");
  EXPECT_TRUE(layer.weights.allFinite());
}

TEST(Layer, FewTokensAreEnough) {
  // H of rank 3, and a dead column.
  MatrixF w = randomMatrix(8, 40, 15), x = correlatedTokens(3, 40, 16);
  x.col(7).setZero();
  LayerOptions options;
  options.pattern.ratio = .5;
  options.grid = Grid::symmetric(4, 32);
  CompressedLayer layer = compress(w, statisticsOf(x), options);
  EXPECT_TRUE(layer.fallback.empty());
  EXPECT_TRUE(layer.weights.allFinite());
  EXPECT_TRUE((layer.weights.col(7).array() == 0).all());
}

TEST(Layer, PartsOfRowsHaveThresholdsOfTheirOwn) {
  MatrixF w = randomMatrix(12, 64, 24);
  w.topRows(4) *= 10;
  LayerStatistics statistics = statisticsOf(correlatedTokens(300, 64, 25));
  ParallelFor parallel = serialFor;
  LayerOptions options;
  options.pattern.ratio = .5;
  for (PruningMethod method : {PruningMethod::Magnitude,
                               PruningMethod::SparseGpt, PruningMethod::Alps}) {
    options.pruning = method;
    LayerSolver solver(statistics, options, parallel);
    Mask mask = solver.solve(w, {4, 8}).mask;
    EXPECT_EQ(mask.topRows(4).count(), 128);
    EXPECT_EQ(mask.bottomRows(8).count(), 256);
    EXPECT_GT(solver.solve(w).mask.topRows(4).count(), 160);
  }
}

TEST(Layer, WeightsOnAGridStayOnIt) {
  // What was quantized before has no error where its own scales are found
  // again.
  Grid grid = Grid::symmetric(4, 32);
  MatrixF w = randomMatrix(16, 64, 26);
  QuantizedMatrix quantized = emptyQuantized(grid, 16, 64);
  fitScales(grid, w, {}, quantized, serialFor);
  roundAll(grid, w, quantized, serialFor);
  LayerOptions options;
  options.grid = grid;
  CompressedLayer layer =
      compress(w, statisticsOf(correlatedTokens(300, 64, 27)), options);
  EXPECT_LE((layer.weights - w).norm(), 1e-6f * w.norm());
  EXPECT_LE(layer.error, layer.simpleError);
}

TEST(Layer, RatiosAtTheEnds) {
  MatrixF w = randomMatrix(8, 16, 17);
  LayerStatistics statistics = statisticsOf(correlatedTokens(60, 16, 18));
  LayerOptions options;
  EXPECT_EQ(compress(w, statistics, options).weights, w);
  EXPECT_EQ(compress(w, statistics, options).error, 0);
  options.pattern.ratio = 1;
  for (PruningMethod method : {PruningMethod::Magnitude, PruningMethod::Wanda,
                               PruningMethod::SparseGpt, PruningMethod::Alps}) {
    options.pruning = method;
    EXPECT_TRUE((compress(w, statistics, options).weights.array() == 0).all());
  }
}

} // namespace
