//===- Reporter.cpp - Errors of one ONNX import -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/Reporter.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace llmopt::onnx;

std::string llmopt::onnx::quoteName(StringRef name) {
  constexpr size_t kMaxLength = 120;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '\'';
  llvm::printEscapedString(name.take_front(kMaxLength), os);
  os << (name.size() > kMaxLength ? "...'" : "'");
  return text;
}

Reporter::Reporter(MLIRContext *context, StringRef path)
    : location(FileLineColLoc::get(context, path, 0, 0)) {}

LogicalResult Reporter::malformed(const Twine &message) {
  return report(ImportErrorKind::Malformed, message);
}

LogicalResult Reporter::unsupported(const Twine &message) {
  return report(ImportErrorKind::Unsupported, message);
}

LogicalResult Reporter::unreadable(const Twine &message) {
  return report(ImportErrorKind::Unreadable, message);
}

LogicalResult Reporter::report(ImportErrorKind newKind, const Twine &message) {
  if (kind == ImportErrorKind::None)
    kind = newKind;
  return emitError(location) << message;
}
