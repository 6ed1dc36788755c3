//===- PoolRunner.h - Executes code for the compiler ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_COMMON_POOLRUNNER_H
#define LLMOPT_TOOLS_COMMON_POOLRUNNER_H

#include "compiler/Calibration/CodeRunner.h"

namespace llmopt::tools {

/// A CodeRunner on the runtime's threads; 0: one per core.
std::unique_ptr<CodeRunner> makePoolRunner(unsigned threads);

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_COMMON_POOLRUNNER_H
