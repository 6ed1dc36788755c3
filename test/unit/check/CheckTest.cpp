//===- CheckTest.cpp - Data sets of the hand-made graph ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-check/Check.h"

#include "FakeGraph.h"
#include "TestModel.h"

#include <cstring>

using namespace llmopt::check;
using namespace fake;

namespace {

constexpr int64_t kRows = 40;

template <typename T>
Tensor makeTensor(const char *name, int32_t type, std::vector<int64_t> dims,
                  const std::vector<T> &values) {
  Tensor tensor;
  tensor.name = name;
  tensor.type = type;
  tensor.dims = std::move(dims);
  tensor.data.resize(values.size() * sizeof(T));
  memcpy(tensor.data.data(), values.data(), tensor.data.size());
  return tensor;
}

/// A call that keeps all rows, and what comes out.
DataSet makeSet(int64_t mode) {
  std::vector<float> x(kRows * kColumns), y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i % 7);
    y[i] = x[i] * weightAt(i / kColumns % kVocabulary);
  }
  DataSet set;
  set.inputs = {
      makeTensor("x", LLMOPT_F32, {kRows, kColumns}, x),
      makeTensor("keep", LLMOPT_BOOL, {kRows}, std::vector<uint8_t>(kRows, 1)),
      makeTensor("mode", LLMOPT_I64, {}, std::vector<int64_t>{mode})};
  set.outputs = {
      makeTensor("y", LLMOPT_F32, {kRows, kColumns}, y),
      makeTensor("rows", LLMOPT_I64, {}, std::vector<int64_t>{kRows})};
  return set;
}

class CheckTest : public testing::Test {
protected:
  llvm::Expected<Comparison> check(const DataSet &set) {
    return checkDataSet(model.get(), alone.get(), set, options);
  }

  void expectError(const DataSet &set, const std::string &reason) {
    llvm::Expected<Comparison> result = check(set);
    ASSERT_FALSE(bool(result)) << reason;
    const std::string message = llvm::toString(result.takeError());
    EXPECT_NE(message.find(reason), std::string::npos) << message;
  }

  Model model = openModel("fake_graph", 2), alone = openModel("fake_graph", 1);
  CheckOptions options;
};

TEST_F(CheckTest, Agrees) {
  DataSet set = makeSet(Plain);
  llvm::Expected<Comparison> result = check(set);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  EXPECT_EQ(result->mismatches, 0) << result->firstMismatch;
  EXPECT_EQ(result->compared, kRows * kColumns + 1);
  // Without names it is the position that counts.
  for (Tensor &tensor : set.inputs)
    tensor.name.clear();
  for (Tensor &tensor : set.outputs)
    tensor.name.clear();
  result = check(set);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  EXPECT_EQ(result->compared, kRows * kColumns + 1);
}

TEST_F(CheckTest, Differs) {
  DataSet set = makeSet(Plain);
  set.outputs[1].data[0] = 41;
  llvm::Expected<Comparison> result = check(set);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  EXPECT_EQ(result->mismatches, 1);
  EXPECT_EQ(result->output, "rows");
}

TEST_F(CheckTest, ResultsThatDependOnTheExecution) {
  options.tolerance.absolute = 1e9;
  expectError(makeSet(CountThreads), "one thread gives other results: 1 "
                                     "values, the first: 'y' element 0 is 1, "
                                     "expected 2");
  expectError(makeSet(CountCalls),
              "a second execution gives other results: 1 values");
}

TEST_F(CheckTest, DataSetsThatDoNotFit) {
  DataSet set = makeSet(Plain);
  set.inputs.pop_back();
  expectError(set, "the data set has no input 'mode'");
  set = makeSet(Plain);
  set.outputs[0].name = "z";
  expectError(set, "the model has no output 'z' of the data set");
  set = makeSet(Plain);
  set.outputs[0].dims = {kColumns, kRows};
  expectError(set, "output 'y' is f32 [40, 4], expected f32 [4, 40]");
  set = makeSet(Plain);
  set.outputs[1].type = LLMOPT_U64;
  expectError(set, "output 'rows' is int64 [], expected uint64 []");
  expectError(makeSet(Fail), kFailMessage);
}

} // namespace
