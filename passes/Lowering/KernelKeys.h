//===- KernelKeys.h - Which kernel an operation calls -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELKEYS_H
#define LLMOPT_PASSES_LOWERING_KERNELKEYS_H

#include "dialects/Kernel/KernelOps.h"
#include "passes/Lowering/Kernels/Kernels.h"

namespace llmopt {

/// The arrangement of a weight's bytes. Constants of graphs are read by no
/// kernel and count as f32.
PackedFormat formatOf(kernel::WeightType type);
inline PackedFormat formatOf(mlir::Value weight) {
  return formatOf(llvm::cast<kernel::WeightType>(weight.getType()));
}

/// The kernel of an operation for one row or, of attention, any number of them.
LinearKernelKey keyOf(kernel::LinearOp op, Isa isa);
AttentionKernelKey keyOf(kernel::RopeAppendOp op, Isa isa);
AttentionKernelKey keyOf(kernel::AttentionOp op, Isa isa);
AttentionKernelKey keyOf(kernel::AttentionPartsOp op, Isa isa);
AttentionKernelKey keyOf(kernel::MergePartsOp op, Isa isa);

/// Bytes of scratch per thread that the kernel of an operation needs.
int64_t kernelScratchBytes(mlir::Operation *op, Isa isa);

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELKEYS_H
