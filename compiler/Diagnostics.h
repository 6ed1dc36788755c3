//===- Diagnostics.h - Errors as one line each ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_DIAGNOSTICS_H
#define LLMOPT_COMPILER_DIAGNOSTICS_H

#include "compiler/Progress.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

namespace llmopt {

/// Prints the diagnostics of a context: `error: model.onnx: node '/x/y':
/// message`. Names come from untrusted files: what is not printable is escaped.
class DiagnosticPrinter {
public:
  /// `model` is the name of the model for messages.
  DiagnosticPrinter(mlir::MLIRContext &context, llvm::StringRef model,
                    Progress &progress);

  /// Number of errors printed.
  unsigned errorCount() const { return errors; }

private:
  void print(mlir::Diagnostic &diagnostic);

  std::string model;
  Progress &progress;
  unsigned errors = 0;
  mlir::ScopedDiagnosticHandler handler;
};

/// `text` in one line: line breaks become "; ", other control characters are
/// escaped.
std::string oneLine(llvm::StringRef text);

} // namespace llmopt

#endif // LLMOPT_COMPILER_DIAGNOSTICS_H
