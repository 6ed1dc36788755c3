//===- llmopt-compile.cpp - Compiles a model to a library -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/CompileFlags.h"
#include "compiler/Driver.h"
#include "tools/common/PoolRunner.h"

using namespace llmopt;

static int printErrors(const std::vector<std::string> &errors) {
  for (const std::string &error : errors)
    llvm::errs() << "error: " << error << "\n";
  return static_cast<int>(ExitCode::Usage);
}

int main(int argc, char **argv) {
  ProcessGuard guard;
  CompileOptions options;
  FlagParser parser("llmopt-compile", "MODEL.onnx [flags] -o MODEL.so",
                    "Compresses an ONNX decoder and compiles it to a native "
                    "library. '-' as the "
                    "model is standard\ninput.");
  addOutputFlags(parser, options);
  addModelFlags(parser, options);
  addJobsFlag(parser, options);
  FlagParser::Result flags = parser.parse({argv + 1, argv + argc});
  if (parser.answer(flags, llvm::outs()))
    return 0;

  std::vector<std::string> errors = std::move(flags.errors);
  for (size_t i = 1; i < flags.positional.size(); ++i)
    errors.push_back("more than one model: '" + flags.positional[i] + "'");
  if (!flags.positional.empty())
    options.model = flags.positional.front();
  options.given = std::move(flags.given);
  // A flag that could not be read would cause contradictions that are none.
  std::vector<CpuTarget> targets;
  if (errors.empty()) {
    errors = validate(options);
    targets = resolveTargets(options, errors);
  }
  if (!errors.empty())
    return printErrors(errors);

  Progress progress(llvm::errs(), llvm::errs().is_displayed());
  return static_cast<int>(
      compileModel(options, targets, guard, progress, tools::makePoolRunner));
}
