//===- PredictionTest.cpp - Loss, divergence and agreement ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-eval/Prediction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

using namespace llmopt::tools;

namespace {

/// Logits of these probabilities, shifted by what softmax ignores.
std::vector<float> logitsOf(const std::vector<double> &probabilities,
                            double shift) {
  std::vector<float> logits;
  for (const double p : probabilities)
    logits.push_back(static_cast<float>(std::log(p) + shift));
  return logits;
}

TEST(Prediction, LossOfTheTarget) {
  Prediction sums;
  sums.add(logitsOf({0.5, 0.25, 0.25}, 100), 0);
  sums.add(logitsOf({0.5, 0.25, 0.25}, -300), 2);
  EXPECT_EQ(sums.count, 2u);
  EXPECT_NEAR(sums.loss, std::log(2) + std::log(4), 1e-4);
}

TEST(Prediction, AgainstAReference) {
  Prediction sums;
  sums.add(logitsOf({0.5, 0.5}, 0), logitsOf({0.75, 0.25}, 9), 1);
  EXPECT_NEAR(sums.loss, std::log(2), 1e-5);
  EXPECT_NEAR(sums.referenceLoss, std::log(4), 1e-5);
  EXPECT_NEAR(sums.divergence, 0.75 * std::log(1.5) + 0.25 * std::log(0.5),
              1e-5);
  EXPECT_EQ(sums.sameBest, 1u);
  sums.add(logitsOf({0.1, 0.9}, 0), logitsOf({0.75, 0.25}, 9), 1);
  EXPECT_EQ(sums.sameBest, 1u);
  EXPECT_EQ(sums.count, 2u);
}

} // namespace
