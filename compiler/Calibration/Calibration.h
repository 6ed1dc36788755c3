//===- Calibration.h - Compression that knows its data ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CALIBRATION_CALIBRATION_H
#define LLMOPT_COMPILER_CALIBRATION_CALIBRATION_H

#include "compiler/Calibration/CalibrationModel.h"
#include "compiler/Calibration/CalibrationSummary.h"
#include "compiler/Calibration/CodeRunner.h"
#include "compiler/Calibration/Propagation.h"
#include "compiler/Calibration/Samples.h"
#include "compiler/ExitCode.h"
#include "compiler/Options.h"
#include "compiler/Progress.h"
#include "passes/Calibration/CompressLayer.h"
#include "passes/Quantization/CodedWeight.h"

namespace llmopt {

/// Prunes and quantizes an imported decoder block by block, for what the
/// compressed blocks before compute from the calibration tokens.
class Calibration {
public:
  Calibration(mlir::ModuleOp module, const CompileOptions &options,
              CodeRunner &runner, Progress &progress)
      : module(module), options(options), runner(runner), progress(progress) {}

  /// Finds out whether the model can be calibrated; the reason why not, or "".
  std::string prepare();

  /// Writes the pruned weights into the module, encoded where it rounds them,
  /// too. After a successful prepare().
  /// Errors are printed; those of the model's weights have ExitCode::BadModel.
  ExitCode run();

  const CalibrationSummary &getSummary() const { return summary; }

private:
  ExitCode findSamples();
  ExitCode failed();
  mlir::LogicalResult compress(const ObservedProducts &products);
  mlir::LogicalResult compress(unsigned index, LayerSolver &solver,
                               const LayerOptions &layerOptions);
  mlir::FailureOr<MatrixF> read(WeightOp weight);
  mlir::LogicalResult write(unsigned index, const MatrixF &values);
  mlir::LogicalResult writeCodes(unsigned index, const CompressedLayer &layer);
  LayerOptions layerOptions();
  FormatAttr format();
  void nameMethods();
  void encode();
  PropagationOptions propagationOptions() const;
  ParallelFor parallelLoop() const;
  WeightStore &getStore();

  mlir::ModuleOp module;
  const CompileOptions &options;
  CodeRunner &runner;
  Progress &progress;
  CalibrationModel model;
  std::vector<mlir::Attribute> sources;
  llvm::BitVector done; ///< weights that are compressed
  std::vector<CodedWeight> coded;
  CalibrationSamples samples;
  PartCompiler compiler;
  CalibrationSummary summary;
};

} // namespace llmopt

#endif // LLMOPT_COMPILER_CALIBRATION_CALIBRATION_H
