//===- Pipelines.h - The stages select, bufferize and expand ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_PIPELINES_H
#define LLMOPT_PASSES_LOWERING_PIPELINES_H

#include "mlir/Pass/PassManager.h"

namespace llmopt {

/// `llmopt-select`: `@main` with the ONNX signature becomes `@forward` over
/// rows, and products that share their activations become one.
void populateSelectPipeline(mlir::OpPassManager &manager);

/// `llmopt-bufferize`: `@forward` on tensors becomes kernel operations on
/// planned buffers with verified barriers.
void populateBufferizePipeline(mlir::OpPassManager &manager);

/// Makes the pipelines known by name, for llmopt-opt.
void registerLoweringPipelines();

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_PIPELINES_H
