//===- Reporter.h - Errors of one ONNX import -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_REPORTER_H
#define LLMOPT_FRONTENDS_ONNX_REPORTER_H

#include "frontends/onnx/Import.h"

namespace llmopt::onnx {

/// Returns `'name'` with everything but printable ASCII escaped, cut when it
/// is long: names come from untrusted files and go into one-line messages.
std::string quoteName(llvm::StringRef name);

/// Emits the errors of one import and remembers their kind. All functions
/// return failure, so that a caller can return their result.
class Reporter {
public:
  /// Errors are located at `loc("path":0:0)`.
  Reporter(mlir::MLIRContext *context, llvm::StringRef path);

  /// The model breaks the rules of ONNX or Protocol Buffers.
  mlir::LogicalResult malformed(const llvm::Twine &message);
  /// The model is valid as far as known, but not supported.
  mlir::LogicalResult unsupported(const llvm::Twine &message);
  /// A file cannot be read.
  mlir::LogicalResult unreadable(const llvm::Twine &message);

  /// The kind of the first error, or None.
  ImportErrorKind getKind() const { return kind; }

private:
  mlir::LogicalResult report(ImportErrorKind newKind,
                             const llvm::Twine &message);

  mlir::Location location;
  ImportErrorKind kind = ImportErrorKind::None;
};

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_REPORTER_H
