//===- Driver.h - From a model to a library ---------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_DRIVER_H
#define LLMOPT_COMPILER_DRIVER_H

#include "compiler/Calibration/CodeRunner.h"
#include "compiler/ExitCode.h"
#include "compiler/Options.h"
#include "compiler/ProcessGuard.h"
#include "compiler/Progress.h"

namespace llmopt {

/// Compiles `options.model` and writes the output, for options that `validate`
/// accepts and the targets of `resolveTargets`. Errors are printed, one line
/// each; nothing is left behind on failure. `makeRunner` makes what executes
/// code for calibration.
ExitCode compileModel(const CompileOptions &options,
                      llvm::ArrayRef<CpuTarget> targets, ProcessGuard &guard,
                      Progress &progress, const CodeRunnerFactory &makeRunner);

} // namespace llmopt

#endif // LLMOPT_COMPILER_DRIVER_H
