//===- Summary.h - The last lines of a compilation --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_SUMMARY_H
#define LLMOPT_COMPILER_SUMMARY_H

#include "compiler/Progress.h"
#include "compiler/Report.h"

namespace llmopt {

/// What a compilation came to.
struct Summary {
  std::string output;
  WeightTotals totals;
  uint64_t fileBytes; ///< of the library
  double seconds;
  uint64_t peakBytes; ///< resident memory of the compiler
};

/// Prints the summary, one `KEY: VALUE` per line.
void printSummary(const Summary &summary, Progress &progress);

} // namespace llmopt

#endif // LLMOPT_COMPILER_SUMMARY_H
