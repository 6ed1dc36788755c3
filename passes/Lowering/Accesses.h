//===- Accesses.h - Which bytes a kernel operation touches ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_ACCESSES_H
#define LLMOPT_PASSES_LOWERING_ACCESSES_H

#include "dialects/Kernel/KernelOps.h"
#include "llvm/ADT/SmallVector.h"

namespace llmopt {

/// One read or write of a kernel operation. Slots of the arena are scaled by
/// the capacity of the arena, so that slots overlap exactly when their bytes
/// per row do.
struct Access {
  enum class Space { Arena, Logits, Cache, Private };

  Space space;
  bool isWrite;
  mlir::Value buffer; ///< in the arena; else null
  int64_t begin = 0;  ///< bytes per row: the slot in the arena
  int64_t end = 0;
  int64_t firstColumn = 0; ///< within the buffer
  int64_t endColumn = 0;

  /// True when both touch the same bytes and at least one writes.
  bool conflictsWith(const Access &other) const;
};

/// The accesses of `op` by its memory effects. Fails, without a diagnostic,
/// where a buffer has no offset.
mlir::FailureOr<llvm::SmallVector<Access>> accessesOf(mlir::Operation *op);

/// True for memory of which every thread has its own.
bool isPrivate(mlir::Value memory);

/// True for the operations that threads execute: not barriers, buffers and
/// references.
bool isKernelCall(mlir::Operation *op);

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_ACCESSES_H
