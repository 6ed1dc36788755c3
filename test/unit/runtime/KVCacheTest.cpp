//===- KVCacheTest.cpp - Page accounting of the cache -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/KVCache.h"

#include <gtest/gtest.h>

using namespace llmopt::runtime;

namespace {

constexpr uint64_t kPageBytes = 16, kTokens = 200; // 4 pages of 64 tokens

TEST(KVCache, TakesAndReturnsPages) {
  KVCache cache;
  ASSERT_TRUE(cache.create(kPageBytes, 2, kTokens));
  EXPECT_EQ(cache.pagesInUse(), 0u);
  cache.append(0, 64);
  EXPECT_EQ(cache.pagesInUse(), 1u);
  cache.append(0, 1);
  EXPECT_EQ(cache.pagesInUse(), 2u);
  cache.append(1, 200);
  EXPECT_EQ(cache.pagesInUse(), 6u);
  cache.truncate(0, 64);
  EXPECT_EQ(cache.pagesInUse(), 5u);
  cache.truncate(1, 0);
  EXPECT_EQ(cache.pagesInUse(), 1u);
  EXPECT_EQ(cache.length(0), 64u);
}

TEST(KVCache, PagesAreZeroWhenHandedOut) {
  KVCache cache;
  ASSERT_TRUE(cache.create(kPageBytes, 1, kTokens));
  for (int repeat = 0; repeat < 2; ++repeat) {
    cache.append(0, kTokens);
    for (uint64_t page = 0; page < 4; ++page)
      for (uint64_t i = 0; i < kPageBytes; ++i) {
        ASSERT_EQ(cache.pages(0)[page][i], 0.0f);
        cache.pages(0)[page][i] = 1;
      }
    cache.truncate(0, 0);
  }
}

TEST(KVCache, CopiesOnlyThePageThatIsWritten) {
  KVCache cache;
  ASSERT_TRUE(cache.create(kPageBytes, 3, kTokens));
  cache.append(0, 100);
  cache.pages(0)[1][5] = 42;
  cache.copy(0, 1);
  cache.copy(1, 2);
  EXPECT_EQ(cache.pagesInUse(), 2u);
  EXPECT_EQ(cache.pages(1)[1], cache.pages(0)[1]);
  cache.append(1, 1);
  EXPECT_EQ(cache.pagesInUse(), 3u);
  EXPECT_EQ(cache.pages(1)[0], cache.pages(0)[0]);
  EXPECT_NE(cache.pages(1)[1], cache.pages(0)[1]);
  EXPECT_EQ(cache.pages(1)[1][5], 42.0f);
  uint8_t *shared = cache.pages(0)[1];
  cache.append(0, 1);
  cache.append(2, 1);
  EXPECT_EQ(cache.pages(2)[1], shared) << "the last owner needs no copy";
  EXPECT_EQ(cache.pagesInUse(), 4u);
}

TEST(KVCache, AppendAtAPageBoundaryCopiesNothing) {
  KVCache cache;
  ASSERT_TRUE(cache.create(kPageBytes, 2, kTokens));
  cache.append(0, 128);
  cache.copy(0, 1);
  cache.append(0, 1);
  EXPECT_EQ(cache.pagesInUse(), 3u);
  EXPECT_EQ(cache.pages(0)[1], cache.pages(1)[1]);
}

/// Any order of operations stays within the pages reserved at creation.
TEST(KVCache, NeverRunsOut) {
  KVCache cache;
  constexpr uint32_t kSequences = 3;
  ASSERT_TRUE(cache.create(kPageBytes, kSequences, kTokens));
  uint32_t state = 1;
  const auto random = [&](uint64_t bound) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % bound;
  };
  for (int i = 0; i < 20000; ++i) {
    const auto sequence = static_cast<uint32_t>(random(kSequences));
    const uint64_t length = cache.length(sequence);
    switch (random(3)) {
    case 0:
      cache.append(sequence, random(kTokens - length + 1));
      break;
    case 1:
      cache.truncate(sequence, random(length + 1));
      break;
    default:
      cache.copy(sequence, static_cast<uint32_t>(random(kSequences)));
    }
    ASSERT_LE(cache.pagesInUse(), kSequences * pagesFor(kTokens));
  }
  for (uint32_t sequence = 0; sequence < kSequences; ++sequence)
    cache.truncate(sequence, 0);
  EXPECT_EQ(cache.pagesInUse(), 0u);
}

TEST(KVCache, RefusesWhatHasNoAddressSpace) {
  KVCache cache;
  EXPECT_FALSE(cache.create(uint64_t{1} << 60, 1000, kTokens));
  EXPECT_FALSE(cache.create(uint64_t{1} << 50, 1, kTokens));
}

} // namespace
