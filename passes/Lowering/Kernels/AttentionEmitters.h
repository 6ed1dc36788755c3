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
#include <limits>

namespace llmopt {

/// Query rows of a task.
inline constexpr int64_t kAttentionTileRows = 6;
/// Scores of one row for the keys of a page: bytes and vectors.
inline constexpr int64_t kPageBytes = kPageTokens * 4;
inline constexpr int64_t kPageVectors = kPageTokens / kLanes;

/// The largest codes of integer attention: of a query, signed, and of a
/// weight, unsigned.
inline constexpr float kLargestQueryCode = 127, kLargestWeightCode = 255;

inline constexpr float kLog2E = 0x1.715476p0f;

/// Byte offsets of a task's state in scratch.
struct AttentionScratch {
  explicit AttentionScratch(const AttentionKernelKey &key);

  /// Components of a head that lie one after the other in an output; pairs of
  /// bf16 come from the two halves of a head.
  int64_t partDim;
  int64_t parts;       ///< 1 or 2
  int64_t partBytes;   ///< of an output's part, whole vectors
  int64_t rowBytes;    ///< of a query (at offset 0)
  int64_t outputBytes; ///< of an output
  int64_t weights;     ///< f32 [6][64]: scores, then weights
  int64_t outputs;     ///< f32 [6][parts][partDim padded]
  int64_t hidden;      ///< f32 [64]: minus infinity for keys that are masked
  int64_t sums;        ///< f32 [6][16]: of weights, lane by lane
  /// f32 [16], a lane for a row: the maximum so far, the factor of what was
  /// added up before a page, and that of the page.
  int64_t maxima, factors, gains;
  int64_t firsts, limits; ///< i64 [6]: keys first..limit-1 are seen
  // Of int8.
  int64_t codes;       ///< u8 [6][64]: weights
  int64_t querySums;   ///< i32 [6]: of the codes
  int64_t queryScales; ///< f32 [6]
  int64_t bytes;
};

/// The two products of attention for one page.
enum class AttentionTile {
  WholeWeights, ///< every row sees every key of the page
  EdgeWeights,
  Values
};

/// The function of a register tile of `rows` rows. Its arguments are
///
///   weights  (scratch, keys, keys of the next page, first key, end of keys)
///   values   (scratch, values, values of the next page, count)
///
/// Weights are exponentials of the products of queries with keys; values adds
/// weights . values to the outputs. What else they need is in scratch. Tiles
/// are functions of their own, so that nothing else competes for the registers
/// of their loops.
mlir::func::FuncOp getOrCreateAttentionTile(mlir::ModuleOp module,
                                            AttentionTile which,
                                            const AttentionKernelKey &key,
                                            int64_t rows);

void emitAttentionWeights(KernelBuilder &k, const AttentionKernelKey &key,
                          int64_t rows, bool isEdge, mlir::ValueRange args);
void emitAttentionValues(KernelBuilder &k, const AttentionKernelKey &key,
                         int64_t rows, mlir::ValueRange args);

/// Vectors per row of a register tile.
inline int64_t tileVectors(const KernelBuilder &k) {
  return k.hasAvx512() ? kPageVectors : 1;
}

/// Asks for bytes of the next page while those at the same place of this one
/// are worked on: pages lie apart, so that no prefetcher finds the next one.
void prefetchAhead(KernelBuilder &k, int64_t rows, mlir::Value ahead,
                   mlir::Value offset, int64_t bytes);

/// The two bf16 of every 32 bits, as floats.
std::pair<mlir::Value, mlir::Value> widenPairs(KernelBuilder &k,
                                               mlir::Value pairs);

/// sums[row][v] += factor(row) * vectors[v].
void multiplyRows(KernelBuilder &k, int64_t rows, Values &sums,
                  llvm::ArrayRef<mlir::Value> vectors,
                  llvm::function_ref<mlir::Value(int64_t row)> factor);

/// 2^x for x <= 0, lane by lane, within 2 ulp or, if it need not be precise,
/// 1e-4. Where `isExact`, it is 0 below 2^-126, else at least that.
mlir::Value powerOfTwo(KernelBuilder &k, mlir::Value x, bool isPrecise,
                       bool isExact);

inline mlir::Value minusInfinity(KernelBuilder &k) {
  return k.constantF32(-std::numeric_limits<float>::infinity());
}

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

/// First key that a row sees which does not see key `limit`.
mlir::Value firstVisibleKey(KernelBuilder &k, const AttentionKernelKey &key,
                            mlir::Value limit);

/// The pages that a single row sees, and how they are split.
struct PageSplit {
  mlir::Value first, last;
  mlir::Value step;  ///< pages of a part
  mlir::Value parts; ///< at most key.parts

  /// First page of a part, or the end of the part before.
  mlir::Value begin(KernelBuilder &k, mlir::Value part) const {
    return k.min(k.add(first, k.mul(part, step)), last);
  }
};
PageSplit splitPages(KernelBuilder &k, const AttentionKernelKey &key,
                     const SegmentValues &segment);

void emitRopeAppend(KernelBuilder &k, const AttentionKernelKey &key,
                    mlir::ValueRange args);
void emitAttention(KernelBuilder &k, mlir::ModuleOp module,
                   const AttentionKernelKey &key, mlir::ValueRange args);
void emitMergeParts(KernelBuilder &k, const AttentionKernelKey &key,
                    mlir::ValueRange args);

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELS_ATTENTIONEMITTERS_H
