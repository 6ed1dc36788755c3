//===- Batch.h - Checks many models, each in a process ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_CHECK_BATCH_H
#define LLMOPT_TOOLS_LLMOPT_CHECK_BATCH_H

#include "tools/llmopt-check/ModelCheck.h"

namespace llmopt::check {

struct BatchOptions {
  unsigned jobs = 1;     ///< processes at once
  unsigned timeout = 60; ///< seconds for one model
  bool keepGoing = false;
  bool brief = false; ///< print only what does not pass
};

/// The end of one model of a batch.
struct BatchResult {
  enum Verdict { Pass, Fail, Refused, NoData, Crash, Timeout };
  Verdict verdict;
  Outcome outcome;
};

/// "PASS", "FAIL", ...
llvm::StringRef nameOf(BatchResult::Verdict verdict);

/// Checks all models, each in a process of its own, so that one that crashes or
/// does not end costs nothing but itself. Prints a line for each, in the order
/// of their ends, and a summary. Results are in the order of `models`; the last
/// ones are missing where the batch stopped at a model that does not pass.
std::vector<BatchResult> checkBatch(llvm::ArrayRef<ModelCase> models,
                                    const CompileOptions &options,
                                    llvm::ArrayRef<CpuTarget> targets,
                                    const BatchOptions &batch,
                                    llvm::StringRef folder);

/// Writes models and results as JSON.
void writeJson(llvm::ArrayRef<ModelCase> models,
               llvm::ArrayRef<BatchResult> results, llvm::raw_ostream &os);

} // namespace llmopt::check

#endif // LLMOPT_TOOLS_LLMOPT_CHECK_BATCH_H
