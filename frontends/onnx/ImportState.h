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
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace onnx {
class AttributeProto;
class FunctionProto;
} // namespace onnx

namespace llmopt::onnx {

/// Versions of operator sets by domain; the default domain is "".
using OpsetVersions = llvm::StringMap<int64_t>;

/// A function that the model defines.
struct FunctionInfo {
  const ::onnx::FunctionProto *proto;
  OpsetVersions opsets;
};

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
  OpsetVersions opsets = {};
  /// The functions that the model defines by getFunctionKey.
  llvm::StringMap<FunctionInfo> functions = {};
  /// Values of attributes that functions use, which may be read many times.
  llvm::DenseMap<const ::onnx::AttributeProto *, mlir::Attribute> values{};
};

/// The domain as `onnx.node` spells it: "" for the default domain.
inline llvm::StringRef normalizeDomain(llvm::StringRef domain) {
  return domain == "ai.onnx" ? llvm::StringRef() : domain;
}

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_IMPORTSTATE_H
