//===- RoundToNearestTest.cpp - Tests of int8 rounding ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/RoundToNearest.h"
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

using namespace llmopt;

namespace {

struct Quantized {
  std::vector<int8_t> codes;
  std::vector<float> scales;
};

Quantized quantize(const std::vector<float> &weights, int64_t columns) {
  Quantized result{std::vector<int8_t>(weights.size()),
                   std::vector<float>(weights.size() / columns)};
  quantizeRowsInt8(weights, columns, result.codes, result.scales);
  return result;
}

using Codes = std::vector<int8_t>;
using Floats = std::vector<float>;

TEST(RoundToNearest, KnownAnswers) {
  // The vector-wise rows of LLM.int8's worked example: 63.5 rounds to 64, half
  // to even.
  Quantized result = quantize({.25f, 0, .125f, .5f, 1, 0, -4, 12}, 4);
  EXPECT_EQ(result.codes, Codes({64, 0, 32, 127, 11, 0, -42, 127}));
  EXPECT_EQ(result.scales, Floats({.5f / 127, 12.f / 127}));
}

TEST(RoundToNearest, TiesGoToEven) {
  // The scale is exactly 1.
  Quantized result =
      quantize({127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f}, 8);
  EXPECT_EQ(result.codes, Codes({127, 0, 2, 2, 0, -2, -2, 126}));
  EXPECT_EQ(result.scales, Floats({1}));
}

TEST(RoundToNearest, NeverUsesMinus128) {
  Quantized result = quantize({-1, 1, -3, 0.1f}, 2);
  EXPECT_EQ(result.codes, Codes({-127, 127, -127, 4}));
}

TEST(RoundToNearest, ZeroRowsHaveScaleZero) {
  Quantized result = quantize({0, -0.0f, 1, 0}, 2);
  EXPECT_EQ(result.codes, Codes({0, 0, 127, 0}));
  EXPECT_EQ(result.scales, Floats({0, 1.f / 127}));
}

TEST(RoundToNearest, RowsWithoutANormalScaleAreZero) {
  float denormal = std::numeric_limits<float>::denorm_min();
  Quantized result =
      quantize({denormal, 0, std::numeric_limits<float>::min(), 0}, 2);
  EXPECT_EQ(result.codes, Codes({0, 0, 0, 0}));
  EXPECT_EQ(result.scales, Floats({0, 0}));
}

TEST(RoundToNearest, LargestFiniteWeights) {
  float largest = std::numeric_limits<float>::max();
  Quantized result = quantize({largest, -largest, 0}, 3);
  EXPECT_EQ(result.codes, Codes({127, -127, 0}));
}

TEST(RoundToNearest, ErrorIsAtMostHalfAStep) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  constexpr int64_t rows = 13, columns = 257;
  Floats weights(rows * columns);
  for (float &weight : weights)
    weight = normal(random) < -0.5f ? 0 : normal(random);
  Quantized result = quantize(weights, columns);
  for (int64_t i = 0; i < rows * columns; ++i) {
    float scale = result.scales[i / columns];
    EXPECT_LE(std::fabs(result.codes[i] * scale - weights[i]),
              0.5f * scale * (1 + 1e-5f));
    if (weights[i] == 0)
      EXPECT_EQ(result.codes[i], 0);
  }
}

TEST(RoundToNearest, FindsTheFirstWeightThatIsNotFinite) {
  float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(findNotFinite(Floats{1, 2}), std::nullopt);
  EXPECT_EQ(findNotFinite(Floats{1, -infinity, infinity}), 1);
  EXPECT_EQ(findNotFinite(Floats{1, 0, std::nanf("")}), 2);
}

TEST(RelativeError, KnownAnswers) {
  // ||(3, 4)|| = 5; the decoded weights miss by (0, 1) and (3, 4).
  EXPECT_DOUBLE_EQ(relativeError(Floats{3, 4}, Floats{3, 5}), 0.2);
  EXPECT_DOUBLE_EQ(relativeError(Floats{3, 4}, Codes{6, 10}, Floats{.5f}), 0.2);
  EXPECT_DOUBLE_EQ(relativeError(Floats{3, 4}, Codes{0, 0}, Floats{0}), 1);
  // Each row has its own scale.
  EXPECT_DOUBLE_EQ(relativeError(Floats{3, 4}, Codes{3, 2}, Floats{1, 2}), 0);
}

TEST(RelativeError, OfAZeroWeight) {
  EXPECT_EQ(relativeError(Floats{0, 0}, Floats{0, 0}), 0);
  EXPECT_TRUE(std::isinf(relativeError(Floats{0, 0}, Floats{0, 1})));
}

} // namespace
