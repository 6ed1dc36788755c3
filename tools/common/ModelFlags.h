//===- ModelFlags.h - Flags and exit codes of the tools that open models --===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_COMMON_MODELFLAGS_H
#define LLMOPT_TOOLS_COMMON_MODELFLAGS_H

#include "llmopt/Runtime.hpp"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"

namespace llmopt::tools {

/// Exit codes of all tools.
enum ExitCode { kDone = 0, kBadModel = 1, kUsage = 2, kResources = 4 };

/// Prints "TOOL: error: MESSAGE" and returns `code`.
int complain(const llvm::Twine &message, ExitCode code);
/// Prints the error of the runtime and returns its exit code.
int complain(const Error &error);

/// Parses the command line. A wrong flag prints a message; the result is then
/// kUsage, else kDone. `--help` shows the flags of `category` only.
int parseFlags(int argc, char **argv, llvm::cl::OptionCategory &category,
               const char *overview);

/// How a model is opened: its threads, variant and weights.
class ModelFlags {
public:
  explicit ModelFlags(llvm::cl::OptionCategory &category);

  /// Opens the library at `path` as the flags say.
  Result<Model> open(const std::string &path) const;
  /// The same, and an error for a graph.
  Result<Model> openDecoder(const std::string &path) const;
  /// The value of -threads; 0 if the model may have all cores.
  unsigned threadCount() const { return threads; }

private:
  llvm::cl::opt<unsigned> threads;
  llvm::cl::opt<std::string> isa;
  llvm::cl::opt<llmopt_weights_mode> weights;
};

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_COMMON_MODELFLAGS_H
