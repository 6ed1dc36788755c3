//===- ForwardExpander.h - Calls of kernels from their operations ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_FORWARDEXPANDER_H
#define LLMOPT_PASSES_LOWERING_FORWARDEXPANDER_H

#include "dialects/Kernel/KernelOps.h"
#include "passes/Lowering/CallFrame.h"
#include "passes/Lowering/KernelClasses.h"
#include "passes/Lowering/Kernels/Kernels.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/TimeStamps.h"

namespace llmopt {

/// What the functions of a module share.
struct ExpandContext {
  ExpandContext(Isa isa, bool profile) : isa(isa), profile(profile) {}

  Isa isa;
  bool profile;                  ///< count the time of kernels
  int64_t scratchBytes = 0;      ///< per thread
  mlir::func::FuncOp forwardRow; ///< expanded, for calls of one row; or null
  KernelClasses classes;         ///< of all functions
  llvm::DenseMap<mlir::Operation *, unsigned> classOf;
};

/// Replaces a function on kernel operations by one that calls kernels.
class ForwardExpander {
public:
  ForwardExpander(mlir::func::FuncOp kernels, ExpandContext &context)
      : kernels(kernels), module(kernels->getParentOfType<mlir::ModuleOp>()),
        builder(kernels), context(context),
        isRow(kernels.getName() == kernel::kForwardRowName) {}

  /// The new function, of the same name; the old one is to be erased.
  mlir::FailureOr<mlir::func::FuncOp> run();

private:
  void findTail();
  mlir::LogicalResult checkTail();
  mlir::func::FuncOp createEntry();
  mlir::LogicalResult expandBody(KernelBuilder &k);
  mlir::LogicalResult expandRange(mlir::Block::iterator first,
                                  mlir::Block::iterator last);
  mlir::LogicalResult expand(mlir::Operation &op);
  void expandOp(kernel::WeightOp op, KernelBuilder &k);
  void expandOp(kernel::BufferOp op, KernelBuilder &k);
  void expandOp(kernel::ColumnsOp op, KernelBuilder &k);
  void expandOp(kernel::LogitsOp op, KernelBuilder &k);
  void expandOp(kernel::EmbeddingOp op, KernelBuilder &k);
  void expandOp(kernel::LinearOp op, KernelBuilder &k);
  void expandOp(kernel::RMSNormOp op, KernelBuilder &k);
  void expandOp(kernel::LayerNormOp op, KernelBuilder &k);
  void expandOp(kernel::BiasOp op, KernelBuilder &k);
  void expandOp(kernel::HeadNormOp op, KernelBuilder &k);
  void expandOp(kernel::ScaleOp op, KernelBuilder &k);
  void expandOp(kernel::SoftcapOp op, KernelBuilder &k);
  void expandOp(kernel::AddOp op, KernelBuilder &k);
  void expandOp(kernel::AddPositionsOp op, KernelBuilder &k);
  void expandOp(kernel::QuantizeOp op, KernelBuilder &k);
  void expandOp(kernel::GatherRowsOp op, KernelBuilder &k);
  void expandOp(kernel::RopeAppendOp op, KernelBuilder &k);
  void expandOp(kernel::AttentionOp op, KernelBuilder &k);
  void expandOp(kernel::AttentionPartsOp op, KernelBuilder &k);
  void expandOp(kernel::MergePartsOp op, KernelBuilder &k);
  void expandOp(kernel::BarrierOp op, KernelBuilder &k);

  template <typename NormOp>
  void expandNorm(NormOp op, llvm::ArrayRef<mlir::Value> vectors,
                  RowKernel plain, RowKernel quantizing, KernelBuilder &k);
  void scaleRows(RowKernel kernel, mlir::Value buffer, llvm::APFloat factor,
                 KernelBuilder &k);

  mlir::func::FuncOp rowKernel(RowKernel kernel, int64_t group = 0,
                               PackedFormat format = PackedLayout::F32) {
    return getOrCreateKernel(module,
                             RowKernelKey{kernel, group, format, context.isa});
  }
  mlir::Value rowsOf(mlir::Value memory, KernelBuilder &k);
  /// Thread and threads by which the computation of `memory` is divided.
  std::pair<mlir::Value, mlir::Value> shareOf(mlir::Value memory,
                                              KernelBuilder &k);
  /// The address of a buffer, a weight, or the logits.
  mlir::Value at(mlir::Value value) { return addresses.lookup(value); }

  mlir::func::FuncOp kernels;
  mlir::ModuleOp module;
  mlir::OpBuilder builder;
  ExpandContext &context;
  bool isRow; ///< calls have one row
  CallFrame frame;
  TimeStamps stamps;
  mlir::Value scratch; ///< of kernels, after the private buffers
  llvm::DenseMap<mlir::Value, mlir::Value> addresses;
  mlir::Block::iterator
      tail; ///< first operation for rows whose logits are wanted
};

/// Elements from one row to the next.
inline int64_t strideOf(mlir::Value memory) {
  auto type = mlir::cast<mlir::MemRefType>(memory.getType());
  return type.getStridesAndOffset().first.front();
}

/// Columns of a weight.
inline int64_t columnsOf(mlir::Value weight) {
  return mlir::cast<kernel::WeightType>(weight.getType()).getColumns();
}

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_FORWARDEXPANDER_H
