//===- TokenFileTest.cpp - Token ids from files and flags -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/TokenFile.h"

#include <gtest/gtest.h>

#include <fstream>

using namespace llmopt;

namespace {

using Tokens = std::vector<int32_t>;

std::string errorOf(llvm::Expected<Tokens> tokens) {
  EXPECT_FALSE(static_cast<bool>(tokens));
  return tokens ? "" : llvm::toString(tokens.takeError());
}

class TokenFileTest : public testing::Test {
protected:
  llvm::Expected<Tokens> read(const std::string &name,
                              const std::string &contents,
                              uint32_t vocabulary = 1000) {
    path =
        testing::TempDir() + "llmopt-tokens-" + std::to_string(getpid()) + name;
    std::ofstream(path, std::ios::binary) << contents;
    llvm::Expected<Tokens> tokens = readTokenFile(path, vocabulary);
    remove(path.c_str());
    return tokens;
  }

  /// A NumPy file of version 1.
  static std::string npy(const std::string &type, const std::string &data,
                         bool fortran = false) {
    std::string header = "{'descr': '" + type +
                         "', 'fortran_order': " + (fortran ? "True" : "False") +
                         ", 'shape': (2,), }";
    header.resize(118, ' ');
    return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + data;
  }

  void expectTokens(llvm::Expected<Tokens> tokens, const Tokens &expected) {
    ASSERT_TRUE(static_cast<bool>(tokens))
        << llvm::toString(tokens.takeError());
    EXPECT_EQ(*tokens, expected);
  }

  void expectError(llvm::Expected<Tokens> tokens, const std::string &text) {
    const std::string message = errorOf(std::move(tokens));
    EXPECT_NE(message.find(text), std::string::npos) << message;
  }

  std::string path;
};

TEST_F(TokenFileTest, Text) {
  expectTokens(parseTokens("1, 2,3\n 40 "), {1, 2, 3, 40});
  expectTokens(parseTokens(""), {});
  expectError(parseTokens("1,x2"), "'x2' is not a token id");
  expectTokens(read(".txt", "5 6\n7"), {5, 6, 7});
}

TEST_F(TokenFileTest, NumPy) {
  expectTokens(
      read(".npy",
           npy("<i8", std::string("\5\0\0\0\0\0\0\0\6\1\0\0\0\0\0\0", 16))),
      {5, 262});
  expectTokens(read(".npy", npy("<i4", std::string("\5\0\0\0\6\1\0\0", 8))),
               {5, 262});
  expectTokens(read(".npy", npy("<u2", std::string("\5\0\6\1", 4))), {5, 262});
  expectError(read(".npy", npy("<f4", "abcd")), "element type is '<f4'");
  expectError(read(".npy", npy("<i4", "abcd", true)), "Fortran order");
  expectError(read(".npy", npy("<i4", "abc")), "not a multiple of 4");
  expectError(read(".npy", "NUMPY"), "no NumPy header");
  expectError(read(".npy", npy("<i4", "").substr(0, 40)), "truncated");
  expectError(read(".npy", npy("<i4", "").substr(0, 11)), "truncated");
}

TEST_F(TokenFileTest, Binary) {
  expectTokens(read(".bin", std::string("\5\0\6\1", 4)), {5, 262});
  expectTokens(read(".bin", std::string("\5\0\1\0", 4), 100000), {65541});
  expectError(read(".bin", "abc"), "not a multiple of 2");
}

TEST_F(TokenFileTest, OutsideOfTheVocabulary) {
  expectError(read(".txt", "999 1000"), "token 1 of ");
  expectError(read(".txt", "-1"), "is -1, outside of the vocabulary of 1000");
  expectError(read(".npy", npy("<i8", std::string(16, '\1'))),
              "is -1, outside");
  expectError(readTokenFile("/no/such/file.npy", 10),
              "cannot read '/no/such/file.npy'");
}

} // namespace
