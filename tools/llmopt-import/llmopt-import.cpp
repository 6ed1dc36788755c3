//===- llmopt-import.cpp - Prints a model as onnx dialect -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/Import.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

using namespace llmopt::onnx;

static llvm::cl::opt<std::string> modelPath(llvm::cl::Positional,
                                            llvm::cl::desc("model.onnx"),
                                            llvm::cl::Required);
static llvm::cl::opt<bool>
    withLocations("locations", llvm::cl::desc("print the names of nodes"));

/// Prints errors as `path: error: message`, one line each.
static llvm::LogicalResult printDiagnostic(mlir::Diagnostic &diagnostic) {
  llvm::errs() << modelPath << ": error: " << diagnostic << "\n";
  return mlir::success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::cl::ParseCommandLineOptions(argc, argv,
                                    "prints a model as onnx dialect\n");
  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler handler(&context, printDiagnostic);
  ImportErrorKind kind = ImportErrorKind::None;
  mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> module =
      importONNX(modelPath, context, {}, &kind);
  if (mlir::failed(module))
    return kind == ImportErrorKind::Unreadable ? 4 : 1;
  if (mlir::failed(mlir::verify(**module)))
    return 1;
  mlir::OpPrintingFlags flags;
  if (withLocations)
    flags.enableDebugInfo();
  (*module)->print(llvm::outs(), flags);
  llvm::outs() << "\n";
  return 0;
}
