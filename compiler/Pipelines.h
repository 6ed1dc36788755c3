//===- Pipelines.h - The stages of a compilation as passes ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_PIPELINES_H
#define LLMOPT_COMPILER_PIPELINES_H

#include "compiler/Options.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"

namespace llmopt {

/// The stages between the reader and code generation, in order. Calibrate takes
/// the place of Sparsify where a method needs data.
enum class Stage {
  Import,
  Sparsify,
  Calibrate,
  Quantize,
  Encode,
  Select,
  Bufferize
};

/// "import", "sparsify", ...
llvm::StringRef stringify(Stage stage);

/// The stages of a compilation with these options.
std::vector<Stage> stagesOf(const CompileOptions &options);

/// Adds the passes of a stage; for Calibrate those of Sparsify, which do where
/// a model cannot be calibrated.
void buildStage(mlir::OpPassManager &manager, Stage stage,
                const CompileOptions &options);

/// Registers all dialects that occur between the reader and LLVM IR.
void registerCompilerDialects(mlir::DialectRegistry &registry);

} // namespace llmopt

#endif // LLMOPT_COMPILER_PIPELINES_H
