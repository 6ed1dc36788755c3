//===- GraphTest.cpp - llmopt_run of graph models ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeGraph.h"
#include "TestModel.h"

#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace fake;

namespace {

/// Arguments and results of one call of the fake graph.
struct GraphCall {
  std::vector<float> x;
  std::vector<uint8_t> keep;
  int64_t mode;
  std::vector<llmopt_tensor> inputs = std::vector<llmopt_tensor>(3);
  std::vector<llmopt_tensor> outputs = std::vector<llmopt_tensor>(2);

  explicit GraphCall(int64_t rows, int64_t mode = Plain)
      : x(size_t(rows * kColumns)), keep(size_t(rows)), mode(mode) {
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = float(i % 97);
    for (size_t i = 0; i < keep.size(); ++i)
      keep[i] = i % 3 != 0;
    inputs[0] = {LLMOPT_F32, 2, {rows, kColumns}, x.data(), 0};
    inputs[1] = {LLMOPT_BOOL, 1, {rows}, keep.data(), 0};
    inputs[2] = {LLMOPT_I64, 0, {}, &this->mode, 0};
  }
  GraphCall(const GraphCall &) = delete;

  llmopt_status run(const Session &session) {
    return llmopt_run(session.get(), inputs.data(), inputs.size(),
                      outputs.data(), outputs.size());
  }

  std::vector<float> expected() const {
    std::vector<float> y(x.size());
    for (size_t i = 0; i < y.size(); ++i) {
      const size_t row = i / kColumns;
      y[i] = keep[row] ? x[i] * weightAt(uint32_t(row % kVocabulary)) : 0;
    }
    return y;
  }

  std::vector<float> y() const {
    const auto *data = static_cast<const float *>(outputs[0].data);
    return {data, data + outputs[0].dims[0] * kColumns};
  }

  /// Runs and compares everything.
  void check(const Session &session) {
    ASSERT_EQ(run(session), LLMOPT_OK) << llmopt_last_error();
    EXPECT_EQ(outputs[0].element_type, LLMOPT_F32);
    EXPECT_EQ(outputs[0].rank, 2);
    EXPECT_EQ(outputs[0].dims[0], int64_t(keep.size()));
    EXPECT_EQ(y(), expected());
    EXPECT_EQ(outputs[1].element_type, LLMOPT_I64);
    EXPECT_EQ(outputs[1].rank, 0);
    EXPECT_EQ(*static_cast<const int64_t *>(outputs[1].data),
              int64_t(keep.size()));
  }
};

class Graph : public testing::Test {
protected:
  Model model = openModel("fake_graph", 3);
  Session session = makeSession(model);

