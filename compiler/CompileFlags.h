//===- CompileFlags.h - Flags of llmopt-compile -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_COMPILEFLAGS_H
#define LLMOPT_COMPILER_COMPILEFLAGS_H

#include "compiler/FlagParser.h"
#include "compiler/Options.h"

namespace llmopt {

/// Adds the flags that decide what a model becomes: compression, target and
/// sessions. Shared by all tools that compile.
void addModelFlags(FlagParser &parser, CompileOptions &options);

/// Adds the flags of llmopt-compile that say what is written where.
void addOutputFlags(FlagParser &parser, CompileOptions &options);

/// Adds `-j`.
void addJobsFlag(FlagParser &parser, CompileOptions &options);

} // namespace llmopt

#endif // LLMOPT_COMPILER_COMPILEFLAGS_H
