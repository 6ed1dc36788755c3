//===- ImportFuzzer.cpp - Feeds arbitrary bytes to the reader ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/Import.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

using namespace llmopt::onnx;

/// The reader may accept or refuse any bytes. What it accepts must verify; what
/// it refuses must come with one error of a kind.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  size_t numErrors = 0;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &) {
    ++numErrors;
    return mlir::success();
  });
  llvm::StringRef bytes(reinterpret_cast<const char *>(data), size);
  ImportErrorKind kind = ImportErrorKind::None;
  mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> module =
      importONNXBuffer({bytes, "model.onnx"}, "", context, {}, &kind);
  bool isConsistent = mlir::succeeded(module)
                          ? numErrors == 0 && kind == ImportErrorKind::None &&
                                mlir::succeeded(mlir::verify(**module))
                          : numErrors == 1 && kind != ImportErrorKind::None;
  if (!isConsistent)
    __builtin_trap();
  return 0;
}
