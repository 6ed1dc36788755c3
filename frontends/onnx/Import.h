//===- Import.h - Reads .onnx files into the onnx dialect -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_IMPORT_H
#define LLMOPT_FRONTENDS_ONNX_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/MemoryBufferRef.h"

namespace llmopt::onnx {

/// What the reader keeps, and bounds of what it accepts. The bounds are far
/// above what exporters write; they keep hostile files from using more time or
/// memory than their size suggests.
struct ImportOptions {
  /// Gives every `onnx.node` the names of its results as `outputs`.
  bool keepOutputNames = false;
  /// Tensors of more bytes stay in their file as `#onnx.blob`.
  uint64_t inlineBytes = 1024;
  /// Nesting of subgraphs.
  unsigned maxSubgraphDepth = 32;
  /// Nodes of all graphs together.
  uint64_t maxNodes = 1 << 18;
  /// Nodes that come from functions of the model, once all calls are inlined.
  uint64_t maxInlinedNodes = 1 << 17;
  /// Nesting of calls of functions.
  unsigned maxCallDepth = 64;
  /// Protocol Buffers fields of all messages together; each may take some 100
  /// bytes of memory. A node has about six.
  uint64_t maxFields = 4 << 20;
  /// Bytes of the file without the large tensors.
  uint64_t maxStructureBytes = 1 << 30;
  /// Dimensions of one tensor.
  unsigned maxRank = 64;
  /// Newest version of the default operator set.
  int64_t maxOpset = 28;
};

/// Why an import failed.
enum class ImportErrorKind {
  /// It did not fail.
  None,
  /// The model breaks the rules of ONNX or Protocol Buffers.
  Malformed,
  /// The model uses something that the reader does not know.
  Unsupported,
  /// The file, or a file with its data, is missing or cannot be read.
  Unreadable,
};

/// Reads the model `path` into a module: one `func.func @main` with an
/// `onnx.node` per node; calls of the model's own functions are inlined. Data
/// of large tensors is not read; it is checked to be where the model says,
/// inside the directory of the model.
///
/// On failure, one error is emitted at the location `loc("path":0:0)`, and its
/// kind is stored in `kind` if that is not null.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
importONNX(llvm::StringRef path, mlir::MLIRContext &context,
           const ImportOptions &options = {}, ImportErrorKind *kind = nullptr);

/// Like importONNX, for a model in memory. The identifier of `buffer` serves
/// as its path in locations; blobs of the file "" are ranges of `buffer`.
/// External data is looked up in `baseDirectory`; an empty one refuses it.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
importONNXBuffer(llvm::MemoryBufferRef buffer, llvm::StringRef baseDirectory,
                 mlir::MLIRContext &context, const ImportOptions &options = {},
                 ImportErrorKind *kind = nullptr);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_IMPORT_H
