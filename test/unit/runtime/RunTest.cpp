//===- RunTest.cpp - llmopt_run: the ONNX signature -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunCall.h"

using namespace fake;

namespace {

/// Keys (or values) [kv_heads][tokens][head_dim] of a layer for a sequence from
/// its start, with zeros up to `size` tokens.
std::vector<float> expectedCache(const std::vector<int32_t> &tokens,
                                 uint32_t layer, bool isKey, size_t size,
                                 const std::vector<int32_t> &positions = {}) {
  std::vector<float> result;
  for (uint32_t head = 0; head < kKVHeads; ++head)
    for (size_t t = 0; t < size; ++t)
      for (uint32_t d = 0; d < kHeadDim; ++d) {
        if (t >= tokens.size()) {
          result.push_back(0);
          continue;
        }
        const int32_t position =
            positions.empty() ? static_cast<int32_t>(t) : positions[t];
        result.push_back(isKey ? keyAt(tokens[t], position, layer, head, d)
                               : valueAt(tokens[t], position, layer, head, d));
      }
  return result;
}

std::vector<int64_t> widen(const std::vector<int32_t> &values) {
  return {values.begin(), values.end()};
}

/// A left-padded batch whose rows have different lengths.
struct LeftBatch {
  static constexpr int64_t kRows = 3, kWidth = 75;
  std::vector<std::vector<int32_t>> tokens, positions; ///< [row][kWidth]
  std::vector<std::vector<uint8_t>> visible;

  LeftBatch() {
    const int64_t lengths[kRows] = {75, 3, 40};
    for (const int64_t length : lengths) {
      tokens.push_back(makeTokens(kWidth, static_cast<uint32_t>(length)));
      positions.emplace_back();
      visible.emplace_back();
      for (int64_t t = 0; t < kWidth; ++t) {
        visible.back().push_back(t >= kWidth - length);
        positions.back().push_back(
            static_cast<int32_t>(std::max<int64_t>(1, t - (kWidth - length))));
      }
    }
  }

  /// Columns begin..end of all rows as inputs; the mask covers 0..end.
  Call call(int64_t begin, int64_t end) const {
    std::vector<int64_t> ids, mask, places;
    for (size_t row = 0; row < kRows; ++row) {
      ids.insert(ids.end(), tokens[row].begin() + begin,
                 tokens[row].begin() + end);
      places.insert(places.end(), positions[row].begin() + begin,
                    positions[row].begin() + end);
      mask.insert(mask.end(), visible[row].begin(), visible[row].begin() + end);
    }
    Call result;
    result.inputs = {integers(kRows, end - begin, ids),
                     integers(kRows, end, mask)};
    for (int i = 0; i < 4; ++i)
      result.inputs.push_back(cache(kRows, begin));
    result.inputs.push_back(integers(kRows, end - begin, places));
    return result;
  }
};

class RunTest : public testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Rows, RunTest, testing::Values(16, 512));

TEST_P(RunTest, LeftPaddedPromptAndContinuation) {
  const Model model = openModel("fake_left", 3);
  const Session session = makeSession(model, {.max_rows = GetParam()});
  const LeftBatch batch;
  Call prompt = batch.call(0, 70);
  ASSERT_EQ(prompt.run(session), LLMOPT_OK) << llmopt_last_error();
  Call next = batch.call(70, 75);
  for (size_t i = 0; i < 4; ++i)
    next.inputs[2 + i].floats = prompt.output(1 + i);
  std::vector<std::vector<float>> full;
  for (size_t row = 0; row < LeftBatch::kRows; ++row) {
    full.push_back(expectedLogits(batch.tokens[row], batch.visible[row],
                                  batch.positions[row]));
    std::vector<float> start = full[row];
    start.resize(size_t{70} * kVocabulary);
    EXPECT_EQ(prompt.logitsOf(row), start);
  }
  ASSERT_EQ(next.run(session), LLMOPT_OK) << llmopt_last_error();
  for (size_t row = 0; row < LeftBatch::kRows; ++row)
    EXPECT_EQ(next.logitsOf(row), lastRows(full[row], 5));
  for (size_t i = 0; i < 4; ++i) {
    std::vector<float> expected;
    for (size_t row = 0; row < LeftBatch::kRows; ++row) {
      const std::vector<float> part =
          expectedCache(batch.tokens[row], static_cast<uint32_t>(i / 2),
                        i % 2 == 0, LeftBatch::kWidth, batch.positions[row]);
      expected.insert(expected.end(), part.begin(), part.end());
    }
    EXPECT_EQ(next.output(1 + i), expected) << i;
  }
}

