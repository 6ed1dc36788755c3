//===- Propagation.h - Samples through a model, block by block --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CALIBRATION_PROPAGATION_H
#define LLMOPT_COMPILER_CALIBRATION_PROPAGATION_H

#include "compiler/Calibration/PartExecutor.h"
#include "compiler/Calibration/Samples.h"
#include "passes/Calibration/LayerStatistics.h"

namespace llmopt {

/// Products that read one tensor, and what was observed of it.
struct ObservedProducts {
  llvm::ArrayRef<unsigned> weights;
  const LayerStatistics &statistics;
  int64_t block; ///< -1 before the first one
};

struct PropagationOptions {
  /// Products are observed after those before them in their own block have been
  /// compressed; otherwise a block is observed as a whole.
  bool sequential = false;
  /// Takes the samples through the uncompressed model, too, so that statistics
  /// have pairs of what the two compute.
  bool pairs = false;
};

/// Takes samples through the parts of a model, compressing its weights on the
/// way: what a block is compressed for is what the compressed blocks before it
/// compute.
class Propagation {
public:
  /// Compresses the weights of products and changes their `sources`.
  using Compress =
      llvm::function_ref<mlir::LogicalResult(const ObservedProducts &)>;

  /// `sources` has what every weight of the model is read from.
  Propagation(ModelParts &parts, const CalibrationSamples &samples,
              PartExecutor &executor, PartCompiler &compiler,
              std::vector<mlir::Attribute> &sources,
              const PropagationOptions &options)
      : parts(parts.parts), samples(samples), executor(executor),
        compiler(compiler), sources(sources), denseSources(sources),
        options(options), rows(parts.rowBytes, samples.tokens.size()),
        denseRows(parts.rowBytes, samples.tokens.size()) {}

  /// On failure an error was emitted.
  mlir::LogicalResult run(Compress compress);

private:
  using Iterator = std::vector<ModelPart>::iterator;

  mlir::LogicalResult runBlock(Iterator first, Iterator last,
                               Compress compress);
  mlir::LogicalResult execute(ModelPart &part);
  mlir::LogicalResult executeDense(ModelPart &part);
  mlir::LogicalResult execute(ModelPart &part,
                              llvm::ArrayRef<mlir::Attribute> from,
                              SampleRows &to);
  llvm::ArrayRef<float> inputOf(const ModelPart &part, size_t first,
                                SampleRows &from, std::vector<float> &buffer);
  mlir::FailureOr<LayerStatistics> observe(const ModelPart &part);
  void dropRows(Iterator next);

  std::vector<ModelPart> &parts;
  const CalibrationSamples &samples;
  PartExecutor &executor;
  PartCompiler &compiler;
  std::vector<mlir::Attribute> &sources, denseSources;
  PropagationOptions options;
  SampleRows rows, denseRows;
};

} // namespace llmopt

#endif // LLMOPT_COMPILER_CALIBRATION_PROPAGATION_H
