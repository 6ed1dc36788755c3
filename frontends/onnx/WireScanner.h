//===- WireScanner.h - Takes tensor data out of a model file ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_WIRESCANNER_H
#define LLMOPT_FRONTENDS_ONNX_WIRESCANNER_H

#include "frontends/onnx/Reporter.h"
#include <string>
#include <vector>

namespace llmopt::onnx {

/// Where the scanner found large data of a tensor.
struct DataRange {
  /// The field of TensorProto; all three hold little-endian elements.
  enum class Field { Raw, Float, Double };
  Field field;
  /// In bytes from the begin of the file.
  uint64_t offset;
  uint64_t bytes;
};

/// A model file without its large tensor data and what the reader has no use
/// for.
struct ScannedModel {
  /// A serialised ModelProto. Where the file has large data, the TensorProto
  /// has instead the field `segment`, whose `begin` is an index into `ranges`.
  std::string structure;
  std::vector<DataRange> ranges;
};

/// Walks over the wire format of a model once, before Protocol Buffers sees it:
/// takes out the data of tensors of more than `options.inlineBytes` bytes, at
/// any nesting, so that weights are never copied, and the fields that
/// WireSchema.h does not list, so that memory is bounded by the number of
/// fields. Refuses truncated and overlong fields, groups, files beyond the
/// limits of `options`, and files that use the deprecated field `segment`
/// themselves.
mlir::FailureOr<ScannedModel> scanModel(llvm::StringRef file,
                                        const ImportOptions &options,
                                        Reporter &reporter);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_WIRESCANNER_H
