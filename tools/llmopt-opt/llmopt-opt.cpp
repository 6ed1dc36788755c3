//===- llmopt-opt.cpp - Runs llmopt's passes on IR --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "dialects/ONNX/ONNXDialect.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/Import/Passes.h"
#include "passes/Import/Pipelines.h"
#include "passes/Lowering/Passes.h"
#include "passes/Lowering/Pipelines.h"
#include "passes/Quantization/Passes.h"
#include "passes/Quantization/Pipelines.h"
#include "passes/Sparsity/Passes.h"
#include "passes/Sparsity/Pipelines.h"

static llvm::cl::opt<std::string> weightsOf(
    "weights-of", llvm::cl::value_desc("model.onnx"),
    llvm::cl::desc("model whose directory holds the weights of the input"));

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<llmopt::LLMOptDialect, llmopt::kernel::KernelDialect,
                  llmopt::onnx::ONNXDialect>();
  registry.addExtension(
      +[](mlir::MLIRContext *, llmopt::LLMOptDialect *dialect) {
        dialect->getWeightStore().setModelPath(weightsOf);
      });

  mlir::registerAllPasses();
  llmopt::registerLLMOptImportPasses();
  llmopt::registerImportPipeline();
  llmopt::registerLLMOptSparsityPasses();
  llmopt::registerSparsityPipelines();
  llmopt::registerLLMOptQuantizationPasses();
  llmopt::registerQuantizationPipelines();
  llmopt::registerLLMOptLoweringPasses();
  llmopt::registerLoweringPipelines();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "llmopt pass driver\n", registry));
}
