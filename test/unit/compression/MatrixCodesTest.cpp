//===- MatrixCodesTest.cpp - Tests of codes of matrices --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/MatrixCodes.h"
#include "passes/Quantization/WeightError.h"
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

using namespace llmopt;

namespace {

MatrixCodes quantize(const std::vector<float> &weights, int64_t columns) {
  return quantizeMatrix(weights, columns, CodeScheme());
}

using Codes = std::vector<int8_t>;
using Floats = std::vector<float>;

TEST(MatrixCodes, KnownAnswers) {
  // The vector-wise rows of LLM.int8's worked example: 63.5 rounds to 64, half
  // to even.
  MatrixCodes result = quantize({.25f, 0, .125f, .5f, 1, 0, -4, 12}, 4);
  EXPECT_EQ(result.codes, Codes({64, 0, 32, 127, 11, 0, -42, 127}));
  EXPECT_EQ(result.scales, Floats({.5f / 127, 12.f / 127}));
}

TEST(MatrixCodes, TiesGoToEven) {
  // The scale is exactly 1.
  MatrixCodes result =
      quantize({127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f}, 8);
  EXPECT_EQ(result.codes, Codes({127, 0, 2, 2, 0, -2, -2, 126}));
  EXPECT_EQ(result.scales, Floats({1}));
}

TEST(MatrixCodes, NeverUsesMinus128) {
  MatrixCodes result = quantize({-1, 1, -3, 0.1f}, 2);
  EXPECT_EQ(result.codes, Codes({-127, 127, -127, 4}));
}

TEST(MatrixCodes, ZeroRowsHaveScaleZero) {
  MatrixCodes result = quantize({0, -0.0f, 1, 0}, 2);
  EXPECT_EQ(result.codes, Codes({0, 0, 127, 0}));
  EXPECT_EQ(result.scales, Floats({0, 1.f / 127}));
}

TEST(MatrixCodes, RowsWithoutANormalScaleAreZero) {
  float denormal = std::numeric_limits<float>::denorm_min();
  MatrixCodes result =
      quantize({denormal, 0, std::numeric_limits<float>::min(), 0}, 2);
  EXPECT_EQ(result.codes, Codes({0, 0, 0, 0}));
  EXPECT_EQ(result.scales, Floats({0, 0}));
}

TEST(MatrixCodes, LargestFiniteWeights) {
  float largest = std::numeric_limits<float>::max();
  MatrixCodes result = quantize({largest, -largest, 0}, 3);
  EXPECT_EQ(result.codes, Codes({127, -127, 0}));
}

TEST(MatrixCodes, ErrorIsAtMostHalfAStep) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  constexpr int64_t rows = 13, columns = 257;
  Floats weights(rows * columns);
  for (float &weight : weights)
    weight = normal(random) < -0.5f ? 0 : normal(random);
  MatrixCodes result = quantize(weights, columns);
  for (int64_t i = 0; i < rows * columns; ++i) {
    float scale = result.scales[i / columns];
    EXPECT_LE(std::fabs(result.codes[i] * scale - weights[i]),
              0.5f * scale * (1 + 1e-5f));
    if (weights[i] == 0)
      EXPECT_EQ(result.codes[i], 0);
  }
}

TEST(MatrixCodes, FindsTheFirstWeightThatIsNotFinite) {
  float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(findNotFinite(Floats{1, 2}), std::nullopt);
  EXPECT_EQ(findNotFinite(Floats{1, -infinity, infinity}), 1);
  EXPECT_EQ(findNotFinite(Floats{1, 0, std::nanf("")}), 2);
}

CodeScheme withGroups(int64_t bits, int64_t group) {
  CodeScheme scheme;
  scheme.bits = bits;
  scheme.group = group;
  return scheme;
}

