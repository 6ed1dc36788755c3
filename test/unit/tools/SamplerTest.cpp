//===- SamplerTest.cpp - Greedy and random choice of tokens -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "llmopt/Sampler.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

using namespace llmopt;

namespace {

/// Probabilities 0.5, 0.3, 0.15, 0.05 at temperature 1, not in order.
const std::vector<float> kLogits = {std::log(0.15f), std::log(0.5f),
                                    std::log(0.05f), std::log(0.3f)};

std::map<int32_t, double> frequencies(SamplerSettings settings) {
  constexpr int kDraws = 20000;
  Sampler sampler(settings);
  std::map<int32_t, double> result;
  for (int i = 0; i < kDraws; ++i)
    result[sampler.sample(kLogits)] += 1.0 / kDraws;
  return result;
}

TEST(Sampler, GreedyTakesTheFirstLargest) {
  Sampler sampler({});
  EXPECT_EQ(sampler.sample(kLogits), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 2, 2}), 1);
}

TEST(Sampler, NeverTakesNaN) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> logits(1000, kNaN);
  logits[0] = logits[500] = 1;
  logits[700] = 2;
  EXPECT_EQ(Sampler({}).sample(logits), 700);
  EXPECT_EQ(Sampler({}).sample(std::vector<float>{kNaN, 1}), 1);
  Sampler sampler({.temperature = 1});
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(std::isnan(logits[sampler.sample(logits)]));
}

TEST(Sampler, DrawsByProbability) {
  auto found = frequencies({.temperature = 1});
  EXPECT_NEAR(found[1], 0.5, 0.02);
  EXPECT_NEAR(found[3], 0.3, 0.02);
  EXPECT_NEAR(found[0], 0.15, 0.02);
  EXPECT_NEAR(found[2], 0.05, 0.02);
}

TEST(Sampler, TemperatureSharpens) {
  // Squares of the probabilities, normalised: 0.25 / 0.365.
  EXPECT_NEAR(frequencies({.temperature = 0.5})[1], 0.685, 0.02);
}

TEST(Sampler, TopKKeepsTheMostLikely) {
  auto found = frequencies({.temperature = 1, .topK = 2});
  EXPECT_EQ(found.size(), 2u);
  EXPECT_NEAR(found[1], 0.625, 0.02);
}

TEST(Sampler, TopPKeepsTheFewest) {
  EXPECT_EQ(frequencies({.temperature = 1, .topP = 0.4}).size(), 1u);
  EXPECT_EQ(frequencies({.temperature = 1, .topP = 0.79}).size(), 2u);
  EXPECT_EQ(frequencies({.temperature = 1, .topP = 0.81}).size(), 3u);
}

TEST(Sampler, SeedsReproduce) {
  const SamplerSettings settings = {.temperature = 1, .seed = 7};
  Sampler a(settings), b(settings), c({.temperature = 1, .seed = 8});
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const int32_t token = a.sample(kLogits);
    EXPECT_EQ(token, b.sample(kLogits));
    differs |= token != c.sample(kLogits);
  }
  EXPECT_TRUE(differs);
}

} // namespace
