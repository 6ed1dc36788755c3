//===- GraphMemoryTest.cpp - Blocks of values -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/GraphMemory.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace llmopt::runtime;

namespace {

TEST(GraphMemory, GivesAlignedBlocksWithSlack) {
  GraphMemory memory;
  memory.begin();
  std::vector<std::pair<uint8_t *, uint64_t>> blocks;
  for (uint64_t bytes : {0, 1, 63, 64, 65, 127, 128, 129, 1000, 4096, 1 << 20,
                         (1 << 20) + 1, 5 << 20}) {
    auto *data = static_cast<uint8_t *>(memory.allocate(bytes));
    ASSERT_TRUE(data);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % LLMOPT_VECTOR_BYTES, 0u);
    bytes += LLMOPT_VECTOR_BYTES;
    memset(data, int(blocks.size()), bytes);
    blocks.emplace_back(data, bytes);
  }
  for (size_t i = 0; i < blocks.size(); ++i)
    for (uint64_t j = 0; j < blocks[i].second; ++j)
      ASSERT_EQ(blocks[i].first[j], i) << "block " << i << " byte " << j;
  memory.end();
}

TEST(GraphMemory, ReusesWhatIsGivenBack) {
  GraphMemory memory;
  memory.begin();
  void *small = memory.allocate(1000), *large = memory.allocate(3 << 20);
  memory.release(small);
  memory.release(large);
  EXPECT_EQ(memory.allocate(990), small);
  EXPECT_EQ(memory.allocate(2 << 20), large);
  memory.end();
  const uint64_t mapped = memory.mappedBytes();
  for (int execution = 0; execution < 20; ++execution) {
    memory.begin();
    EXPECT_EQ(memory.allocate(2 << 20), large);
    for (uint64_t i = 0; i < 20; ++i)
      EXPECT_TRUE(memory.allocate(1000 + i));
    memory.end();
  }
  EXPECT_EQ(memory.mappedBytes(), mapped);
}

TEST(GraphMemory, KeepsBlocksUntilTheNextExecutionEnds) {
  GraphMemory memory;
  memory.begin();
  void *output = memory.allocate(2 << 20);
  EXPECT_TRUE(memory.keep(output));
  EXPECT_FALSE(memory.keep(output));
  memory.end();
  memory.begin();
  memory.release(output);
  void *next = memory.allocate(2 << 20);
  EXPECT_NE(next, output);
  EXPECT_TRUE(memory.keep(next));
  memory.end();
  memory.begin();
  EXPECT_EQ(memory.allocate(2 << 20), output);
  memory.end();
}

TEST(GraphMemory, GivesIdleMemoryBackToTheSystem) {
  GraphMemory memory;
  memory.begin();
  EXPECT_TRUE(memory.allocate(64 << 20));
  memory.end();
  const uint64_t before = memory.mappedBytes();
  for (int execution = 0; execution < 6; ++execution) {
    memory.begin();
    EXPECT_TRUE(memory.allocate(2 << 20));
    memory.end();
  }
  EXPECT_LT(memory.mappedBytes(), before - (60 << 20));
}

TEST(GraphMemory, RefusesWhatTheSystemDoesNotHave) {
  GraphMemory memory;
  memory.begin();
  const uint64_t available = availableMemory();
  EXPECT_FALSE(memory.allocate(available + (1 << 30)));
  EXPECT_FALSE(memory.allocate(UINT64_MAX));
  EXPECT_FALSE(memory.allocate(UINT64_MAX / 2));
  // Address space alone would suffice for many of these.
  int blocks = 0;
  while (blocks < 100 && memory.allocate(available / 4))
    ++blocks;
  EXPECT_LT(blocks, 5);
  EXPECT_TRUE(memory.allocate(1000));
  memory.end();
}

} // namespace
