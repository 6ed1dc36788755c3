//===- llmopt-opt.cpp - Runs llmopt's passes on IR ------------ -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/ONNX/ONNXDialect.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/Import/Passes.h"
#include "passes/Lowering/Passes.h"
#include "passes/Quantization/Passes.h"
#include "passes/Sparsity/Passes.h"
#include "passes/Sparsity/Pipelines.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<llmopt::LLMOptDialect, llmopt::kernel::KernelDialect,
                  llmopt::onnx::ONNXDialect>();

  mlir::registerAllPasses();
  llmopt::registerLLMOptImportPasses();
  llmopt::registerLLMOptSparsityPasses();
  llmopt::registerSparsityPipelines();
  llmopt::registerLLMOptQuantizationPasses();
  llmopt::registerLLMOptLoweringPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "llmopt pass driver\n", registry));
}
