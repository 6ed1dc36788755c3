//===- CodeRunner.h - Executes generated code for the compiler --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CALIBRATION_CODERUNNER_H
#define LLMOPT_COMPILER_CALIBRATION_CODERUNNER_H

#include "runtime/include/llmopt/ModelABI.h"
#include "llvm/Support/Error.h"
#include <functional>
#include <memory>

namespace llmopt {

/// Threads that execute generated code together. The compiler knows the ABI of
/// this code but no runtime; a tool that links one provides this.
class CodeRunner {
public:
  virtual ~CodeRunner() = default;

  virtual unsigned threads() const = 0;

  /// Executes the entry on all threads, as the runtime would; fills in the
  /// fields of `call` that are the runtime's own.
  virtual llvm::Error run(llmopt_entry entry, llmopt_call &call) = 0;
};

/// Makes a CodeRunner of so many threads (0: one per core).
using CodeRunnerFactory =
    std::function<std::unique_ptr<CodeRunner>(unsigned threads)>;

} // namespace llmopt

#endif // LLMOPT_COMPILER_CALIBRATION_CODERUNNER_H
