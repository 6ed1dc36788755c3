//===- AttentionEmitters.h - Bodies of the attention kernels ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELS_ATTENTIONEMITTERS_H
#define LLMOPT_PASSES_LOWERING_KERNELS_ATTENTIONEMITTERS_H

#include "passes/Lowering/Kernels/KernelBuilder.h"
#include "passes/Lowering/Kernels/Kernels.h"

namespace llmopt {

/// Fields of an llmopt_segment, sizes as i64.
struct SegmentValues {
  mlir::Value firstRow, rows, past, pages, keyMask;
};

/// Field of the call at `offset`, a u32, as i64.
mlir::Value loadCount(KernelBuilder &k, mlir::Value structure, int64_t offset);
SegmentValues loadSegment(KernelBuilder &k, mlir::Value call,
                          mlir::Value index);

/// Keys of a layer and kv head in page `index` of a sequence; the values
/// follow.
mlir::Value loadPageKeys(KernelBuilder &k, const AttentionKernelKey &key,
                         mlir::Value pages, mlir::Value index,
                         mlir::Value layer, mlir::Value kvHead);

/// Runs body(offset, lanes) for pieces of `step` lanes of 0..count-1: whole
/// ones in a loop, then the rest of them, if any. Offsets and lanes are in
/// floats.
void forEachPiece(KernelBuilder &k, int64_t count, int64_t step,
                  llvm::function_ref<void(mlir::Value, int64_t)> body);

void emitRopeAppend(KernelBuilder &k, const AttentionKernelKey &key,
                    mlir::ValueRange args);
void emitAttention(KernelBuilder &k, const AttentionKernelKey &key,
                   mlir::ValueRange args);

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELS_ATTENTIONEMITTERS_H
