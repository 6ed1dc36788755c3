//===- TableTest.cpp - Lines of a table of models ------------------------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-check/Table.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include <gtest/gtest.h>

using namespace llmopt::check;

namespace {

llvm::Expected<std::vector<ModelCase>> read(llvm::StringRef text) {
  llvm::SmallString<128> path;
  int descriptor;
  EXPECT_FALSE(
      llvm::sys::fs::createTemporaryFile("table", "csv", descriptor, path));
  llvm::raw_fd_ostream(descriptor, /*shouldClose=*/true) << text;
  llvm::Expected<std::vector<ModelCase>> models = readTable(path, "root");
  llvm::sys::fs::remove(path);
  return models;
}

TEST(Table, SaysWhatIsDemanded) {
  auto models = read("# comment\n"
                     "a,larger,2e-2\n"
                     "\n"
                     "b, sum, 1e-3, 1e-7\n"
                     "c,compile\n"
                     "d,l2,0.5,,seqlens\n");
  ASSERT_TRUE(bool(models)) << llvm::toString(models.takeError());
  ASSERT_EQ(models->size(), 4u);
  const std::vector<ModelCase> &rows = *models;
  EXPECT_EQ(rows[0].directory, "root/a");
  EXPECT_EQ(rows[0].options.tolerance.rule, Tolerance::Larger);
  EXPECT_EQ(rows[0].options.tolerance.relative, 2e-2);
  EXPECT_EQ(rows[0].options.tolerance.absolute, 2e-2);
  EXPECT_EQ(rows[1].options.tolerance.rule, Tolerance::Sum);
  EXPECT_EQ(rows[1].options.tolerance.absolute, 1e-7);
  EXPECT_FALSE(rows[1].compileOnly);
  EXPECT_TRUE(rows[2].compileOnly);
  EXPECT_EQ(rows[3].options.tolerance.rule, Tolerance::RelativeL2);
  EXPECT_EQ(rows[3].options.lengths, "seqlens");
}

TEST(Table, RefusesLinesItDoesNotUnderstand) {
  const std::pair<const char *, const char *> bad[] = {
      {"a,smaller,1", ":1: expected model,rule"},
      {"\na", ":2: expected model,rule"},
      {",larger,1", "expected model,rule"},
      {"a,larger,1,1,x,y", "expected model,rule"},
      {"a,larger", "expected a relative tolerance, not ''"},
      {"a,larger,-1", "expected a relative tolerance, not '-1'"},
      {"a,sum,1,x", "expected an absolute tolerance, not 'x'"},
  };
  for (const auto &[line, reason] : bad) {
    auto models = read(line);
    ASSERT_FALSE(bool(models)) << line;
    std::string message = llvm::toString(models.takeError());
    EXPECT_NE(message.find(reason), std::string::npos) << message;
  }
}

} // namespace
