//===- PagePartTest.cpp - Formats of keys and values ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/PagePart.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

using namespace llmopt::runtime;

namespace {

constexpr uint32_t kDim = 24;

std::vector<uint8_t> emptyPart(int32_t format) {
  return std::vector<uint8_t>(llmopt_page_part_bytes(format, kDim));
}

std::vector<float> randomToken(uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> token(kDim);
  for (float &x : token)
    x = normal(random);
  return token;
}

/// Largest difference that a format may make to a component of a token.
float stepOf(int32_t format, const std::vector<float> &token, float x) {
  float largest = 0;
  for (const float y : token)
    largest = std::max(largest, std::fabs(y));
  return format == LLMOPT_KV_F32    ? 0
         : format == LLMOPT_KV_BF16 ? std::fabs(x) / 256
                                    : largest / 127 * 0.5001f;
}

class PagePartTest
    : public testing::TestWithParam<std::tuple<llmopt_kv_format, bool>> {};

TEST_P(PagePartTest, KeepsAllTokensApart) {
  const auto [format, isKey] = GetParam();
  std::vector<uint8_t> bytes = emptyPart(format);
  const PagePart part(bytes.data(), format, kDim, isKey);
  for (uint32_t slot = 0; slot < LLMOPT_PAGE_TOKENS; ++slot)
    part.write(slot, randomToken(slot).data());
  for (uint32_t slot = 0; slot < LLMOPT_PAGE_TOKENS; ++slot) {
    const std::vector<float> token = randomToken(slot);
    std::vector<float> read(kDim);
    part.read(slot, read.data());
    for (uint32_t i = 0; i < kDim; ++i)
      EXPECT_NEAR(read[i], token[i], stepOf(format, token, token[i]))
          << "slot " << slot << ", component " << i;
  }
}

/// What llmopt_run gives out and gets back stays what it is.
TEST_P(PagePartTest, WritingWhatWasReadChangesNothing) {
  const auto [format, isKey] = GetParam();
  std::vector<uint8_t> bytes = emptyPart(format);
  const PagePart part(bytes.data(), format, kDim, isKey);
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::vector<float> first(kDim), second(kDim);
    part.write(7, randomToken(seed).data());
    part.read(7, first.data());
    part.write(7, first.data());
    part.read(7, second.data());
    for (uint32_t i = 0; i < kDim; ++i)
      EXPECT_NEAR(first[i], second[i], std::fabs(first[i]) * 2.4e-7f);
  }
}

TEST_P(PagePartTest, EmptyPagesAndZerosAreZero) {
  const auto [format, isKey] = GetParam();
  std::vector<uint8_t> bytes = emptyPart(format);
  const PagePart part(bytes.data(), format, kDim, isKey);
  std::vector<float> read(kDim, 1);
  part.read(3, read.data());
  EXPECT_EQ(read, std::vector<float>(kDim, 0.0f));
  const std::vector<float> tiny(kDim, 0x1p-120f), zeros(kDim, 0.0f);
  part.write(3, zeros.data());
  part.read(3, read.data());
  EXPECT_EQ(read, zeros);
  part.write(3, tiny.data());
  part.read(3, read.data());
  EXPECT_EQ(read, format == LLMOPT_KV_INT8 ? zeros : tiny);
}

INSTANTIATE_TEST_SUITE_P(Formats, PagePartTest,
                         testing::Combine(testing::Values(LLMOPT_KV_F32,
                                                          LLMOPT_KV_BF16,
                                                          LLMOPT_KV_INT8),
                                          testing::Bool()));

TEST(PagePart, RoundsToNearestEvenBFloat) {
  std::vector<uint8_t> bytes = emptyPart(LLMOPT_KV_BF16);
  const PagePart part(bytes.data(), LLMOPT_KV_BF16, kDim, true);
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> token(kDim), read(kDim);
  token[0] = 0x1.01p0f;     // half of a step above 1: to the even 1
  token[1] = 0x1.03p0f;     // half of a step above 1.02: to the even 1.04
  token[2] = 0x1.010002p0f; // above half
  token[3] = -infinity;
  token[4] = std::numeric_limits<float>::quiet_NaN();
  token[5] = std::numeric_limits<float>::max();
  part.write(0, token.data());
  part.read(0, read.data());
  EXPECT_EQ(read[0], 1.0f);
  EXPECT_EQ(read[1], 0x1.04p0f);
  EXPECT_EQ(read[2], 0x1.02p0f);
  EXPECT_EQ(read[3], -infinity);
  EXPECT_TRUE(std::isnan(read[4]));
  EXPECT_EQ(read[5], infinity);
}

} // namespace
