//===- Pipelines.cpp - The pipeline llmopt-sparsify -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Sparsity/Pipelines.h"
#include "passes/Sparsity/Passes.h"

using namespace llmopt;
using namespace mlir;

void llmopt::populateSparsifyPipeline(OpPassManager &manager,
                                      const SparsifyOptions &options) {
  if (options.ratio == 0 && options.of == 0)
    return;
  PruneMagnitudePassOptions magnitude;
  magnitude.ratio = options.ratio;
  magnitude.kept = options.kept;
  magnitude.of = options.of;
  magnitude.includeHead = options.includeHead;
  manager.addPass(createPruneMagnitudePass(magnitude));
}

void llmopt::registerSparsityPipelines() {
  PassPipelineRegistration<SparsifyOptions>(
      "llmopt-sparsify", "turn plain weights into plain weights with zeros",
      populateSparsifyPipeline);
}
