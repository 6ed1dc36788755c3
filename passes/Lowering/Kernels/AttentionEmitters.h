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

/// Integer attention writes numbers as two digits, high * 128 + low, with high
/// in [-127, 127] and low in [-64, 63]; this is the largest one.
inline constexpr float kLargestDigits = 127 * 128;

/// Byte offsets of a task's state in scratch.
struct AttentionScratch {
  explicit AttentionScratch(const AttentionKernelKey &key);

  /// Components of a head that lie one after the other in an output; pairs of
  /// bf16 come from the two halves of a head.
  int64_t partDim;
  int64_t parts;                 ///< 1 or 2
  int64_t partBytes;             ///< of an output's part, whole vectors
  int64_t digitBytes;            ///< of the high, or the low, digits of a query
  int64_t rowBytes;              ///< of a query (at offset 0)
  int64_t outputBytes;           ///< of an output
  int64_t scores;                ///< f32 [6][64]
  int64_t outputs;               ///< f32 [6][parts][partDim padded]
  int64_t maxima, sums, factors; ///< f32 [6]
  int64_t firsts, limits;        ///< i64 [6]: keys first..limit-1 are seen
  // Of int8.
  int64_t weightDigits;          ///< [6][2][64]: high, then low digits
  int64_t querySums, weightSums; ///< i32 [6][2]: of the digits
  int64_t queryScales;           ///< f32 [6]
  int64_t weightScales;          ///< f32 [6]
  int64_t bytes;
};

/// Bytes of a row's weightDigits.
inline constexpr int64_t kWeightDigitBytes = 2 * kPageTokens;

/// The two products of attention for one page.
enum class AttentionTile {
  Scores, ///< (scratch, keys, keys of the next page): scores = queries . keys
  /// (scratch, values, values of the next page, count): outputs * factors +
  /// scores . values
  Values
};

/// The function of a register tile of `rows` rows; what it does not get as an
/// argument is in scratch. Tiles are functions of their own, so that nothing
/// else competes for the registers of their loops.
mlir::func::FuncOp getOrCreateAttentionTile(mlir::ModuleOp module,
                                            AttentionTile which,
                                            const AttentionKernelKey &key,
                                            int64_t rows);

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

/// Bytes of the keys, or the values, of a kv head in a page.
int64_t partBytes(const AttentionKernelKey &key);

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
