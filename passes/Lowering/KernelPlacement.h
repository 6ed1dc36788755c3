//===- KernelPlacement.h - Which kernel computes what -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELPLACEMENT_H
#define LLMOPT_PASSES_LOWERING_KERNELPLACEMENT_H

#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace llmopt {

/// How the operations of @forward become kernels that cover more than one of
/// them. Operations that are named here are already in the order in which
/// kernels are emitted.
struct KernelPlacement {
  /// Where the rows [q | k | v] of an attention come from.
  struct Qkv {
    mlir::Value product; ///< all columns, from one product; or null
    RopeOp rope; ///< of the queries; that of the keys has the same table
  };
  /// Columns of the [q | k | v] row of an attention that a product writes.
  struct Columns {
    CachedAttentionOp attention;
    int64_t first;
  };

  llvm::DenseMap<mlir::Operation *, Qkv> attentions;
  llvm::DenseMap<mlir::Operation *, Columns> columns; ///< by product
  /// Splits whose parts are changed in place, as columns of a row.
  llvm::DenseSet<mlir::Operation *> splits;
  llvm::DenseMap<mlir::Operation *, GluOp>
      gated; ///< by the product of gate and up
  /// Products that are added to the other term of a sum, by the sum.
  llvm::DenseMap<mlir::Operation *, LinearOp> added;
  /// Sums without such a product, by the term whose buffer they may overwrite.
  llvm::DenseMap<mlir::Operation *, mlir::Value> overwritten;
  /// Operations without a kernel of their own, because another kernel covers
  /// them.
  llvm::DenseSet<mlir::Operation *> covered;
  /// Operations that no attention depends on. Each row of theirs needs only the
  /// same row of others, so they cover only the rows whose logits are wanted;
  /// they come last.
  llvm::DenseSet<mlir::Operation *> afterAttention;
  LinearOp head;

  /// Reorders `forward` and finds its kernels; emits a diagnostic and fails
  /// where attention or the head have no kernel form.
  static mlir::FailureOr<KernelPlacement> analyze(mlir::func::FuncOp forward);
};

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELPLACEMENT_H
