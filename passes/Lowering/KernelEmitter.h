//===- KernelEmitter.h - From tensors to kernels on buffers -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELEMITTER_H
#define LLMOPT_PASSES_LOWERING_KERNELEMITTER_H

#include "passes/Lowering/KernelPlacement.h"
#include "passes/Lowering/WeightTable.h"

namespace llmopt {

/// Emits the kernels of @forward, operation by operation. The order of the
/// tensor operations is the order of the kernels, so that a buffer may be
/// overwritten where nothing later reads the tensor that it holds.
class KernelEmitter {
public:
  KernelEmitter(mlir::func::FuncOp tensors, mlir::func::FuncOp kernels,
                KernelPlacement &placement);

  mlir::LogicalResult run();

private:
  mlir::LogicalResult emit(mlir::Operation &op);
  mlir::LogicalResult emit(EmbeddingOp op);
  mlir::LogicalResult emit(LinearOp op);
  mlir::LogicalResult emit(RMSNormOp op);
  mlir::LogicalResult emit(LayerNormOp op);
  mlir::LogicalResult emit(BiasOp op);
  mlir::LogicalResult emit(HeadNormOp op);
  mlir::LogicalResult emit(ScaleOp op);
  mlir::LogicalResult emit(SoftcapOp op);
  mlir::LogicalResult emit(SplitOp op);
  mlir::FailureOr<mlir::Value> updated(mlir::Operation *op);
  mlir::LogicalResult emitPositions(mlir::arith::AddFOp op,
                                    PositionEmbeddingOp positions);
  void
  emitNorm(mlir::Operation *op,
           llvm::function_ref<void(mlir::Value, mlir::IntegerAttr)> create);
  mlir::LogicalResult emit(CachedAttentionOp op);
  mlir::LogicalResult emit(mlir::arith::AddFOp op);
  mlir::LogicalResult emitSum(mlir::arith::AddFOp op);
  mlir::LogicalResult emitLinear(LinearOp op, kernel::Epilogue epilogue,
                                 mlir::Value output);
  std::optional<int64_t> outputGroupOf(LinearOp op, GluOp glu);
  mlir::LogicalResult emitGated(LinearOp op, GluOp glu, int64_t group);

  mlir::Value makeBuffer(mlir::Location location, llvm::StringRef name,
                         int64_t columns, kernel::RowDomain rows);
  mlir::Value makeRecords(mlir::Location location, int64_t columns,
                          int64_t group, kernel::RowDomain rows);
  mlir::Value qkvBuffer(CachedAttentionOp op);
  mlir::Value columnsFor(LinearOp op, const KernelPlacement::Columns &columns);
  mlir::FailureOr<mlir::Value> floatsOf(mlir::Value tensor,
                                        mlir::Operation *user);
  mlir::FailureOr<mlir::Value> inputOf(LinearOp op);
  /// The rows that the kernel of an operation covers.
  kernel::RowDomain rowsOf(mlir::Operation *op) {
    return placement.afterAttention.contains(op) ? kernel::RowDomain::Logits
                                                 : kernel::RowDomain::Tokens;
  }

  mlir::func::FuncOp tensors;
  KernelPlacement &placement;
  kernel::KVFormat kv = kernel::KVFormat::F32;
  mlir::OpBuilder builder;
  WeightTable weights;
  /// Buffers that hold a tensor, for all rows or those whose logits are wanted.
  struct Forms {
    llvm::DenseMap<mlir::Value, mlir::Value> floats;
    /// Quantized in groups of the given size.
    llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> records;
  };
  Forms &formsOf(kernel::RowDomain rows) {
    return rows == kernel::RowDomain::Tokens ? allRows : wantedRows;
  }
  Forms allRows, wantedRows;
  llvm::DenseMap<mlir::Operation *, mlir::Value> qkvBuffers; ///< by attention
};

/// The last dimension of a tensor.
inline int64_t columnsOf(mlir::Value tensor) {
  return mlir::cast<mlir::RankedTensorType>(tensor.getType()).getShape().back();
}

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELEMITTER_H