TEST_P(RunTest, RightPaddedPromptThenRaggedTokens) {
  const Model model = openModel("fake_right");
  const Session session = makeSession(model, {.max_rows = GetParam()});
  const size_t lengths[] = {5, 67, 130};
  constexpr size_t kWidth = 130;
  std::vector<std::vector<int32_t>> tokens;
  Call prompt;
  std::vector<int64_t> ids, mask;
  for (const size_t length : lengths) {
    tokens.push_back(makeTokens(length + 3, static_cast<uint32_t>(length)));
    std::vector<int64_t> row = widen(tokens.back());
    row.resize(length);
    row.resize(kWidth, 7);
    ids.insert(ids.end(), row.begin(), row.end());
    for (size_t t = 0; t < kWidth; ++t)
      mask.push_back(t < length);
  }
  prompt.inputs = {integers(3, kWidth, ids), integers(3, kWidth, mask)};
  for (int i = 0; i < 4; ++i)
    prompt.inputs.push_back(cache(3, 0));
  ASSERT_EQ(prompt.run(session), LLMOPT_OK) << llmopt_last_error();
  for (size_t row = 0; row < 3; ++row) {
    std::vector<float> actual = prompt.logitsOf(row);
    std::vector<float> expected = expectedLogits(tokens[row]);
    expected.resize(lengths[row] * kVocabulary);
    actual.resize(expected.size());
    EXPECT_EQ(actual, expected) << row;
  }

  std::vector<llmopt_tensor> previous = prompt.outputs;
  for (size_t step = 0; step < 3; ++step) {
    const size_t total = kWidth + step + 1;
    Call next;
    ids.clear();
    mask.clear();
    for (size_t row = 0; row < 3; ++row) {
      ids.push_back(tokens[row][lengths[row] + step]);
      for (size_t t = 0; t < total; ++t)
        mask.push_back(t < lengths[row] + step + 1);
    }
    next.inputs = {integers(3, 1, ids),
                   integers(3, static_cast<int64_t>(total), mask)};
    // The outputs of the call before are the inputs of this one, in place.
    std::vector<llmopt_tensor> inputs = next.views();
    inputs.insert(inputs.end(), previous.begin() + 1, previous.end());
    ASSERT_EQ(llmopt_run(session.get(), inputs.data(), inputs.size(),
                         next.outputs.data(), next.outputs.size()),
              LLMOPT_OK)
        << llmopt_last_error();
    ASSERT_EQ(next.outputs[1].dims[2], static_cast<int64_t>(total));
    for (size_t i = 0; i < 4; ++i) {
      std::vector<float> expected;
      for (size_t row = 0; row < 3; ++row) {
        std::vector<int32_t> known = tokens[row];
        known.resize(lengths[row] + step + 1);
        const std::vector<float> part = expectedCache(
            known, static_cast<uint32_t>(i / 2), i % 2 == 0, total);
        expected.insert(expected.end(), part.begin(), part.end());
      }
      EXPECT_EQ(next.output(1 + i), expected) << i;
    }
    for (size_t row = 0; row < 3; ++row) {
      std::vector<int32_t> known = tokens[row];
      known.resize(lengths[row] + step + 1);
      EXPECT_EQ(next.logitsOf(row), lastRows(expectedLogits(known), 1)) << row;
    }
    previous = next.outputs;
  }
}

