//===- ConcurrencyTest.cpp - Many models, sessions and threads --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestModel.h"

#include <atomic>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace fake;

namespace {

/// Steps a sequence through a prompt and single tokens, and compares all
/// logits.
void converse(const Session &session, uint32_t sequence, uint32_t seed) {
  const std::vector<int32_t> tokens = makeTokens(80, seed);
  std::vector<float> actual =
      stepAll(session, sequence, {tokens.begin(), tokens.begin() + 50});
  for (size_t i = 50; i < tokens.size(); ++i) {
    const std::vector<float> row = stepAll(session, sequence, {tokens[i]});
    actual.insert(actual.end(), row.begin(), row.end());
  }
  EXPECT_EQ(actual, expectedLogits(tokens));
}

TEST(Concurrency, TwoModelsOfFourThreadsAtOnce) {
  const Model first = openModel("fake_left", 4),
              second = openModel("fake_right", 4);
  std::vector<std::thread> callers;
  for (uint32_t i = 0; i < 4; ++i)
    callers.emplace_back([&, i] {
      const Session session =
          makeSession(i % 2 ? first : second, {.max_rows = 32});
      for (uint32_t sequence = 0; sequence < 2; ++sequence)
        converse(session, sequence, i * 10 + sequence);
    });
  for (std::thread &caller : callers)
    caller.join();
}

TEST(Concurrency, OpenAndCloseAtOnce) {
  std::vector<std::thread> callers;
  for (uint32_t i = 0; i < 4; ++i)
    callers.emplace_back([i] {
      for (uint32_t repeat = 0; repeat < 3; ++repeat) {
        const Model model = openModel("fake_left", 2);
        converse(makeSession(model), 0, i + repeat);
      }
    });
  for (std::thread &caller : callers)
    caller.join();
}

TEST(Concurrency, ErrorsBelongToTheirThread) {
  const Model model = openModel("fake_left");
  const Session session = makeSession(model);
  expectError(LLMOPT_OUT_OF_RANGE, llmopt_truncate(session.get(), 9, 0),
              "sequence 9");
  std::thread([] { EXPECT_STREQ(llmopt_last_error(), ""); }).join();
  EXPECT_STRNE(llmopt_last_error(), "");
}

TEST(Concurrency, SessionInUseIsRefused) {
  const Model model = openModel("fake_left", 1);
  const Session session = makeSession(model, {.max_batch = 1});
  std::atomic<bool> done{false}, sawBusy{false};
  const std::vector<int32_t> tokens = makeTokens(300, 1);
  const auto work = [&](bool leader) {
    llmopt_piece piece = {};
    piece.tokens = tokens.data();
    piece.count = tokens.size();
    for (int i = 0; leader ? !sawBusy && i < 10000 : !done; ++i) {
      const llmopt_status status = llmopt_step(session.get(), &piece, 1);
      if (status == LLMOPT_BUSY)
        sawBusy = true;
      llmopt_truncate(session.get(), 0, 0);
    }
    if (leader)
      done = true;
  };
  std::thread follower(work, false);
  work(true);
  follower.join();
  EXPECT_TRUE(sawBusy.load());
}

TEST(Concurrency, SessionContinuesInAForkedChild) {
  const Model model = openModel("fake_left", 3);
  const Session session = makeSession(model);
  const std::vector<int32_t> tokens = makeTokens(30, 1);
  stepAll(session, 0, {tokens.begin(), tokens.begin() + 20});
  const auto finish = [&] {
    return stepAll(session, 0, {tokens.begin() + 20, tokens.end()}) ==
           lastRows(expectedLogits(tokens), 10);
  };
  const pid_t child = fork();
  if (child == 0)
    _exit(finish() ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(finish());
}

} // namespace
