//===- RandomStepTest.cpp - Random operations on the sequences --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestModel.h"

#include <algorithm>

using namespace fake;

namespace {

/// Random steps, copies and truncations against plain token lists.
class RandomSession {
public:
  explicit RandomSession(uint32_t rows)
      : model(openModel("fake_left", 3)),
        session(makeSession(model, {.max_rows = rows})), texts(kMaxBatch) {}

  void act() {
    const uint32_t sequence = random(kMaxBatch), other = random(kMaxBatch);
    switch (random(4)) {
    case 0:
      texts[sequence].resize(
          random(static_cast<uint32_t>(texts[sequence].size()) + 1));
      ASSERT_EQ(
          llmopt_truncate(session.get(), sequence, texts[sequence].size()),
          LLMOPT_OK);
      break;
    case 1:
      texts[other] = texts[sequence];
      ASSERT_EQ(llmopt_copy(session.get(), sequence, other), LLMOPT_OK);
      break;
    default:
      step();
    }
  }

private:
  uint32_t random(uint32_t bound) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % bound;
  }

  /// Pieces for a random choice of sequences, in random order of want and
  /// buffer.
  void step() {
    std::vector<std::vector<int32_t>> tokens(kMaxBatch);
    std::vector<std::vector<float>> buffers(kMaxBatch);
    std::vector<llmopt_piece> pieces;
    for (uint32_t sequence = 0; sequence < kMaxBatch; ++sequence) {
      const auto room =
          static_cast<uint32_t>(kMaxSequence - texts[sequence].size());
      if (room == 0 || random(2))
        continue;
      tokens[sequence] = makeTokens(
          1 + random(std::min(room, random(2) ? 1u : 90u)), random(1000));
      texts[sequence].insert(texts[sequence].end(), tokens[sequence].begin(),
                             tokens[sequence].end());
      llmopt_piece piece = makePiece(sequence, tokens[sequence],
                                     static_cast<int32_t>(random(3)));
      if (random(2)) {
        buffers[sequence].resize(tokens[sequence].size() * kVocabulary);
        piece.buffer = buffers[sequence].data();
        piece.buffer_floats = buffers[sequence].size();
      }
      pieces.push_back(piece);
    }
    if (pieces.empty())
      return;
    ASSERT_EQ(llmopt_step(session.get(), pieces.data(), pieces.size()),
              LLMOPT_OK)
        << llmopt_last_error();
    for (const llmopt_piece &piece : pieces) {
      const size_t rows = piece.want == LLMOPT_WANT_ALL    ? piece.count
                          : piece.want == LLMOPT_WANT_LAST ? 1
                                                           : 0;
      ASSERT_EQ(piece.logit_rows, rows);
      ASSERT_EQ(logitsOf(piece),
                lastRows(expectedLogits(texts[piece.sequence]), rows));
      ASSERT_EQ(llmopt_length(session.get(), piece.sequence),
                texts[piece.sequence].size());
    }
  }

  Model model;
  Session session;
  std::vector<std::vector<int32_t>> texts;
  uint32_t state = 7;
};

class RandomStepTest : public testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Rows, RandomStepTest, testing::Values(16, 48, 512));

TEST_P(RandomStepTest, AnyOrderOfOperations) {
  RandomSession session(GetParam());
  for (int i = 0; i < 300 && !HasFatalFailure(); ++i)
    session.act();
}

} // namespace
