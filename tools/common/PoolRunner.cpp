//===- PoolRunner.cpp - Executes code for the compiler ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/common/PoolRunner.h"

#include "runtime/ThreadPool.h"

#include "llmopt/Runtime.h"

#include "llvm/Support/Threading.h"

namespace llmopt::tools {
namespace {

class PoolRunner : public CodeRunner {
public:
  explicit PoolRunner(unsigned threads) : pool(threads, {}) {}

  unsigned threads() const override { return pool.threads(); }

  llvm::Error run(llmopt_entry entry, llmopt_call &call) override {
    if (pool.run(entry, call) == LLMOPT_OK)
      return llvm::Error::success();
    return llvm::createStringError(llmopt_last_error());
  }

private:
  runtime::ThreadPool pool;
};

} // namespace

std::unique_ptr<CodeRunner> makePoolRunner(unsigned threads) {
  return std::make_unique<PoolRunner>(
      threads ? threads : llvm::hardware_concurrency().compute_thread_count());
}

} // namespace llmopt::tools
