//===- Report.h - What a compilation did ------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_REPORT_H
#define LLMOPT_COMPILER_REPORT_H

#include "compiler/Options.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace llmopt {

/// Sums over the weights of a model, without rotary tables.
struct WeightTotals {
  int64_t weights = 0; ///< number of weights
  int64_t zeros = 0;   ///< of them, exactly zero
  int64_t bytes = 0;   ///< packed

  double bitsPerWeight() const { return weights ? 8.0 * bytes / weights : 0; }
  double zeroFraction() const { return weights ? double(zeros) / weights : 0; }
  /// Bytes of the same weights as f32.
  int64_t floatBytes() const { return 4 * weights; }
};

struct CalibrationSummary;

/// The report of a compilation, as `-report` writes it and as the library
/// carries it; docs/Compression.md describes the keys. What nobody measured is
/// null.
class Report {
public:
  Report(const CompileOptions &options, llvm::ArrayRef<CpuTarget> targets);

  /// `sha256` is of the model file, in hexadecimal; empty: unknown.
  void setModel(llvm::StringRef name, llvm::StringRef sha256);

  /// Notes every encoded weight of a module after `llmopt-encode`, and sums up
  /// all weights. On failure emits an error: a weight without a layout, or one
  /// that cannot be read.
  mlir::LogicalResult addLayers(mlir::ModuleOp module);

  /// Forgets the weights that were noted.
  void clearLayers();

  /// Notes that the model is compiled as a graph, and why.
  void setGraphReason(llvm::StringRef reason) { graphReason = reason.str(); }

  /// Notes how weights were calibrated, with its notes.
  void setCalibration(const CalibrationSummary &summary);
  void clearCalibration() { calibration = nullptr; }

  /// Adds a note if `options` ask for more zeros than magnitudes allow.
  void warnOfMagnitude(const CompileOptions &options);

  /// Adds to notes().
  void addNote(std::string note) { warnings.push_back(std::move(note)); }

  /// Stages with their seconds, in order. Names that repeat are added up.
  void setTimes(llvm::ArrayRef<std::pair<std::string, double>> secondsOfStages);
  /// Peak resident memory of the compiler.
  void setPeakBytes(uint64_t bytes) { peakBytes = bytes; }

  const WeightTotals &totals() const { return sums; }

  /// What the user should know about the choice of options, one sentence each;
  /// to be printed as warnings.
  llvm::ArrayRef<std::string> notes() const { return warnings; }

  /// The whole report, indented, with a final newline.
  std::string text() const;

  /// The report without measurements of this compilation (times, memory), so
  /// that equal inputs give equal libraries; on one line.
  std::string reproducibleText() const;

private:
  llvm::json::Object contents() const;
  void addFallbacks(mlir::ModuleOp module);
  void countOperations(mlir::ModuleOp module);

  llvm::json::Array targetNames;
  llvm::json::Array layers;
  llvm::json::Array fallbacks;   ///< constants that no format applies to
  llvm::json::Object found;      ///< what was raised, and products
  llvm::json::Object operations; ///< of the model after import, by name
  std::string graphReason;
  bool compresses; ///< the options ask for it
  llvm::json::Object model;
  llvm::json::Value calibration = nullptr;
  std::string recipeText;
  std::vector<std::string> warnings;
  std::vector<std::pair<std::string, double>> times;
  std::optional<uint64_t> peakBytes;
  WeightTotals sums;
};

/// SHA-256 of a file's bytes in hexadecimal.
llvm::Expected<std::string> sha256OfFile(llvm::StringRef path);

/// Peak resident memory of this process in bytes.
uint64_t peakResidentBytes();

} // namespace llmopt

#endif // LLMOPT_COMPILER_REPORT_H
