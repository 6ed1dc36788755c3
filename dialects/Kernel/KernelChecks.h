//===- KernelChecks.h - What verifiers of kernel operations share ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_KERNEL_KERNELCHECKS_H
#define LLMOPT_DIALECTS_KERNEL_KERNELCHECKS_H

#include "dialects/Kernel/KernelOps.h"
#include "llvm/Support/MathExtras.h"

namespace llmopt::kernel {

/// Columns of a buffer, of floats or bytes.
inline int64_t columnsOf(mlir::Value buffer) {
  return llvm::cast<mlir::MemRefType>(buffer.getType()).getDimSize(1);
}

/// True for a buffer of int8 records.
inline bool holdsRecords(mlir::Value buffer) {
  return llvm::cast<mlir::MemRefType>(buffer.getType())
      .getElementType()
      .isInteger(8);
}

/// Type of a weight.
inline WeightType weightOf(mlir::Value weight) {
  return llvm::cast<WeightType>(weight.getType());
}

/// Checks that a buffer has `expected` columns, up to the padding of rows to 16
/// floats.
inline mlir::LogicalResult checkColumns(mlir::Operation *op, mlir::Value buffer,
                                        int64_t expected,
                                        llvm::StringRef what) {
  if (columnsOf(buffer) != expected &&
      columnsOf(buffer) != int64_t(llvm::alignTo(expected, 16)))
    return op->emitOpError() << what << " must have " << expected
                             << " columns, got " << columnsOf(buffer);
  return mlir::success();
}

/// Checks the size of a record.
inline mlir::LogicalResult checkRecords(mlir::Operation *op,
                                        mlir::Value records, int64_t columns,
                                        int64_t group, llvm::StringRef what) {
  if (group <= 0 || group % 32)
    return op->emitOpError("group must be a positive multiple of 32, got ")
           << group;
  int64_t bytes = quantizedRowBytes(columns, group);
  if (columnsOf(records) != bytes)
    return op->emitOpError()
           << what << " must have records of " << bytes << " bytes for "
           << columns << " columns and group " << group << ", got "
           << columnsOf(records);
  return mlir::success();
}

/// Checks that records and group come together, and the record or row size.
inline mlir::LogicalResult checkGrouped(mlir::Operation *op, mlir::Value buffer,
                                        int64_t columns,
                                        std::optional<int64_t> group,
                                        llvm::StringRef what) {
  if (holdsRecords(buffer) != group.has_value())
    return op->emitOpError()
           << what << " must hold records exactly when there is a group";
  if (group)
    return checkRecords(op, buffer, columns, *group, what);
  return checkColumns(op, buffer, columns, what);
}

/// Checks that an operation does not overwrite what other threads still read.
inline mlir::LogicalResult checkSeparate(mlir::Operation *op, mlir::Value input,
                                         mlir::Value output) {
  auto bufferOf = [](mlir::Value memory) {
    auto columns = memory.getDefiningOp<ColumnsOp>();
    return columns ? columns.getBuffer() : memory;
  };
  if (bufferOf(input) == bufferOf(output))
    return op->emitOpError("input and output must be different buffers, as "
                           "threads read all of a row's input");
  return mlir::success();
}

/// Checks that a weight is raw and has so many columns.
inline mlir::LogicalResult checkRaw(mlir::Operation *op, mlir::Value weight,
                                    int64_t columns, llvm::StringRef what) {
  WeightType type = weightOf(weight);
  if (type.getFormat() != PackFormat::Raw || type.getColumns() != columns)
    return op->emitOpError() << what << " must be raw with " << columns
                             << " columns, got " << type;
  return mlir::success();
}

} // namespace llmopt::kernel

#endif // LLMOPT_DIALECTS_KERNEL_KERNELCHECKS_H
