//===- Pipelines.cpp - The import pipeline ----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/Pipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "passes/Import/Passes.h"

namespace llmopt {

void populateImportPipeline(mlir::OpPassManager &manager,
                            const ImportPipelineOptions &options) {
  mlir::OpPassManager &function = manager.nest<mlir::func::FuncOp>();
  CheckNodesOptions check;
  check.maxDiagnostics = options.maxDiagnostics;
  function.addPass(createCheckNodes(check));
  function.addPass(createInferONNXTypes());
  function.addPass(createFoldONNX());
  function.addPass(createUnflattenProducts());
  function.addPass(createInferONNXTypes());
  function.addPass(createDropViews());
  RaiseAttentionOptions attention;
  attention.maxPositions = options.maxPositions;
  function.addPass(createRaiseAttention(attention));
  function.addPass(createRaiseGroupQueryAttention());
  function.addPass(createRaiseNorm());
  function.addPass(createRaiseLinear());
  function.addPass(createRaiseActivation());
  function.addPass(createRaiseElementwise());
  function.addPass(createShareWeights());
  FinishImportOptions finish;
  finish.maxDiagnostics = options.maxDiagnostics;
  finish.allowGraph = options.allowGraph;
  function.addPass(createFinishImport(finish));
}

void populateImportGraphPipeline(mlir::OpPassManager &manager,
                                 const ImportGraphOptions &options) {
  mlir::OpPassManager &function = manager.nest<mlir::func::FuncOp>();
  function.addPass(createFoldONNX());
  if (options.foldQDQ)
    function.addPass(createFoldQDQ());
  function.addPass(createFuseNorms());
  function.addPass(createRaiseRotary());
  function.addPass(createRaiseSdpa());
  function.addPass(createRaiseProducts());
  function.addPass(createShareWeights());
}

void registerImportPipeline() {
  mlir::PassPipelineRegistration<ImportGraphOptions>(
      "llmopt-import-graph",
      "raise what compression works on in a model that is no decoder",
      populateImportGraphPipeline);
  mlir::PassPipelineRegistration<ImportPipelineOptions>(
      "llmopt-import", "from the onnx dialect to the llmopt dialect",
      populateImportPipeline);
}

} // namespace llmopt
