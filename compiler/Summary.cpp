//===- Summary.cpp - The last lines of a compilation ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Summary.h"
#include "llvm/Support/Format.h"

using namespace llmopt;

/// Calls `print` on a stream and gives the text to `progress`.
static void printLine(Progress &progress,
                      llvm::function_ref<void(llvm::raw_ostream &)> print) {
  std::string line;
  llvm::raw_string_ostream os(line);
  print(os);
  progress.message("", line);
}

void llmopt::printSummary(const Summary &summary, Progress &progress) {
  const WeightTotals &totals = summary.totals;
  double before = totals.floatBytes(), after = summary.fileBytes;
  printLine(progress, [&](llvm::raw_ostream &os) {
    os << "size: "
       << llvm::format("%.1f MB -> %.1f MB", before / 1e6, after / 1e6) << " ("
       << summary.output << ")";
  });
  printLine(progress, [&](llvm::raw_ostream &os) {
    os << "bits per weight: " << llvm::format("%.2f", totals.bitsPerWeight());
  });
  printLine(progress, [&](llvm::raw_ostream &os) {
    os << "zeros: " << llvm::format("%.1f %%", 100 * totals.zeroFraction());
  });
  printLine(progress, [&](llvm::raw_ostream &os) {
    os << "time: "
       << llvm::format("%.1f s, peak memory %.0f MB", summary.seconds,
                       summary.peakBytes / 1e6);
  });
}
