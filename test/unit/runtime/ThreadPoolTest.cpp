//===- ThreadPoolTest.cpp - Barrier, turns, sleep and fork ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ThreadPool.h"

#include <gtest/gtest.h>

#include <ctime>
#include <sched.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace llmopt::runtime;

namespace {

int64_t processNanoseconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
}

TEST(ThreadPool, RunsEachThreadOnce) {
  for (const uint32_t threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads, {});
    std::vector<int> counts(threads);
    const auto body = [](void *context, uint32_t thread) {
      ++(*static_cast<std::vector<int> *>(context))[thread];
    };
    for (int i = 0; i < 200; ++i)
      ASSERT_EQ(pool.run(body, &counts), LLMOPT_OK);
    EXPECT_EQ(counts, std::vector<int>(threads, 200));
  }
}

/// Every thread writes its cell, then reads those of the others.
TEST(ThreadPool, BarrierPublishesWrites) {
  constexpr uint32_t kThreads = 4, kRounds = 300;
  ThreadPool pool(kThreads, {});
  uint32_t cells[kThreads] = {};
  std::atomic<uint32_t> errors{0};
  struct State {
    uint32_t *cells;
    std::atomic<uint32_t> *errors;
  } state = {cells, &errors};
  llmopt_call call = {};
  call.arena = reinterpret_cast<uint8_t *>(&state);
  const llmopt_entry entry = [](llmopt_call *call, uint32_t thread) {
    const auto &state = *reinterpret_cast<State *>(call->arena);
    for (uint32_t round = 1; round <= kRounds; ++round) {
      state.cells[thread] = round;
      call->barrier(call, thread);
      for (uint32_t other = 0; other < call->threads; ++other)
        if (state.cells[other] != round)
          state.errors->fetch_add(1);
      call->barrier(call, thread);
    }
  };
  ASSERT_EQ(pool.run(entry, call), LLMOPT_OK);
  EXPECT_EQ(call.threads, kThreads);
  EXPECT_EQ(errors.load(), 0u);
}

TEST(ThreadPool, ConcurrentRunsTakeTurns) {
  ThreadPool pool(3, {});
  struct State {
    std::atomic<int> inside{0}, overlaps{0}, total{0};
  } state;
  const auto body = [](void *context, uint32_t) {
    auto &state = *static_cast<State *>(context);
    if (state.inside.fetch_add(1) >= 3)
      state.overlaps.fetch_add(1);
    state.total.fetch_add(1);
    state.inside.fetch_sub(1);
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int run = 0; run < 100; ++run)
        EXPECT_EQ(pool.run(body, &state), LLMOPT_OK);
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(state.overlaps.load(), 0);
  EXPECT_EQ(state.total.load(), 4 * 100 * 3);
}

TEST(ThreadPool, IdleThreadsSleep) {
  ThreadPool pool(8, {});
  ASSERT_EQ(pool.run([](void *, uint32_t) {}, nullptr), LLMOPT_OK);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const int64_t before = processNanoseconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(processNanoseconds() - before, 5'000'000);
}

TEST(ThreadPool, ThreadsThatWaitForAnotherSleep) {
  ThreadPool pool(4, {});
  llmopt_call call = {};
  const llmopt_entry entry = [](llmopt_call *call, uint32_t thread) {
    if (thread == 1)
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    call->barrier(call, thread);
  };
  const int64_t before = processNanoseconds();
  ASSERT_EQ(pool.run(entry, call), LLMOPT_OK);
  EXPECT_LT(processNanoseconds() - before, 20'000'000);
}

TEST(ThreadPool, BindsWorkersToCPUs) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  uint32_t cpu = 0;
  while (!CPU_ISSET(cpu, &allowed))
    ++cpu;
  ThreadPool pool(3, std::span(&cpu, 1));
  int counts[3] = {};
  const auto body = [](void *context, uint32_t thread) {
    cpu_set_t set;
    sched_getaffinity(0, sizeof(set), &set);
    static_cast<int *>(context)[thread] = CPU_COUNT(&set);
  };
  ASSERT_EQ(pool.run(body, counts), LLMOPT_OK);
  EXPECT_EQ(counts[0], CPU_COUNT(&allowed));
  EXPECT_EQ(counts[1], 1);
  EXPECT_EQ(counts[2], 1);
}

TEST(ThreadPool, ReportsThreadsThatCannotStart) {
  const uint32_t absent = CPU_SETSIZE - 1;
  ThreadPool pool(3, std::span(&absent, 1));
  int executed = 0;
  const auto body = [](void *context, uint32_t) {
    ++*static_cast<int *>(context);
  };
  EXPECT_EQ(pool.run(body, &executed), LLMOPT_OUT_OF_RESOURCES);
  EXPECT_EQ(executed, 0);
}

/// When the child is made, the parent is inside of a run: all threads but the
/// caller have arrived at a barrier, and a second caller waits for its turn.
TEST(ThreadPool, WorksInAForkedChild) {
  ThreadPool pool(4, {});
  struct State {
    std::atomic<uint32_t> entered{0};
    std::atomic<bool> mayLeave{false};
  } state;
  const llmopt_entry wait = [](llmopt_call *call, uint32_t thread) {
    auto &state = *reinterpret_cast<State *>(call->arena);
    state.entered.fetch_add(1);
    while (thread == 0 && !state.mayLeave)
      std::this_thread::yield();
    call->barrier(call, thread);
  };
  llmopt_call firstCall = {}, secondCall = {};
  firstCall.arena = secondCall.arena = reinterpret_cast<uint8_t *>(&state);
  std::thread first([&] { pool.run(wait, firstCall); });
  while (state.entered < 4)
    std::this_thread::yield();
  std::thread second([&] { pool.run(wait, secondCall); });
  // Long enough for all of them to fall asleep.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));

  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    std::atomic<uint32_t> count{0};
    llmopt_call call = {};
    call.arena = reinterpret_cast<uint8_t *>(&count);
    const llmopt_entry add = [](llmopt_call *call, uint32_t thread) {
      auto &count = *reinterpret_cast<std::atomic<uint32_t> *>(call->arena);
      const uint32_t before = count;
      call->barrier(call, thread);
      count.fetch_add(1);
      call->barrier(call, thread);
      if (count != before + 4)
        _exit(2);
    };
    for (int i = 0; i < 10; ++i)
      pool.run(add, call);
    _exit(count == 40 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  state.mayLeave = true;
  first.join();
  second.join();
}

} // namespace
