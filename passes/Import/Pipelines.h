//===- Pipelines.h - The import pipeline ------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_PIPELINES_H
#define LLMOPT_PASSES_IMPORT_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace llmopt {

/// Options of the pipeline `llmopt-import`.
struct ImportPipelineOptions
    : mlir::PassPipelineOptions<ImportPipelineOptions> {
  Option<int64_t> maxPositions{
      *this, "max-positions",
      llvm::cl::desc("rows of a rotary table that the model computes itself"),
      llvm::cl::init(4096)};
  Option<unsigned> maxDiagnostics{
      *this, "max-diagnostics",
      llvm::cl::desc("unsupported nodes to report at most"),
      llvm::cl::init(16)};
  Option<bool> allowGraph{
      *this, "allow-graph",
      llvm::cl::desc("a model that is no decoder is no error, but gets the "
                     "attribute llmopt.graph"),
      llvm::cl::init(false)};
};

/// Appends the passes from the onnx dialect to `@main` in llmopt and arith
/// operations. On a model that they do not cover the last pass fails, with one
/// error per node.
void populateImportPipeline(mlir::OpPassManager &manager,
                            const ImportPipelineOptions &options);

/// Options of the pipeline `llmopt-import-graph`.
struct ImportGraphOptions : mlir::PassPipelineOptions<ImportGraphOptions> {
  Option<bool> foldQDQ{*this, "fold-qdq",
                       llvm::cl::desc("make integer products of products of "
                                      "dequantized values"),
                       llvm::cl::init(false)};
};

/// Appends the passes from the onnx dialect to a graph in which products with
/// constant weights, attention and rotary embeddings are llmopt operations and
/// everything else stays onnx.node.
void populateImportGraphPipeline(mlir::OpPassManager &manager,
                                 const ImportGraphOptions &options);

/// Registers `llmopt-import` and `llmopt-import-graph` by name.
void registerImportPipeline();

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_PIPELINES_H
