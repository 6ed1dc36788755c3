//===- RunErrorTest.cpp - What llmopt_run refuses, and what it says -------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunCall.h"

using namespace fake;

namespace {

/// A valid call of fake_left (2 rows, 3 tokens, 4 of the past) to be spoilt.
Call smallCall() {
  Call call;
  call.inputs = {integers(2, 3, std::vector<int64_t>(6, 1)),
                 integers(2, 7, std::vector<int64_t>(14, 1))};
  for (int i = 0; i < 4; ++i)
    call.inputs.push_back(cache(2, 4));
  call.inputs.push_back(integers(2, 3, {4, 5, 6, 4, 5, 6}));
  return call;
}

TEST(RunErrors, TensorsThatDoNotFit) {
  const Model model = openModel("fake_left");
  const Session session = makeSession(model);
  ASSERT_EQ(smallCall().run(session), LLMOPT_OK) << llmopt_last_error();
  const auto refuse = [&](auto edit, llmopt_status status, const char *text) {
    Call call = smallCall();
    std::vector<llmopt_tensor> inputs = call.views();
    edit(call, inputs);
    expectError(status,
                llmopt_run(session.get(), inputs.data(), inputs.size(),
                           call.outputs.data(), call.outputs.size()),
                text);
  };
  const auto bad = LLMOPT_BAD_TENSOR;
  refuse([](auto &, auto &in) { in.pop_back(); }, bad,
         "6 inputs are given, the model has 7");
  refuse([](auto &call, auto &) { call.outputs.resize(2); }, bad, "2 outputs");
  refuse([](auto &, auto &in) { in[0].element_type = LLMOPT_I32; }, bad,
         "input 'input_ids' has element type 3 (int32), expected 2 (int64)");
  refuse([](auto &, auto &in) { in[2].rank = 3; }, bad,
         "'past.0.key' has rank 3");
  refuse([](auto &, auto &in) { in[3].dims[3] = 8; }, bad,
         "dimension 3 of input 'past.0.value' is 8, expected 4");
  refuse([](auto &, auto &in) { in[0].dims[1] = -3; }, bad, "negative");
  refuse([](auto &,
            auto &in) { in[2].dims[0] = in[2].dims[2] = int64_t{1} << 60; },
         bad, "too large");
  refuse([](auto &, auto &in) { in[4].data = nullptr; }, bad, "no data");
  refuse([](auto &, auto &in) { in[4].capacity = 10; }, bad,
         "needs 256 bytes, 10");
  refuse([](auto &, auto &in) { in[4].dims[0] = 1; }, bad,
         "dimension 0 of input 'past.1.key' is 1, but the batch size is 2");
  refuse([](auto &, auto &in) { in[5].dims[2] = 3; }, bad,
         "but the past length is 4");
  refuse([](auto &, auto &in) { in[6].dims[1] = 2; }, bad,
         "but the sequence length");
  refuse([](auto &, auto &in) { in[1].dims[1] = 6; }, bad,
         "the mask has 6 tokens, expected 7 (past 4 + sequence 3)");
  refuse(
      [](auto &, auto &in) {
        in[0].dims[1] = in[6].dims[1] = 0;
        in[1].dims[1] = 4;
      },
      bad, "sequence 0 must be at least 1");
  refuse([](auto &call, auto &) { call.inputs[0].integers[4] = 24; },
         LLMOPT_OUT_OF_RANGE, "token 1 of row 1 is 24");
  refuse([](auto &call, auto &) { call.inputs[6].integers[2] = 1024; },
         LLMOPT_OUT_OF_RANGE, "token 2 of row 0 is at position 1024");
  refuse([](auto &call, auto &) { call.inputs[6].integers[2] = -1; },
         LLMOPT_OUT_OF_RANGE, "position -1");
  expectError(LLMOPT_INVALID_ARGUMENT,
              llmopt_run(session.get(), nullptr, 7, nullptr, 5), "null");
  expectError(LLMOPT_INVALID_ARGUMENT,
              llmopt_run(nullptr, nullptr, 0, nullptr, 0), "null");
}

TEST(RunErrors, RightPaddedCounts) {
  const Model model = openModel("fake_right");
  const Session session = makeSession(model);
  const auto makeCall = [](std::vector<int64_t> mask) {
    Call call;
    const auto width = static_cast<int64_t>(mask.size());
    call.inputs = {integers(1, 2, {1, 2}), integers(1, width, std::move(mask))};
    for (int i = 0; i < 4; ++i)
      call.inputs.push_back(cache(1, 4));
    return call;
  };
  EXPECT_EQ(makeCall({1, 1, 1, 1, 1, 0}).run(session), LLMOPT_OK);
  expectError(
      LLMOPT_BAD_TENSOR, makeCall({1, 0, 0, 0, 0, 0}).run(session),
      "the mask of row 0 keeps 1 tokens, expected 2 new ones and at most 4");
  expectError(LLMOPT_BAD_TENSOR,
              makeCall(std::vector<int64_t>(7, 1)).run(session),
              "the mask has 7 tokens, expected at most 6");
}

} // namespace