TEST(MatrixCodes, GroupsHaveTheirOwnScales) {
  // Rows of 5 columns in groups of 2 (any size works without a layout).
  MatrixCodes result = quantizeMatrix(
      Floats{7, -3.5f, 0, 0, 14, 1, .45f, 70, 10, -7}, 5, withGroups(4, 2));
  EXPECT_EQ(result.scales, Floats({1, 0, 2, 1.0f / 7, 10, 1}));
  EXPECT_EQ(result.codes, Codes({7, -4, 0, 0, 7, 7, 3, 7, 1, -7}));
  EXPECT_EQ(dequantizeMatrix(result, withGroups(4, 2)),
            Floats({7, -4, 0, 0, 14, 1, 3 * (1.0f / 7), 70, 10, -7}));
}

TEST(MatrixCodes, FewBits) {
  MatrixCodes three =
      quantizeMatrix(Floats{3, -1.5f, .4f, -3}, 4, withGroups(3, 4));
  EXPECT_EQ(three.codes, Codes({3, -2, 0, -3}));
  MatrixCodes two =
      quantizeMatrix(Floats{1, -.6f, .4f, -1}, 4, withGroups(2, 4));
  EXPECT_EQ(two.codes, Codes({1, -1, 0, -1}));
}

TEST(MatrixCodes, ScalesOfHalvesAreThoseThatCodesAreMadeFor) {
  CodeScheme scheme = withGroups(4, 4);
  scheme.halfScales = true;
  MatrixCodes result = quantizeMatrix(Floats{1, .5f, -.25f, 0}, 4, scheme);
  EXPECT_EQ(result.scales, Floats({0.142822265625f}));
  EXPECT_EQ(result.codes, Codes({7, 4, -2, 0}));
  // No number of f16 is as large, or as small.
  EXPECT_TRUE(std::isinf(fitGroup(Floats{1e6f}, scheme).scale));
  EXPECT_EQ(fitGroup(Floats{1e-8f}, scheme).scale, 0);
}

TEST(MatrixCodes, ZeroPoints) {
  CodeScheme scheme = withGroups(4, 4);
  scheme.zeroPoints = true;
  // The range [-1, 2] has 15 steps of 0.2; zero is code 5.
  MatrixCodes result = quantizeMatrix(Floats{-1, 2, 0, .61f}, 4, scheme);
  EXPECT_EQ(result.zeroPoints, Codes({5}));
  EXPECT_EQ(result.codes, Codes({0, 15, 5, 8}));
  EXPECT_NEAR(result.scales[0], 0.2f, 1e-7);
  EXPECT_EQ(dequantizeMatrix(result, scheme)[2], 0);
  // The range always has zero.
  result = quantizeMatrix(Floats{1, 2, 3, 1.5f}, 4, scheme);
  EXPECT_EQ(result.zeroPoints, Codes({0}));
  EXPECT_EQ(result.codes, Codes({5, 10, 15, 8}));
}

TEST(MatrixCodes, Tables) {
  CodeScheme scheme = withGroups(2, 4);
  scheme.table = {-1, 0, .5f, 1};
  // 0.25 is as near to 0 as to 0.5: the first one.
  MatrixCodes result = quantizeMatrix(Floats{-4, 1, 1.1f, 4}, 4, scheme);
  EXPECT_EQ(result.scales, Floats({4}));
  EXPECT_EQ(result.codes, Codes({0, 1, 2, 3}));
  EXPECT_EQ(dequantizeMatrix(result, scheme), Floats({-4, 0, 2, 4}));
  // A group of zeros has the code of zero.
  EXPECT_EQ(quantizeMatrix(Floats{0, 0}, 2, scheme).codes, Codes({1, 1}));
  EXPECT_EQ(encodeWeight(3.1f, GroupScale{4, 0}, scheme), 3);
}

TEST(RelativeError, KnownAnswers) {
  // ||(3, 4)|| = 5; the decoded weights miss by (0, 1) and (3, 4).
  EXPECT_DOUBLE_EQ(relativeError(Floats{3, 4}, Floats{3, 5}), 0.2);
  EXPECT_DOUBLE_EQ(relativeError(Floats{3, 4}, Floats{0, 0}), 1);
}

TEST(RelativeError, OfAZeroWeight) {
  EXPECT_EQ(relativeError(Floats{0, 0}, Floats{0, 0}), 0);
  EXPECT_TRUE(std::isinf(relativeError(Floats{0, 0}, Floats{0, 1})));
}

} // namespace
