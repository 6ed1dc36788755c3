//===- StepTest.cpp - Sessions: step, truncate, copy ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestModel.h"

#include <unistd.h>

using namespace fake;

namespace {

std::vector<int32_t> slice(const std::vector<int32_t> &tokens, size_t begin,
                           size_t end) {
  return {tokens.begin() + static_cast<ptrdiff_t>(begin),
          tokens.begin() + static_cast<ptrdiff_t>(end)};
}

class StepTest : public testing::TestWithParam<uint32_t> {};

/// Chunk capacities smaller and larger than the input, and than a page.
INSTANTIATE_TEST_SUITE_P(Rows, StepTest, testing::Values(16, 48, 512));

TEST_P(StepTest, PromptThenTokens) {
  const Model model = openModel("fake_left");
  const Session session = makeSession(model, {.max_rows = GetParam()});
  const std::vector<int32_t> tokens = makeTokens(150, 1);
  std::vector<float> actual = stepAll(session, 2, slice(tokens, 0, 130));
  for (size_t i = 130; i < tokens.size(); ++i) {
    const std::vector<float> row = stepAll(session, 2, {tokens[i]});
    actual.insert(actual.end(), row.begin(), row.end());
  }
  EXPECT_EQ(actual, expectedLogits(tokens));
  EXPECT_EQ(llmopt_length(session.get(), 2), 150u);
  EXPECT_EQ(llmopt_length(session.get(), 1), 0u);
}

TEST_P(StepTest, RaggedBatch) {
  const Model model = openModel("fake_left", 3);
  const Session session = makeSession(model, {.max_rows = GetParam()});
  const std::vector<int32_t> a = makeTokens(90, 1), b = makeTokens(7, 2),
                             c = makeTokens(65, 3);
  stepAll(session, 3, slice(c, 0, 64));
  std::vector<float> buffer(90 * kVocabulary);
  const std::vector<int32_t> cEnd = {c[64]};
  llmopt_piece pieces[] = {makePiece(0, a, LLMOPT_WANT_ALL),
                           makePiece(3, cEnd, LLMOPT_WANT_LAST),
                           makePiece(1, b, LLMOPT_WANT_LAST)};
  pieces[0].buffer = buffer.data();
  pieces[0].buffer_floats = buffer.size();
  ASSERT_EQ(llmopt_step(session.get(), pieces, 3), LLMOPT_OK)
      << llmopt_last_error();
  EXPECT_EQ(pieces[0].logits, buffer.data());
  EXPECT_EQ(logitsOf(pieces[0]), expectedLogits(a));
  EXPECT_EQ(logitsOf(pieces[1]), lastRows(expectedLogits(c), 1));
  EXPECT_EQ(logitsOf(pieces[2]), lastRows(expectedLogits(b), 1));
}

TEST_P(StepTest, Truncate) {
  const Model model = openModel("fake_left");
  const Session session = makeSession(model, {.max_rows = GetParam()});
  const std::vector<int32_t> tokens = makeTokens(140, 1);
  stepAll(session, 0, makeTokens(200, 9));
  ASSERT_EQ(llmopt_truncate(session.get(), 0, 0), LLMOPT_OK);
  stepAll(session, 0, slice(tokens, 0, 100));
  stepAll(session, 0, makeTokens(77, 5));
  ASSERT_EQ(llmopt_truncate(session.get(), 0, 100), LLMOPT_OK);
  EXPECT_EQ(stepAll(session, 0, slice(tokens, 100, 140)),
            lastRows(expectedLogits(tokens), 40));
}

TEST_P(StepTest, CopiesShareUntilOneWrites) {
  const Model model = openModel("fake_left");
  const Session session = makeSession(model, {.max_rows = GetParam()});
  const std::vector<int32_t> prefix = makeTokens(100, 1);
  stepAll(session, 0, prefix);
  for (uint32_t to = 1; to < kMaxBatch; ++to)
    ASSERT_EQ(llmopt_copy(session.get(), 0, to), LLMOPT_OK);
  ASSERT_EQ(llmopt_copy(session.get(), 0, 0), LLMOPT_OK);
  for (uint32_t sequence = 0; sequence < kMaxBatch; ++sequence) {
    std::vector<int32_t> tokens = prefix;
    const std::vector<int32_t> end = makeTokens(50, sequence + 10);
    tokens.insert(tokens.end(), end.begin(), end.end());
    EXPECT_EQ(stepAll(session, sequence, end),
              lastRows(expectedLogits(tokens), 50));
  }
}

TEST(StepErrors, LeaveTheSessionUnchanged) {
  const Model model = openModel("fake_left");
  const Session session = makeSession(model);
  const std::vector<int32_t> tokens = makeTokens(60, 1),
                             more = makeTokens(5, 2);
  stepAll(session, 0, slice(tokens, 0, 50));
  const auto refuse = [&](llmopt_piece bad, llmopt_status status,
                          const char *text) {
    llmopt_piece pieces[] = {makePiece(0, more, LLMOPT_WANT_LAST), bad};
    expectError(status, llmopt_step(session.get(), pieces, 2), text);
    EXPECT_EQ(llmopt_length(session.get(), 0), 50u);
  };
  refuse(makePiece(4, more, LLMOPT_WANT_LAST), LLMOPT_OUT_OF_RANGE,
         "sequence 4 does not exist: the session has 4");
  refuse(makePiece(0, more, LLMOPT_WANT_LAST), LLMOPT_INVALID_ARGUMENT,
         "sequence 0 already has a piece");
  refuse(makePiece(1, {}, LLMOPT_WANT_LAST), LLMOPT_INVALID_ARGUMENT,
         "no tokens");
  refuse(makePiece(1, more, 9), LLMOPT_INVALID_ARGUMENT,
         "unknown value 9 of want");
  const std::vector<int32_t> large = {1, 24}, negative = {-1};
  refuse(makePiece(1, large, LLMOPT_WANT_LAST), LLMOPT_OUT_OF_RANGE,
         "token 1 of piece 1 is 24, outside of the vocabulary of 24");
  refuse(makePiece(1, negative, LLMOPT_WANT_LAST), LLMOPT_OUT_OF_RANGE,
         "is -1");
  const std::vector<int32_t> tooLong = makeTokens(kMaxSequence + 1, 1);
  refuse(makePiece(1, tooLong, LLMOPT_WANT_NONE), LLMOPT_CONTEXT_FULL,
         "holds 0 tokens, 401 more exceed the session's max_sequence of 400");
  llmopt_piece small = makePiece(1, more, LLMOPT_WANT_ALL);
  float buffer[kVocabulary];
  small.buffer = buffer;
  small.buffer_floats = kVocabulary;
  refuse(small, LLMOPT_BUFFER_TOO_SMALL,
         "holds 24 floats, the logits need 120");
  EXPECT_EQ(stepAll(session, 0, slice(tokens, 50, 60)),
            lastRows(expectedLogits(tokens), 10));
}

TEST(StepErrors, ContextCanBeFilledToTheLastToken) {
  const Model model = openModel("fake_left");
  const Session session =
      makeSession(model, {.max_batch = 1, .max_sequence = 70});
  const std::vector<int32_t> tokens = makeTokens(70, 1);
  EXPECT_EQ(stepAll(session, 0, tokens), expectedLogits(tokens));
  llmopt_piece piece = makePiece(0, tokens, LLMOPT_WANT_NONE);
  piece.count = 1;
  expectError(LLMOPT_CONTEXT_FULL, llmopt_step(session.get(), &piece, 1), "70");
}

TEST(StepErrors, ThreadsThatCannotStart) {
  const TemporaryFile file(makeLibrary(readObject("fake_left")));
  const uint32_t absent = 1023;
  const llmopt_open_options options = {.struct_size = sizeof(options),
                                       .threads = 2,
                                       .affinity = &absent,
                                       .affinity_count = 1,
                                       .weights = LLMOPT_WEIGHTS_MAP};
  llmopt_model *handle = nullptr;
  ASSERT_EQ(llmopt_open(file.path(), &options, &handle), LLMOPT_OK);
  const Model model(handle);
  const Session session = makeSession(model);
  const std::vector<int32_t> tokens = makeTokens(70, 1);
  llmopt_piece piece = makePiece(0, tokens, LLMOPT_WANT_LAST);
  expectError(LLMOPT_OUT_OF_RESOURCES, llmopt_step(session.get(), &piece, 1),
              "cannot start thread 1 of 2");
  EXPECT_EQ(llmopt_length(session.get(), 0), 0u);
}

TEST(StepErrors, Misuse) {
  const Model model = openModel("fake_left");
  const Session session = makeSession(model);
  llmopt_piece piece = {};
  expectError(LLMOPT_INVALID_ARGUMENT, llmopt_step(nullptr, &piece, 1), "null");
  expectError(LLMOPT_INVALID_ARGUMENT, llmopt_step(session.get(), nullptr, 1),
              "pieces");
  expectError(LLMOPT_INVALID_ARGUMENT, llmopt_step(session.get(), &piece, 0),
              "pieces");
  expectError(LLMOPT_OUT_OF_RANGE, llmopt_truncate(session.get(), 0, 1),
              "it has 0");
  expectError(LLMOPT_OUT_OF_RANGE, llmopt_truncate(session.get(), 9, 0),
              "sequence 9");
  expectError(LLMOPT_OUT_OF_RANGE, llmopt_copy(session.get(), 0, 4),
              "sequence 4");
  expectError(LLMOPT_OUT_OF_RANGE, llmopt_copy(session.get(), 5, 0),
              "sequence 5");
  EXPECT_EQ(llmopt_length(nullptr, 0), 0u);
  EXPECT_EQ(llmopt_length(session.get(), 77), 0u);
  llmopt_session_destroy(nullptr);
}

TEST(SessionTest, Bounds) {
  const Model model = openModel("fake_left");
  llmopt_session *session = nullptr;
  llmopt_session_options options = {.struct_size = sizeof(options),
                                    .max_batch = 5};
  expectError(LLMOPT_OUT_OF_RANGE,
              llmopt_session_create(model.get(), &options, &session),
              "the model allows 4 of 400");
  options.max_batch = 0;
  options.max_sequence = 401;
  expectError(LLMOPT_OUT_OF_RANGE,
              llmopt_session_create(model.get(), &options, &session),
              "-max-seq");
  options.max_sequence = 0;
  options.max_rows = 1u << 20;
  expectError(LLMOPT_OUT_OF_RANGE,
              llmopt_session_create(model.get(), &options, &session),
              "max_rows");
  expectError(LLMOPT_INVALID_ARGUMENT,
              llmopt_session_create(nullptr, nullptr, &session), "null");
  expectError(LLMOPT_INVALID_ARGUMENT,
              llmopt_session_create(model.get(), nullptr, nullptr), "null");
}

TEST(SessionTest, OutlivesTheHandleOfItsModel) {
  Model model = openModel("fake_left");
  const Session session = makeSession(model);
  model.reset();
  const std::vector<int32_t> tokens = makeTokens(20, 1);
  EXPECT_EQ(stepAll(session, 0, tokens), expectedLogits(tokens));
}

TEST(SessionTest, WeightsThatCannotBeRead) {
  const std::string library = makeLibrary(readObject("fake_left"));
  const TemporaryFile file(library);
  const llmopt_open_options options = {.struct_size = sizeof(options),
                                       .threads = 2,
                                       .weights = LLMOPT_WEIGHTS_COPY};
  llmopt_model *handle = nullptr;
  ASSERT_EQ(llmopt_open(file.path(), &options, &handle), LLMOPT_OK);
  const Model model(handle);
  ASSERT_EQ(truncate(file.path(), library.size() - sizeof(llmopt_footer) - 1),
            0);
  llmopt_session *session = nullptr;
  expectError(LLMOPT_CANNOT_READ,
              llmopt_session_create(model.get(), nullptr, &session),
              "cannot read the weights");
  EXPECT_EQ(session, nullptr);
}

TEST(SessionTest, WeightsMappedOrCopied) {
  const TemporaryFile file(makeLibrary(readObject("fake_left")));
  for (const auto mode :
       {LLMOPT_WEIGHTS_AUTO, LLMOPT_WEIGHTS_MAP, LLMOPT_WEIGHTS_COPY}) {
    const llmopt_open_options options = {
        .struct_size = sizeof(options), .threads = 2, .weights = mode};
    llmopt_model *handle = nullptr;
    ASSERT_EQ(llmopt_open(file.path(), &options, &handle), LLMOPT_OK);
    const Model model(handle);
    const Session session = makeSession(model);
    const std::vector<int32_t> tokens = makeTokens(20, 1);
    EXPECT_EQ(stepAll(session, 0, tokens), expectedLogits(tokens));
  }
}

} // namespace
