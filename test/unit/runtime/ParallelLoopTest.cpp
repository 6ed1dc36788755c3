//===- ParallelLoopTest.cpp - Loops on the thread pool ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ThreadPool.h"

#include <gtest/gtest.h>

#include <thread>

using namespace llmopt::runtime;

namespace {

/// What a loop of a given grain has executed.
struct Record {
  explicit Record(uint64_t count, uint64_t grain)
      : visits(count), grain(grain) {}

  static void body(void *context, uint64_t begin, uint64_t end) {
    auto &record = *static_cast<Record *>(context);
    const bool isLast = end == record.visits.size();
    if (begin >= end || begin % record.grain != 0 ||
        (end % record.grain != 0 && !isLast))
      record.badPieces.fetch_add(1);
    for (uint64_t i = begin; i < end; ++i)
      ++record.visits[i];
    record.pieces.fetch_add(1);
  }

  std::vector<int> visits; ///< not atomic: every iteration belongs to a thread
  uint64_t grain;
  std::atomic<int> pieces{0}, badPieces{0};
};

TEST(ParallelLoop, ExecutesEveryIterationOnce) {
  for (const uint32_t threads : {1u, 2u, 3u, 7u}) {
    ThreadPool pool(threads, {});
    ASSERT_EQ(pool.prepareLoops(), LLMOPT_OK);
    for (const uint64_t count : {0, 1, 2, 7, 64, 1000, 12345})
      for (const uint64_t grain : {1, 3, 16, 1000}) {
        Record record(count, grain);
        for (int repeat = 1; repeat <= 5; ++repeat) {
          pool.runLoop(Record::body, &record, count, grain);
          ASSERT_EQ(record.visits, std::vector<int>(count, repeat));
        }
        EXPECT_EQ(record.badPieces.load(), 0);
        if (count <= grain)
          EXPECT_EQ(record.pieces.load(), count ? 5 : 0);
      }
  }
}

TEST(ParallelLoop, LoopsAndRunsAlternate) {
  ThreadPool pool(4, {});
  ASSERT_EQ(pool.prepareLoops(), LLMOPT_OK);
  int counts[4] = {};
  const auto run = [](void *context, uint32_t thread) {
    ++static_cast<int *>(context)[thread];
  };
  for (int i = 1; i <= 500; ++i) {
    Record record(100, 1);
    pool.runLoop(Record::body, &record, 100, 1);
    ASSERT_EQ(record.visits, std::vector<int>(100, 1));
    ASSERT_EQ(pool.run(run, counts), LLMOPT_OK);
    for (const int count : counts)
      ASSERT_EQ(count, i);
  }
}

TEST(ParallelLoop, ThreadsShareALongLoop) {
  struct State {
    std::atomic<int> inside{0}, most{0};
  } state;
  const auto body = [](void *context, uint64_t, uint64_t) {
    auto &state = *static_cast<State *>(context);
    const int now = state.inside.fetch_add(1) + 1;
    int most = state.most.load();
    while (most < now && !state.most.compare_exchange_weak(most, now)) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    state.inside.fetch_sub(1);
  };
  ThreadPool pool(3, {});
  ASSERT_EQ(pool.prepareLoops(), LLMOPT_OK);
  pool.runLoop(body, &state, 60, 1);
  EXPECT_EQ(state.most.load(), 3);
}

TEST(ParallelLoop, CallersTakeTurns) {
  ThreadPool pool(3, {});
  ASSERT_EQ(pool.prepareLoops(), LLMOPT_OK);
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i)
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 100; ++repeat) {
        Record record(500, 8);
        pool.runLoop(Record::body, &record, 500, 8);
        EXPECT_EQ(record.visits, std::vector<int>(500, 1));
      }
    });
  for (std::thread &caller : callers)
    caller.join();
}

} // namespace
