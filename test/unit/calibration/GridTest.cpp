//===- GridTest.cpp - Tests of quantization grids ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Grid.h"
#include "passes/Quantization/MatrixCodes.h"
#include "test/unit/calibration/Helpers.h"
#include <gtest/gtest.h>
#include <limits>

using namespace llmopt;
using namespace llmopt::test;

namespace {

std::vector<int> codesOf(const Grid &grid, std::vector<float> weights) {
  GridScale scale = fitGroup(grid, weights);
  std::vector<int> codes;
  for (float weight : weights)
    codes.push_back(encode(grid, scale, weight));
  return codes;
}

TEST(Grid, NormalFloatKnownAnswer) {
  EXPECT_EQ(codesOf(Grid::normalFloat4(64),
                    {.1f, -.2f, .3f, -.4f, .5f, -.6f, .7f, -.8f}),
            std::vector<int>({9, 4, 11, 2, 13, 1, 15, 0}));
}

TEST(Grid, Int8AgreesWithRoundToNearest) {
  // The vector-wise rows of LLM.int8's worked example.
  EXPECT_EQ(codesOf(Grid::symmetric(8), {.25f, 0, .125f, .5f}),
            std::vector<int>({64, 0, 32, 127}));
  EXPECT_EQ(codesOf(Grid::symmetric(8), {1, 0, -4, 12}),
            std::vector<int>({11, 0, -42, 127}));
  EXPECT_EQ(codesOf(Grid::symmetric(8), {-1, 1}),
            std::vector<int>({-127, 127}));
}

TEST(Grid, AffineKnownAnswers) {
  GridScale scale = fitGroup(Grid::affine(2), {1, -2, 3, -4});
  EXPECT_NEAR(scale.scale, 2.333333, 1e-6);
  EXPECT_EQ(scale.zero, 2);
  // Weights of one sign keep zero in their range.
  scale = fitGroup(Grid::affine(4), {3, 4.5f});
  EXPECT_NEAR(scale.scale, .3, 1e-6);
  EXPECT_EQ(scale.zero, 0);
}

TEST(Grid, AgreesWithTheCodesOfTheIR) {
  MatrixF w = randomMatrix(6, 70, 12);
  w.row(2).setZero();
  Grid table = Grid::normalFloat4(32), half = Grid::symmetric(4, 32);
  half.halfScales = true;
  for (const Grid &grid : {Grid::symmetric(8), Grid::symmetric(3, 32),
                           Grid::affine(4, 64), half, table}) {
    CodeScheme scheme;
    scheme.bits = grid.bits;
    scheme.group = grid.group;
    scheme.halfScales = grid.halfScales;
    scheme.zeroPoints = grid.kind == Grid::Kind::Affine;
    scheme.table = grid.table;
    EXPECT_EQ(grid.lowestCode(), scheme.least());
    EXPECT_EQ(grid.highestCode(), scheme.most());
    MatrixCodes expected =
        quantizeMatrix({w.data(), size_t(w.size())}, 70, scheme);
    QuantizedMatrix quantized = emptyQuantized(grid, 6, 70);
    MatrixF rounded = w;
    fitScales(grid, w, {}, quantized, serialFor);
    roundAll(grid, rounded, quantized, serialFor);
    std::vector<float> values = dequantizeMatrix(expected, scheme);
    for (int64_t i = 0; i < w.size(); ++i) {
      EXPECT_EQ(quantized.codes.data()[i], expected.codes[i]);
      EXPECT_NEAR(rounded.data()[i], values[i], 1e-6f);
    }
  }
}

TEST(Grid, ZerosSurviveEverywhere) {
  for (Grid grid :
       {Grid::symmetric(2, 0, true), Grid::symmetric(8),
        Grid::affine(3, 0, true), Grid::affine(8), Grid::normalFloat4(0, true),
        Grid::lookup({0, .5f, 1}, 0, true)}) {
    std::vector<float> weights = {0, .3f, 0, -2, 1, .01f};
    GridScale scale = fitGroup(grid, weights);
    EXPECT_EQ(roundToGrid(grid, scale, 0), 0);
    GridScale none = fitGroup(grid, {0, 0});
    EXPECT_EQ(none.scale, 0);
    EXPECT_EQ(roundToGrid(grid, none, 5), 0);
  }
}

TEST(Grid, CodesStayInRange) {
  for (int bits = 2; bits <= 8; ++bits)
    for (Grid grid : {Grid::symmetric(bits), Grid::affine(bits)}) {
      GridScale scale = fitGroup(grid, {-1, .5f});
      for (float weight : {-1e30f, -3.0f, 3.0f, 1e30f}) {
        int code = encode(grid, scale, weight);
        EXPECT_GE(code, grid.lowestCode());
        EXPECT_LE(code, grid.highestCode());
      }
    }
  EXPECT_EQ(Grid::symmetric(8).lowestCode(), -127);
  EXPECT_EQ(Grid::symmetric(4).lowestCode(), -8);
}

TEST(Grid, ClippingLowersTheError) {
  MatrixF w = randomMatrix(20, 64, 1);
  w(3, 5) = 20;
  for (int bits : {2, 3, 4}) {
    double plain = 0, clipped = 0;
    for (bool clip : {false, true}) {
      Grid grid = Grid::symmetric(bits, 32, clip);
      QuantizedMatrix quantized = emptyQuantized(grid, 20, 64);
      MatrixF rounded = w;
      fitScales(grid, w, {}, quantized, serialFor);
      roundAll(grid, rounded, quantized, serialFor);
      EXPECT_EQ(decodeAll(grid, quantized), rounded);
      (clip ? clipped : plain) = (rounded - w).squaredNorm();
    }
    EXPECT_LT(clipped, .9 * plain);
  }
}

TEST(Grid, ImportanceDecidesWhatIsClipped) {
  std::vector<float> weights = {.1f, .22f, .31f, .4f, 1};
  Grid grid = Grid::symmetric(3, 0, true);
  GridScale inner = fitGroup(grid, weights, {1, 1, 1, 1, 0});
  GridScale outer = fitGroup(grid, weights, {0, 0, 0, 0, 1});
  EXPECT_LT(std::abs(roundToGrid(grid, outer, 1) - 1), .001f);
  EXPECT_GT(std::abs(roundToGrid(grid, inner, 1) - 1), .1f);
  for (float weight : {.1f, .22f, .31f, .4f})
    EXPECT_LT(std::abs(roundToGrid(grid, inner, weight) - weight), .1f);
}

TEST(Grid, HalfScalesAreStoredAsTheyAreUsed) {
  Grid grid = Grid::symmetric(4, 32);
  grid.halfScales = true;
  EXPECT_EQ(fitGroup(grid, {.7f}).scale, 0.0999755859375f);
  // Below what f16 and float have as normal numbers.
  EXPECT_EQ(fitGroup(grid, {1e-9f}).scale, 0);
  EXPECT_EQ(fitGroup(Grid::symmetric(8), {1e-38f}).scale, 0);
}

TEST(Grid, ShortGroupsHaveScalesOfTheirOwn) {
  MatrixF w{{1, 1, 1, 7}};
  Grid grid = Grid::symmetric(4, 3);
  QuantizedMatrix quantized = emptyQuantized(grid, 1, 4);
  fitScales(grid, w, {}, quantized, serialFor);
  EXPECT_EQ(quantized.scales, (MatrixF{{1.f / 7, 1}}));
}

} // namespace
