//===- AttentionEmitters.h - Bodies of the attention kernels ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELS_ATTENTIONEMITTERS_H
#define LLMOPT_PASSES_LOWERING_KERNELS_ATTENTIONEMITTERS_H

#include "passes/Lowering/Kernels/KernelBuilder.h"
#include "passes/Lowering/Kernels/Kernels.h"
#include "target/CallLayout.h"
#include "llvm/Support/MathExtras.h"

namespace llmopt {

/// Query rows of a task.
inline constexpr int64_t kAttentionTileRows = 6;
/// Scores of one row for the keys of a page: bytes and vectors.
inline constexpr int64_t kPageBytes = kPageTokens * 4;
inline constexpr int64_t kPageVectors = kPageTokens / kLanes;

/// Byte offsets of a task's state in scratch.
struct AttentionScratch {
  explicit AttentionScratch(int64_t headDim)
      : rowBytes(llvm::alignTo(headDim, kLanes) * 4),
        scores(kAttentionTileRows * rowBytes),
        outputs(scores + kAttentionTileRows * kPageBytes),
        maxima(outputs + kAttentionTileRows * rowBytes),
        sums(maxima + kVectorBytes), factors(sums + kVectorBytes),
        limits(factors + kVectorBytes), bytes(limits + kVectorBytes) {}

  int64_t rowBytes;              ///< of a query (at offset 0) and of an output
  int64_t scores;                ///< f32 [6][64]
  int64_t outputs;               ///< f32 [6][head_dim padded]
  int64_t maxima, sums, factors; ///< f32 [6]
  int64_t limits;                ///< i64 [6]: keys that the row may see
  int64_t bytes;
};

/// The two products of attention for one page.
enum class AttentionTile {
  Scores, ///< (scratch, keys): scores = queries . keys
  Values  ///< (scratch, values, count): outputs * factors + scores . values
};

/// The function of a register tile of `rows` rows; what it does not get as an
/// argument is in scratch. Tiles are functions of their own, so that nothing
/// else competes for the registers of their loops.
mlir::func::FuncOp getOrCreateAttentionTile(mlir::ModuleOp module,
                                            AttentionTile which,
                                            int64_t headDim, int64_t rows,
                                            Isa isa);

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
void emitAttention(KernelBuilder &k, mlir::ModuleOp module,
                   const AttentionKernelKey &key, mlir::ValueRange args);

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELS_ATTENTIONEMITTERS_H
