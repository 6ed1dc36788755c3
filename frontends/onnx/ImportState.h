//===- ImportState.h - What the parts of one import share -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_IMPORTSTATE_H
#define LLMOPT_FRONTENDS_ONNX_IMPORTSTATE_H

#include "frontends/onnx/ExternalData.h"
#include "frontends/onnx/WireScanner.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace llmopt::onnx {

/// What the parts of one import share.
struct ImportState {
  mlir::MLIRContext *context;
  const ImportOptions &options;
  Reporter &reporter;
  ExternalData &externalData;
  /// Name of the model file for locations, without directories.
  llvm::StringRef fileName;
  /// Large data inside the model file.
  llvm::ArrayRef<DataRange> ranges;
  /// Versions of the operator sets by domain; the default domain is "".
  llvm::StringMap<int64_t> opsets;
  /// Keys (getFunctionKey) of the functions that the model defines.
  llvm::StringSet<> functions;
};

/// The domain as `onnx.node` spells it: "" for the default domain.
inline llvm::StringRef normalizeDomain(llvm::StringRef domain) {
  return domain == "ai.onnx" ? llvm::StringRef() : domain;
}

/// Identifies a function of a model among the operators.
std::string getFunctionKey(llvm::StringRef domain, llvm::StringRef name,
                           llvm::StringRef overload);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_IMPORTSTATE_H