  void expectRunError(llmopt_status status, GraphCall &call,
                      const std::string &text) {
    expectError(status, call.run(session), text);
  }
};

TEST_F(Graph, Describes) {
  const llmopt_model_info &info = *llmopt_info(model.get());
  EXPECT_EQ(info.kind, LLMOPT_KIND_GRAPH);
  EXPECT_EQ(info.layers, 0u);
  EXPECT_EQ(info.input_count, 3u);
  EXPECT_STREQ(info.outputs[1].name, "rows");
  EXPECT_EQ(llmopt_info(openModel("fake_left").get())->kind,
            LLMOPT_KIND_DECODER);
}

TEST_F(Graph, ComputesAnyNumberOfRows) {
  for (const int64_t rows : {5, 1, 0, 1000, 17, 100'000, 16, 1000})
    GraphCall(rows).check(session);
}

TEST_F(Graph, NeedsNoDataForNoElements) {
  GraphCall call(0);
  call.inputs[0].data = call.inputs[1].data = nullptr;
  call.check(session);
}

TEST_F(Graph, OutputsLastUntilTheNextCall) {
  GraphCall first(1000);
  first.check(session);
  GraphCall refused(1000);
  refused.inputs[0].rank = 1;
  expectRunError(LLMOPT_BAD_TENSOR, refused, "input 'x' has rank 1");
  EXPECT_EQ(first.y(), first.expected());
}

TEST_F(Graph, OutputsMayBeInputsOfTheNextCall) {
  GraphCall first(1000), second(1000);
  first.check(session);
  second.x = first.expected();
  second.inputs[0].data = first.outputs[0].data;
  second.outputs = first.outputs;
  second.check(session);
}

TEST_F(Graph, FillsTheCallersBuffers) {
  GraphCall call(100);
  std::vector<float> buffer(401, -1);
  call.outputs[0].data = buffer.data();
  call.outputs[0].capacity = 400 * sizeof(float);
  call.check(session);
  EXPECT_EQ(call.outputs[0].data, buffer.data());
  EXPECT_EQ(buffer[400], -1);
  call.outputs[0].capacity = 400 * sizeof(float) - 1;
  expectRunError(LLMOPT_BUFFER_TOO_SMALL, call,
                 "output 'y' needs 1600 bytes, its buffer has 1599");
  EXPECT_EQ(call.outputs[0].dims[0], 100);
  EXPECT_EQ(call.outputs[1].rank, 0);
}

TEST_F(Graph, RefusesInputsThatDiffer) {
  GraphCall call(6);
  expectError(
      LLMOPT_BAD_TENSOR,
      llmopt_run(session.get(), call.inputs.data(), 2, call.outputs.data(), 2),
      "2 inputs are given, the model has 3");
  expectError(
      LLMOPT_BAD_TENSOR,
      llmopt_run(session.get(), call.inputs.data(), 3, call.outputs.data(), 1),
      "1 outputs are given, the model has 2");
  const auto refuse = [&](auto change, llmopt_status status,
                          const std::string &text) {
    GraphCall changed(6);
    change(changed);
    expectRunError(status, changed, text);
  };
  refuse([](GraphCall &call) { call.inputs[0].element_type = LLMOPT_F16; },
         LLMOPT_BAD_TENSOR,
         "input 'x' has element type 11 (f16), expected 1 (f32)");
  refuse([](GraphCall &call) { call.inputs[0].dims[1] = 3; }, LLMOPT_BAD_TENSOR,
         "dimension 1 of input 'x' is 3, expected 4");
  refuse([](GraphCall &call) { call.inputs[1].dims[0] = -1; },
         LLMOPT_BAD_TENSOR, "dimensions of input 'keep' are negative");
  refuse([](GraphCall &call) { call.inputs[0].dims[0] = INT64_MAX / 2; },
         LLMOPT_BAD_TENSOR, "dimensions of input 'x' are negative or too");
  refuse([](GraphCall &call) { call.inputs[2].data = nullptr; },
         LLMOPT_BAD_TENSOR, "input 'mode' has no data");
  refuse([](GraphCall &call) { call.inputs[1].capacity = 5; },
         LLMOPT_BAD_TENSOR, "input 'keep' needs 6 bytes, 5 are given");
  refuse([](GraphCall &call) { call.keep[4] = 2; }, LLMOPT_OUT_OF_RANGE,
         "element 4 of input 'keep' is the byte 2, elements of type bool are 0 "
         "to 1");
}

TEST_F(Graph, FailuresHaveTheModelsMessage) {
  for (int repeat = 0; repeat < 3; ++repeat) {
    GraphCall failing(10, Fail), late(10, LateFail), loop(10, LoopError);
    expectRunError(LLMOPT_EXECUTION_FAILED, failing, kFailMessage);
    expectRunError(LLMOPT_EXECUTION_FAILED, late, kFailMessage);
    expectRunError(LLMOPT_EXECUTION_FAILED, loop, kLoopMessage);
    GraphCall(1000).check(session);
  }
  EXPECT_STREQ(llmopt_status_name(LLMOPT_EXECUTION_FAILED),
               "LLMOPT_EXECUTION_FAILED");
}

TEST_F(Graph, RunsOutOfMemoryCleanly) {
  GraphCall huge(10, HugeMemory), negative(10, NegativeMemory);
  expectRunError(LLMOPT_OUT_OF_RESOURCES, huge,
                 "no memory for a tensor of 68719476736 bytes");
  expectRunError(LLMOPT_OUT_OF_RESOURCES, negative,
                 "no memory for a tensor of 18446744073709551608 bytes");
  GraphCall(1000).check(session);
}

TEST_F(Graph, NoticesOutputsWithoutMemoryOfTheirOwn) {
  GraphCall shared(10, SharedOutput), missing(10, NoOutput);
  expectRunError(LLMOPT_EXECUTION_FAILED, shared, "output 'rows'");
  expectRunError(LLMOPT_EXECUTION_FAILED, missing,
                 "has left output 'rows' without data");
  GraphCall(10).check(session);
}

TEST_F(Graph, RecyclesMemory) {
  for (int repeat = 0; repeat < 10; ++repeat)
    GraphCall(100, Recycle).check(session);
}

TEST_F(Graph, HasNoSequences) {
  const std::vector<int32_t> tokens = {1, 2};
  llmopt_piece piece = makePiece(0, tokens, LLMOPT_WANT_LAST);
  const char *reason = "the model is a graph and has no sequences";
  expectError(LLMOPT_INVALID_ARGUMENT, llmopt_step(session.get(), &piece, 1),
              reason);
  expectError(LLMOPT_INVALID_ARGUMENT, llmopt_truncate(session.get(), 0, 0),
              reason);
  expectError(LLMOPT_INVALID_ARGUMENT, llmopt_copy(session.get(), 0, 0),
              reason);
  EXPECT_EQ(llmopt_length(session.get(), 0), 0u);
  llmopt_session_options options = {};
  options.struct_size = sizeof(options);
  options.max_batch = 1;
  llmopt_session *refused = nullptr;
  expectError(LLMOPT_INVALID_ARGUMENT,
              llmopt_session_create(model.get(), &options, &refused), reason);
}

TEST_F(Graph, SessionsRunAtOnce) {
  std::vector<std::thread> callers;
  for (int64_t i = 0; i < 4; ++i)
    callers.emplace_back([&, i] {
      const Session own = makeSession(model);
      for (int64_t repeat = 0; repeat < 30; ++repeat) {
        GraphCall(300 * i + repeat).check(own);
        GraphCall failing(10, repeat % 2 ? LoopError : Fail);
        EXPECT_EQ(failing.run(own), LLMOPT_EXECUTION_FAILED);
      }
    });
  for (std::thread &caller : callers)
    caller.join();
}

TEST_F(Graph, ContinuesInAForkedChild) {
  GraphCall(1000).check(session);
  const auto works = [&] {
    GraphCall call(1000);
    return call.run(session) == LLMOPT_OK && call.y() == call.expected();
  };
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(works() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(works());
}

TEST(GraphDescriptor, IsChecked) {
  const std::pair<const char *, const char *> defects[] = {
      {"fake_graph_withrole", "a tensor of a graph has a role"},
      {"fake_graph_withsize", "a graph has a size of a decoder"},
      {"fake_graph_withforward", "a variant has no name or entry"},
      {"fake_graph_badtype", "bad element type"},
      {"fake_graph_unknownkind", "its kind is unknown"},
  };
  for (const auto &[name, reason] : defects) {
    const TemporaryFile file(makeLibrary(readObject(name)));
    llmopt_model *model = nullptr;
    expectError(LLMOPT_BAD_DESCRIPTOR,
                llmopt_open(file.path(), nullptr, &model), reason);
  }
}

} // namespace
