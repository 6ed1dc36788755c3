//===- SamplesTest.cpp - Samples from token files ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Calibration/Samples.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include <gtest/gtest.h>

using namespace llmopt;

namespace {

class SamplesTest : public ::testing::Test {
protected:
  /// A file of the given text, which lasts as long as the test.
  std::string file(llvm::StringRef text) {
    llvm::SmallString<64> path;
    int descriptor;
    EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("samples", "jsonl",
                                                    descriptor, path));
    llvm::raw_fd_ostream(descriptor, /*shouldClose=*/true) << text;
    removers.push_back(std::make_unique<llvm::FileRemover>(path));
    return path.str().str();
  }

  std::string messageOf(llvm::StringRef text, const SampleRequest &request) {
    path = file(text);
    auto samples = readSamples(path, request, 100);
    EXPECT_FALSE(bool(samples));
    std::string message = llvm::toString(samples.takeError());
    size_t place = message.find(path);
    return place == std::string::npos
               ? message
               : message.replace(place, path.size(), "FILE");
  }

  std::string path;
  std::vector<std::unique_ptr<llvm::FileRemover>> removers;
};

TEST_F(SamplesTest, AreConsecutiveWindows) {
  auto samples =
      readSamples(file("[1, 2, 3]\n\n[4, 5, 6, 7]\n"), {3, 2, true, 0}, 8);
  ASSERT_TRUE(bool(samples));
  EXPECT_EQ(samples->tokens, (std::vector<int64_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(samples->count(), 3u);
}

TEST_F(SamplesTest, AreFewerWhereTheFileHasNoMore) {
  auto samples = readSamples(file("[1, 2, 3, 4, 5]"), {32, 2, false, 0}, 8);
  ASSERT_TRUE(bool(samples));
  EXPECT_EQ(samples->tokens, (std::vector<int64_t>{1, 2, 3, 4}));
}

TEST_F(SamplesTest, AreDrawnWithoutRepetition) {
  std::string text = "[0";
  for (int i = 1; i < 100; ++i)
    text += ", " + std::to_string(i);
  std::string path = file(text + "]");
  auto some = readSamples(path, {10, 2, true, 1}, 100);
  auto same = readSamples(path, {10, 2, true, 1}, 100);
  auto other = readSamples(path, {10, 2, true, 2}, 100);
  ASSERT_TRUE(some && same && other);
  EXPECT_EQ(some->tokens, same->tokens);
  EXPECT_NE(some->tokens, other->tokens);
  for (size_t i = 0; i < 20; i += 2) {
    EXPECT_EQ(some->tokens[i] % 2, 0);
    EXPECT_EQ(some->tokens[i + 1], some->tokens[i] + 1);
    if (i) {
      EXPECT_GT(some->tokens[i], some->tokens[i - 2]);
    }
  }
}

TEST_F(SamplesTest, RefusesWhatIsTooShort) {
  EXPECT_EQ(messageOf("[1, 2, 3]", {32, 4, false, 0}),
            "'FILE' holds 3 tokens, but 1 samples of 4 are needed; lower "
            "'-calib-samples' or '-calib-seqlen'");
  EXPECT_EQ(messageOf("[1, 2, 3]", {2, 2, true, 0}),
            "'FILE' holds 3 tokens, but 2 samples of 2 are needed; lower "
            "'-calib-samples' or '-calib-seqlen'");
  EXPECT_EQ(messageOf("", {1, 1, false, 0}),
            "'FILE' holds 0 tokens, but 1 samples of 1 are needed; lower "
            "'-calib-samples' or '-calib-seqlen'");
}

TEST_F(SamplesTest, RefusesWhatIsNoToken) {
  SampleRequest request{1, 1, false, 0};
  EXPECT_EQ(messageOf("[1, 100]", request),
            "token 1 of 'FILE' is 100, outside of the vocabulary of 100");
  EXPECT_EQ(messageOf("[-1]", request),
            "token 0 of 'FILE' is -1, outside of the vocabulary of 100");
  EXPECT_EQ(messageOf("[1]\n{\"a\": 1}", request),
            "cannot read tokens from 'FILE': line 2 is no list of token ids");
  EXPECT_EQ(messageOf("[1, \"a\"]", request),
            "cannot read tokens from 'FILE': line 1 has an item that is no "
            "token id");
}

} // namespace
