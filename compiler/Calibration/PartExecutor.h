//===- PartExecutor.h - Executes parts on rows of samples -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CALIBRATION_PARTEXECUTOR_H
#define LLMOPT_COMPILER_CALIBRATION_PARTEXECUTOR_H

#include "compiler/Calibration/CodeRunner.h"
#include "compiler/Calibration/ModelParts.h"
#include "compiler/Calibration/PartCode.h"
#include "mlir/Support/LLVM.h"

namespace llmopt {

/// Bytes at a multiple of 64, zero at first.
class AlignedBytes {
public:
  AlignedBytes() = default;
  explicit AlignedBytes(size_t size);

  uint8_t *data() const { return bytes.get(); }
  size_t size() const { return count; }
  AlignedBytes copy() const;

private:
  struct Free {
    void operator()(uint8_t *pointer) const;
  };
  std::unique_ptr<uint8_t, Free> bytes;
  size_t count = 0;
};

/// The weights of a module in the kernel dialect as its code reads them. On
/// failure emits an error.
mlir::FailureOr<AlignedBytes> packForExecution(mlir::ModuleOp module);

/// What every attention of a decoder looks like.
struct CacheGeometry {
  uint32_t kvHeads, headDim;
};

/// The rows that live between parts: of all samples, one after the other.
class SampleRows {
public:
  SampleRows(llvm::ArrayRef<int64_t> rowBytes, size_t rows)
      : rowBytes(rowBytes.begin(), rowBytes.end()), rows(rows),
        buffers(rowBytes.size()) {}

  /// The rows of a buffer from `first` on; memory is taken at the first use.
  uint8_t *at(unsigned buffer, size_t first);
  /// Floats from one row of a buffer to the next.
  size_t stride(unsigned buffer) const {
    return rowBytes[buffer] / sizeof(float);
  }
  int64_t bytesOfRow(unsigned buffer) const { return rowBytes[buffer]; }
  /// Gives back the memory of all buffers but `needed`.
  void keepOnly(llvm::ArrayRef<unsigned> needed);

  std::vector<AlignedBytes> copies(llvm::ArrayRef<unsigned> which) const;
  void restore(llvm::ArrayRef<unsigned> which,
               std::vector<AlignedBytes> contents);

private:
  std::vector<int64_t> rowBytes;
  size_t rows;
  std::vector<AlignedBytes> buffers;
};

/// Executes parts on samples of equal length, which all begin at position 0.
class PartExecutor {
public:
  PartExecutor(CodeRunner &runner, const CacheGeometry &geometry,
               uint32_t sampleTokens);

  /// Executes a part on all samples: takes its inputs from `rows` and leaves
  /// its outputs there. `tokens` are those of all samples.
  llvm::Error execute(const ModelPart &part, const PartCode &code,
                      const uint8_t *weights, llvm::ArrayRef<int64_t> tokens,
                      SampleRows &rows);

private:
  void reserve(const PartCode &code);

  CodeRunner &runner;
  uint32_t sampleTokens, capacity;
  AlignedBytes arena, scratch, pages;
  std::vector<uint8_t *> pageTable;
  std::vector<int32_t> positions;
  std::vector<uint32_t> allRows;
};

} // namespace llmopt

#endif // LLMOPT_COMPILER_CALIBRATION_PARTEXECUTOR_H
