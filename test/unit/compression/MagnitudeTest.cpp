//===- MagnitudeTest.cpp - Tests of magnitude pruning -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Sparsity/Magnitude.h"
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

using namespace llmopt;

namespace {

std::vector<float> pruned(std::vector<float> weights, double ratio) {
  pruneByMagnitude(weights, ratio);
  return weights;
}

using Floats = std::vector<float>;

TEST(Magnitude, RoundsTheCountDown) {
  EXPECT_EQ(prunedCount(0.5, 5), 2);
  EXPECT_EQ(prunedCount(0.6, 10), 6);
  EXPECT_EQ(prunedCount(0.0, 10), 0);
  EXPECT_EQ(prunedCount(1.0, 10), 10);
  EXPECT_EQ(prunedCount(0.5, 0), 0);
  EXPECT_EQ(prunedCount(0.6, int64_t(49152) * 576), 16986931);
}

TEST(Magnitude, DecimalRatiosOfWholeProductsAreExact) {
  // Both products are a little below the whole number in double arithmetic.
  ASSERT_LT(0.29 * 100, 29.0);
  EXPECT_EQ(prunedCount(0.29, 100), 29);
  ASSERT_LT(0.57 * 100, 57.0);
  EXPECT_EQ(prunedCount(0.57, 100), 57);
}

TEST(Magnitude, PrunesTheSmallestOfTheWholeMatrix) {
  // The example of the lottery ticket paper's magnitude criterion, without its
  // off-by-one.
  EXPECT_EQ(pruned({.5f, -.1f, .3f, .05f, -.9f}, 0.2),
            Floats({.5f, -.1f, .3f, 0, -.9f}));
  EXPECT_EQ(pruned({.5f, -.1f, .3f, .05f, -.9f}, 0.4),
            Floats({.5f, 0, .3f, 0, -.9f}));
}

TEST(Magnitude, TiesGoByIndex) {
  EXPECT_EQ(pruned({1, -1, 1, -1}, 0.5), Floats({0, 0, 1, -1}));
  EXPECT_EQ(pruned({2, 1, -1, 1, .5f}, 0.4), Floats({2, 0, -1, 1, 0}));
}

TEST(Magnitude, ZerosCountAsPruned) {
  EXPECT_EQ(pruned({0, 3, -0.0f, 1}, 0.5), Floats({0, 3, 0, 1}));
  EXPECT_EQ(pruned({0, 3, 0, 1}, 0.75), Floats({0, 3, 0, 0}));
}

TEST(Magnitude, NaNIsLargest) {
  float nan = std::numeric_limits<float>::quiet_NaN();
  float infinity = std::numeric_limits<float>::infinity();
  Floats result = pruned({nan, infinity, 1, -nan}, 0.5);
  EXPECT_TRUE(std::isnan(result[0]));
  EXPECT_EQ(result[1], 0);
  EXPECT_EQ(result[2], 0);
  EXPECT_TRUE(std::isnan(result[3]));
}

TEST(Magnitude, NothingOrEverything) {
  EXPECT_EQ(pruned({1, 2}, 0), Floats({1, 2}));
  EXPECT_EQ(pruned({1, 2}, 1), Floats({0, 0}));
  EXPECT_EQ(pruned({}, 0.5), Floats());
}

TEST(Magnitude, GroupsOfColumns) {
  Floats weights = {1, -2, 3, 4, 5, 9, 8, 7, 6, 5};
  pruneGroupsByMagnitude(weights, 5, 2, 4);
  // Of the single column at the end of each row, 1 * 2 / 4 = 0.
  EXPECT_EQ(weights, Floats({0, 0, 3, 4, 5, 9, 8, 0, 0, 5}));
}

TEST(Magnitude, KeepsTheLargestOfRandomWeights) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (double ratio : {0.1, 0.5, 0.6, 0.99}) {
    Floats weights(7777);
    for (float &weight : weights)
      weight = normal(random);
    Floats result = pruned(weights, ratio);
    float largestPruned = 0, smallestKept = 1e9f;
    int64_t zeros = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      if (result[i] == 0) {
        ++zeros;
        largestPruned = std::max(largestPruned, std::fabs(weights[i]));
      } else {
        EXPECT_EQ(result[i], weights[i]);
        smallestKept = std::min(smallestKept, std::fabs(weights[i]));
      }
    }
    EXPECT_EQ(zeros, static_cast<int64_t>(ratio * 7777));
    EXPECT_LE(largestPruned, smallestKept);
  }
}

} // namespace
