//===- WeightStore.h - The bytes behind weight references -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_LLMOPT_WEIGHTSTORE_H
#define LLMOPT_DIALECTS_LLMOPT_WEIGHTSTORE_H

#include "dialects/LLMOpt/LLMOptDialect.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace llmopt {

/// Reads the weights that `#llmopt.blob` names and keeps the ones that passes
/// write.
///
/// Source files are mapped, never copied. What passes write goes to one spill
/// file, which has no name in the file system and vanishes with the process.
/// All functions may be called from several threads at a time.
class WeightStore {
public:
  /// Name of the spill file in blobs.
  static constexpr llvm::StringLiteral spillName = "<spill>";

  WeightStore();
  ~WeightStore();
  WeightStore(const WeightStore &) = delete;
  WeightStore &operator=(const WeightStore &) = delete;

  /// Names the model file: blobs of file "" are read from it, others from its
  /// directory.
  void setModelPath(llvm::StringRef path);

  /// The bytes of a blob, valid until the store is destroyed or the blob is
  /// released. On failure calls `emitError` with the reason (file missing,
  /// range beyond its end).
  mlir::FailureOr<llvm::ArrayRef<char>>
  read(WeightBlobAttr blob,
       llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

  /// Reads a float weight of static shape as f32, row-major in the shape of
  /// `type`: transposes where the blob says so, and expands random and literal
  /// sources.
  mlir::FailureOr<std::vector<float>>
  readFloats(mlir::Attribute source, mlir::RankedTensorType type,
             llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

  /// Reads the int8 codes of an encoded weight, row-major in the shape of
  /// `type` (of i8 elements). Random sources give normally distributed codes
  /// with standard deviation 32.
  mlir::FailureOr<std::vector<int8_t>>
  readCodes(mlir::Attribute source, mlir::RankedTensorType type,
            llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

  /// Reserves bytes of the spill file (at a multiple of 64) for `write`. Passes
  /// reserve in the order of the program and write in any order, so that equal
  /// input gives equal IR.
  WeightBlobAttr reserve(mlir::MLIRContext *context, uint64_t bytes);

  /// Fills a blob that `reserve` returned.
  mlir::LogicalResult
  write(WeightBlobAttr blob, llvm::ArrayRef<char> bytes,
        llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

  /// Reserves the place of a weight of `type` that replaces `source`: a blob,
  /// or null where the source is a literal, as literals are replaced by
  /// literals (so that tests see the values).
  WeightBlobAttr reserveFor(mlir::Attribute source,
                            mlir::RankedTensorType type);

  /// Writes the bytes of a weight of `type` to its place and returns the
  /// attribute that names them: the blob, or a literal for a null place.
  mlir::FailureOr<mlir::Attribute>
  store(WeightBlobAttr place, mlir::RankedTensorType type,
        llvm::ArrayRef<char> bytes,
        llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

  /// Appends bytes to the spill file and returns the blob that names them.
  mlir::FailureOr<WeightBlobAttr>
  spill(mlir::MLIRContext *context, llvm::ArrayRef<char> bytes,
        llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

  /// True once a file could not be opened, read or written: a failure of the
  /// system, not of the model.
  bool hasSystemError() const { return systemError; }

private:
  struct MappedFile;

  /// Notes a failure of the system and begins its diagnostic.
  mlir::InFlightDiagnostic
  emitSystemError(llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

  mlir::LogicalResult
  copyBytes(WeightBlobAttr blob, char *out,
            llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

  mlir::LogicalResult
  checkSpilled(WeightBlobAttr blob,
               llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

  mlir::FailureOr<MappedFile *>
  map(llvm::StringRef file,
      llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

  std::mutex mutex;
  std::atomic<bool> systemError = false;
  std::string modelPath;
  llvm::StringMap<std::unique_ptr<MappedFile>> files;
  int spillDescriptor = -1;
  uint64_t spillBytes = 0;
};

/// The bytes of an array of trivially copyable values.
template <typename T> llvm::ArrayRef<char> asBytes(llvm::ArrayRef<T> values) {
  return {reinterpret_cast<const char *>(values.data()),
          values.size() * sizeof(T)};
}

/// Appends an array of trivially copyable values to the spill file.
template <typename T>
mlir::FailureOr<WeightBlobAttr>
spillValues(WeightStore &store, mlir::MLIRContext *context,
            llvm::ArrayRef<T> values,
            llvm::function_ref<mlir::InFlightDiagnostic()> emitError) {
  return store.spill(context, asBytes(values), emitError);
}

} // namespace llmopt

#endif // LLMOPT_DIALECTS_LLMOPT_WEIGHTSTORE_H