/// A past buffer with more room than the mask has tokens.
TEST_P(RunTest, RightPaddedPastWithRoom) {
  const Model model = openModel("fake_right");
  const Session session = makeSession(model, {.max_rows = GetParam()});
  const std::vector<int32_t> tokens = makeTokens(12, 1);
  Call call;
  call.inputs = {integers(1, 2, {tokens[10], tokens[11]}),
                 integers(1, 12, std::vector<int64_t>(12, 1))};
  for (uint32_t i = 0; i < 4; ++i) {
    call.inputs.push_back(cache(1, 20));
    std::vector<int32_t> past = tokens;
    past.resize(10);
    call.inputs.back().floats = expectedCache(past, i / 2, i % 2 == 0, 20);
  }
  // Buffers of the caller are not zero where the result must be.
  std::vector<std::vector<float>> buffers(5, std::vector<float>(1000, 9));
  for (size_t i = 0; i < buffers.size(); ++i) {
    call.outputs[i].data = buffers[i].data();
    call.outputs[i].capacity = buffers[i].size() * sizeof(float);
  }
  ASSERT_EQ(call.run(session), LLMOPT_OK) << llmopt_last_error();
  EXPECT_EQ(call.logitsOf(0), lastRows(expectedLogits(tokens), 2));
  EXPECT_EQ(call.output(3), expectedCache(tokens, 1, true, 20));
}

TEST_P(RunTest, WithoutMaskAndPast) {
  const Model model = openModel("fake_full");
  const Session session = makeSession(model, {.max_rows = GetParam()});
  const std::vector<int32_t> a = makeTokens(100, 1), b = makeTokens(100, 2);
  std::vector<int32_t> both = a;
  both.insert(both.end(), b.begin(), b.end());
  llmopt_tensor input = {LLMOPT_I32, 2, {2, 100}, both.data(), 0};
  llmopt_tensor output = {};
  for (int repeat = 0; repeat < 2; ++repeat) {
    ASSERT_EQ(llmopt_run(session.get(), &input, 1, &output, 1), LLMOPT_OK);
    EXPECT_EQ(output.rank, 3);
    const auto *logits = static_cast<const float *>(output.data);
    const size_t size = size_t{100} * kVocabulary;
    EXPECT_EQ(std::vector<float>(logits, logits + size), expectedLogits(a));
    EXPECT_EQ(std::vector<float>(logits + size, logits + 2 * size),
              expectedLogits(b));
  }
}

TEST(RunAndStep, AgreeAndDoNotDisturbEachOther) {
  const Model model = openModel("fake_left");
  const Session session = makeSession(model, {.max_rows = 32});
  const std::vector<int32_t> tokens = makeTokens(90, 4);
  stepAll(session, 0, {tokens.begin(), tokens.begin() + 80});
  Call call;
  std::vector<int64_t> places(90);
  for (size_t i = 0; i < places.size(); ++i)
    places[i] = static_cast<int64_t>(i);
  call.inputs = {integers(1, 90, widen(tokens)),
                 integers(1, 90, std::vector<int64_t>(90, 1))};
  for (int i = 0; i < 4; ++i)
    call.inputs.push_back(cache(1, 0));
  call.inputs.push_back(integers(1, 90, places));
  ASSERT_EQ(call.run(session), LLMOPT_OK) << llmopt_last_error();
  EXPECT_EQ(stepAll(session, 0, {tokens.begin() + 80, tokens.end()}),
            lastRows(call.logitsOf(0), 10));
}

TEST(RunBuffers, CallersAndTooSmall) {
  const Model model = openModel("fake_full");
  const Session session = makeSession(model);
  const std::vector<int32_t> tokens = makeTokens(6, 1);
  std::vector<float> buffer(size_t{6} * kVocabulary);
  llmopt_tensor input = {
      LLMOPT_I32, 2, {1, 6}, const_cast<int32_t *>(tokens.data()), 0};
  llmopt_tensor output = {};
  output.data = buffer.data();
  output.capacity = buffer.size() * sizeof(float) - 1;
  expectError(LLMOPT_BUFFER_TOO_SMALL,
              llmopt_run(session.get(), &input, 1, &output, 1),
              "output 'logits' needs 576 bytes, its buffer has 575");
  EXPECT_EQ(output.rank, 3);
  EXPECT_EQ(output.dims[1], 6);
  EXPECT_EQ(output.dims[2], kVocabulary);
  output.capacity = buffer.size() * sizeof(float);
  ASSERT_EQ(llmopt_run(session.get(), &input, 1, &output, 1), LLMOPT_OK);
  EXPECT_EQ(output.data, buffer.data());
  EXPECT_EQ(buffer, expectedLogits(tokens));
}

} // namespace
