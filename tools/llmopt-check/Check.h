//===- Check.h - Runs data sets through a compiled model --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_CHECK_CHECK_H
#define LLMOPT_TOOLS_LLMOPT_CHECK_CHECK_H

#include "tools/llmopt-check/TestData.h"

namespace llmopt::check {

/// How far a value may be from its reference: max(absolute, relative *
/// |reference|).
struct Tolerance {
  double relative = 1e-3, absolute = 1e-3;
};

/// What the comparison of one data set found.
struct Comparison {
  /// Largest |value - reference| / max(1, |reference|).
  double worst = 0;
  int64_t compared = 0, mismatches = 0;
  /// The first value out of tolerance, for messages.
  std::string firstMismatch;
};

/// Executes `llmopt_run` on the inputs of `set` and compares all outputs that
/// the set has. Where a mask input marks padding, rows and keys of padding are
/// left out. Errors are failures to run: a missing input, shapes that differ.
llvm::Expected<Comparison> checkDataSet(llmopt_model *model, const DataSet &set,
                                        const Tolerance &tolerance);

} // namespace llmopt::check

#endif // LLMOPT_TOOLS_LLMOPT_CHECK_CHECK_H
