//===- Check.h - Runs data sets through a compiled model --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_CHECK_CHECK_H
#define LLMOPT_TOOLS_LLMOPT_CHECK_CHECK_H

#include "tools/llmopt-check/Compare.h"

namespace llmopt::check {

/// How a model is checked.
struct CheckOptions {
  Tolerance tolerance;
  /// Name of an input that holds, for each row of the batch, the index of its
  /// last token; outputs of [batch, (heads,) tokens, width] are undefined after
  /// it. Empty: all outputs are defined everywhere.
  std::string lengths;
  /// Threads that execute the model; 0: one per core.
  unsigned threads = 0;
};

/// Executes `llmopt_run` on the inputs of `set` and compares all outputs that
/// the set has. Where a mask input of a decoder marks padding, rows and keys of
/// padding are left out. Errors are failures to run (a missing input, shapes
/// that differ), and results of a second execution, in memory that the first
/// has used, or of `alone`, the same model with one thread, that are not equal.
llvm::Expected<Comparison> checkDataSet(llmopt_model *model,
                                        llmopt_model *alone, const DataSet &set,
                                        const CheckOptions &options);

} // namespace llmopt::check

#endif // LLMOPT_TOOLS_LLMOPT_CHECK_CHECK_H
