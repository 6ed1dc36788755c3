//===- ExitCode.h - How the tools end ---------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_EXITCODE_H
#define LLMOPT_COMPILER_EXITCODE_H

namespace llmopt {

/// Exit codes of the tools, as docs/CommandLine.md lists them.
enum class ExitCode : int {
  Done = 0,
  BadModel = 1,  ///< malformed, truncated or unsupported; internal errors
  Usage = 2,     ///< wrong flags
  Resources = 4, ///< unreadable file, disk, memory
};

} // namespace llmopt

#endif // LLMOPT_COMPILER_EXITCODE_H
