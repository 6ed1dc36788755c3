//===- Pipelines.cpp - The stages select, bufferize and expand --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Pipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Lowering/Passes.h"

using namespace llmopt;
using namespace mlir;

void llmopt::populateSelectPipeline(OpPassManager &manager,
                                    const SelectOptions &options) {
  manager.addPass(createFormSession({options.kv}));
  // Equal weights, such as a tied embedding and head, become one.
  manager.addPass(createCSEPass());
  manager.addNestedPass<func::FuncOp>(createFuseLinears());
}

void llmopt::populateBufferizePipeline(OpPassManager &manager) {
  manager.addPass(createToKernel());
  manager.addPass(createSpecializeRow());
  manager.addNestedPass<func::FuncOp>(createPlanMemory());
  manager.addNestedPass<func::FuncOp>(createInsertBarriers());
  manager.addNestedPass<func::FuncOp>(createVerifyBarriers());
}

void llmopt::populateExpandPipeline(OpPassManager &manager,
                                    const ExpandOptions &options) {
  manager.addPass(createExpandKernels({options.isa, options.profile}));
  manager.addNestedPass<func::FuncOp>(createCSEPass());
}

void llmopt::populatePlaceGraphPipeline(OpPassManager &manager) {
  manager.addPass(createPlaceConstants());
}

void llmopt::populateExpandGraphPipeline(OpPassManager &manager,
                                         const ExpandOptions &options) {
  manager.addPass(createExpandGraph({options.isa}));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addPass(createOutlineLoops());
}

void llmopt::registerLoweringPipelines() {
  PassPipelineRegistration<SelectOptions>(
      "llmopt-select",
      "turn the functional entry of a decoder into a stateful one, fuse "
      "products",
      populateSelectPipeline);
  PassPipelineRegistration<>(
      "llmopt-bufferize",
      "turn the stateful entry into kernel operations on planned buffers",
      populateBufferizePipeline);
  PassPipelineRegistration<>("llmopt-place-graph",
                             "give the constants of a graph their place",
                             populatePlaceGraphPipeline);
  PassPipelineRegistration<ExpandOptions>("llmopt-expand-graph",
                                          "turn a graph into code",
                                          populateExpandGraphPipeline);
  PassPipelineRegistration<ExpandOptions>(
      "llmopt-expand-kernels",
      "turn kernel operations into calls of generated kernels",
      populateExpandPipeline);
}
