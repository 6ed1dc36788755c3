//===- ModelCheck.h - Compiles a model and checks its data sets -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_CHECK_MODELCHECK_H
#define LLMOPT_TOOLS_LLMOPT_CHECK_MODELCHECK_H

#include "compiler/Driver.h"
#include "tools/llmopt-check/Check.h"
#include "llvm/Support/raw_ostream.h"

namespace llmopt::check {

/// One model and what is demanded of it.
struct ModelCase {
  std::string name;      ///< for messages
  std::string directory; ///< of model.onnx and its data sets
  CheckOptions options;
  bool compileOnly = false; ///< its data sets, if it has any, are not run
};

/// What became of a model. Also what a child process gives to its parent, in
/// shared memory: no pointers.
struct Outcome {
  enum Status : int32_t {
    Started, ///< and not ended: its process was
    Pass,
    Fail,    ///< wrong results, or an error when it ran
    Refused, ///< by the compiler, with a diagnostic
    NoData,  ///< its directory cannot be read
  };
  enum Stage : int32_t { Compiling, Running };

  Status status = Started;
  Stage stage = Compiling;
  double compileSeconds = 0, runSeconds = 0;
  double worst = 0;       ///< largest error of all data sets
  char output[128] = {};  ///< that differs
  char reason[1024] = {}; ///< one line, for all that do not pass
  ExitCode exitCode = ExitCode::Done;

  void setReason(llvm::StringRef text);
  void setOutput(llvm::StringRef text);
};

/// Compiles the model into `folder` and runs its data sets with every variant
/// that the machine can run. Diagnostics of the compiler go to `diagnostics`, a
/// line for every data set to `details`.
void checkModel(const ModelCase &model, CompileOptions options,
                llvm::ArrayRef<CpuTarget> targets, llvm::StringRef folder,
                ProcessGuard &guard, llvm::raw_ostream &diagnostics,
                llvm::raw_ostream &details, Outcome &outcome);

} // namespace llmopt::check

#endif // LLMOPT_TOOLS_LLMOPT_CHECK_MODELCHECK_H
