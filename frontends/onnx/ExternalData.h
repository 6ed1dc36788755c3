//===- ExternalData.h - Tensor data in files beside a model -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_EXTERNALDATA_H
#define LLMOPT_FRONTENDS_ONNX_EXTERNALDATA_H

#include "frontends/onnx/Reporter.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBuffer.h"

namespace onnx {
class TensorProto;
} // namespace onnx

namespace llmopt::onnx {

/// A checked part of a file beside the model.
struct ExternalRange {
  /// Path relative to the directory of the model, without dots.
  std::string file;
  /// In bytes.
  int64_t offset;
  int64_t bytes;
};

/// Finds and checks external tensor data. A location is accepted when it is a
/// relative path without "..", names a regular file, and that file lies in the
/// directory of the model after all links are resolved. Hard links are not
/// told apart from other files: whoever can make one could copy the data.
class ExternalData {
public:
  /// An empty `baseDirectory` refuses all external data.
  ExternalData(llvm::StringRef baseDirectory, Reporter &reporter)
      : baseDirectory(baseDirectory), reporter(reporter) {}

  /// The range of the data of `tensor`, which takes `bytes` bytes. `where`
  /// begins an error message.
  mlir::FailureOr<ExternalRange> resolve(const ::onnx::TensorProto &tensor,
                                         int64_t bytes, llvm::StringRef where);

  /// The bytes of a range that resolve returned.
  mlir::FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
  read(const ExternalRange &range, llvm::StringRef where);

private:
  /// Checks a location and returns the size of the file in bytes.
  mlir::FailureOr<uint64_t> openLocation(llvm::StringRef location,
                                         llvm::StringRef where);

  std::string baseDirectory;
  Reporter &reporter;
  /// Sizes of the files that have been checked, by normalised location.
  llvm::StringMap<uint64_t> sizes;
};

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_EXTERNALDATA_H
