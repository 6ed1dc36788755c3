//===- BenchReport.h - Results of llmopt-bench ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_BENCH_BENCHREPORT_H
#define LLMOPT_TOOLS_LLMOPT_BENCH_BENCHREPORT_H

#include "tools/llmopt-bench/BenchDecoder.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace llmopt::tools {

/// What was measured: of a model, of the machine, or both.
struct BenchReport {
  const llmopt_model_info *info = nullptr; ///< null: the machine only
  llvm::StringRef unit;                    ///< "tokens/s" or "milliseconds"
  std::vector<Measurement> tests;
  std::vector<MachineFigures> machine;
};

void printText(const BenchReport &report);
void printJSON(const BenchReport &report);

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_LLMOPT_BENCH_BENCHREPORT_H
