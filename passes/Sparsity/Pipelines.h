//===- Pipelines.h - The pipeline llmopt-sparsify ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_SPARSITY_PIPELINES_H
#define LLMOPT_PASSES_SPARSITY_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace llmopt {

/// How the weights that become zero are found.
enum class SparsityMethod { Magnitude };

struct SparsifyOptions : mlir::PassPipelineOptions<SparsifyOptions> {
  Option<double> ratio{*this, "ratio",
                       llvm::cl::desc("fraction of zeros in [0, 1)"),
                       llvm::cl::init(0.0)};
  Option<int64_t> kept{*this, "kept",
                       llvm::cl::desc("columns that are kept of every `of`"),
                       llvm::cl::init(0)};
  Option<int64_t> of{
      *this, "of",
      llvm::cl::desc("columns of a group of the pattern; 0: zeros may be "
                     "anywhere"),
      llvm::cl::init(0)};
  Option<SparsityMethod> method{
      *this, "method", llvm::cl::desc("how they are chosen"),
      llvm::cl::init(SparsityMethod::Magnitude),
      llvm::cl::values(clEnumValN(SparsityMethod::Magnitude, "magnitude",
                                  "smallest magnitudes, without data"))};
  Option<bool> includeHead{
      *this, "include-head",
      llvm::cl::desc("prune the output head and tied tables too"),
      llvm::cl::init(false)};
};

/// Adds the passes that turn plain weights into plain weights with zeros; none
/// for a ratio of 0 without a pattern.
void populateSparsifyPipeline(mlir::OpPassManager &manager,
                              const SparsifyOptions &options);

/// Registers `llmopt-sparsify`.
void registerSparsityPipelines();

} // namespace llmopt

#endif // LLMOPT_PASSES_SPARSITY_PIPELINES_H
