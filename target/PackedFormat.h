//===- PackedFormat.h - Byte layouts of weights and activations -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one definition of what packed bytes mean: used by the packer, by the
// kernel emitters, by the cost model and by the scalar references in the tests.
//
// A weight [rows N, columns K] is cut along N into panels of 16 rows. N is
// padded with zero rows to a multiple of 16, K with zero columns (see
// paddedColumns). Every panel is one sequential byte stream that starts at a
// multiple of 64 bytes; a weight ends with 64 bytes of padding, so that loads
// may run over.
//
//   f32       panel: [K][16 rows] f32
//   int8      panel: [16 scales f32][Kp/4][16 rows][4 k] u8, value + 128
//   bitmask   weight: [u64 offset of each panel, and of the end; padded to 64
//   B]
//             panel: [16 scales f32] then per 32 k: [8 masks u64][values u8]
//             mask m of a block covers k = 32 b + 4 m .. + 3; bit 4 r + j is
//             row r, column k + j, set where the code is not zero; the values
//             (+128) follow in the order of the masks and their bits.
//
// Integer products read activations quantized row by row into records:
//
//   [Kp int8][G scales f32][G sums int32], padded to a multiple of 64 B
//
// with G = ceil(K / group). Within a group, q = round(x * (127 / max|x|)), ties
// to even, scale = max|x| / 127, and sum is the sum of q; a group whose maximum
// is below 2^-100 has scale 0 and only zeros. As the weights are stored with
// +128, the product of a group is dot(w_u8, q) - 128 * sum.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TARGET_PACKEDFORMAT_H
#define LLMOPT_TARGET_PACKEDFORMAT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>

namespace llmopt {

/// How a packed weight is laid out.
enum class PackedLayout { F32, Int8, Int8Bitmask };

/// Rows of one panel.
inline constexpr int64_t kPanelRows = 16;
/// Alignment of panels, buffers and records in bytes.
inline constexpr int64_t kAlignment = 64;
/// Columns covered by the eight masks of one bitmask block; integer formats pad
/// K to a multiple of it, and activation groups are multiples of it.
inline constexpr int64_t kMaskBlockColumns = 32;

/// "f32", "int8", "int8-bitmask": the names used in reports and kernel names.
llvm::StringRef stringify(PackedLayout layout);

/// Number of panels of `rows` rows.
constexpr int64_t panelCount(int64_t rows) {
  return (rows + kPanelRows - 1) / kPanelRows;
}

/// K as stored: a multiple of 32 for the integer layouts, K itself for f32.
int64_t paddedColumns(PackedLayout layout, int64_t columns);

/// Bytes of one panel of a dense layout (not for Int8Bitmask, whose panels
/// differ).
int64_t panelBytes(PackedLayout layout, int64_t columns);

/// Bytes of a whole dense packed weight including the final padding.
int64_t densePackedBytes(PackedLayout layout, int64_t rows, int64_t columns);

/// Bytes of a bitmask weight [rows, columns] whose int8 codes are given
/// row-major.
int64_t bitmaskPackedBytes(llvm::ArrayRef<int8_t> codes, int64_t rows,
                           int64_t columns);

/// Packs row-major floats [rows, columns] as PackedLayout::F32. `out` has
/// densePackedBytes bytes.
void packF32(llvm::ArrayRef<float> values, int64_t rows, int64_t columns,
             llvm::MutableArrayRef<uint8_t> out);

/// Packs row-major codes [rows, columns] in [-127, 127] and one scale per row
/// as PackedLayout::Int8.
void packInt8(llvm::ArrayRef<int8_t> codes, llvm::ArrayRef<float> scales,
              int64_t rows, int64_t columns,
              llvm::MutableArrayRef<uint8_t> out);

/// Same as packInt8 for PackedLayout::Int8Bitmask; `out` has bitmaskPackedBytes
/// bytes.
void packInt8Bitmask(llvm::ArrayRef<int8_t> codes, llvm::ArrayRef<float> scales,
                     int64_t rows, int64_t columns,
                     llvm::MutableArrayRef<uint8_t> out);

/// Offsets within the record of one quantized activation row.
struct QuantizedRow {
  int64_t columns; ///< K
  int64_t group;   ///< columns that share a scale, a multiple of 32

  int64_t paddedColumns() const; ///< Kp, bytes of the int8 values
  int64_t groups() const;        ///< G
  int64_t scalesOffset() const;  ///< bytes from the start of the record
  int64_t sumsOffset() const;
  int64_t bytes() const; ///< stride of the records, a multiple of 64
};

} // namespace llmopt

#endif // LLMOPT_TARGET_PACKEDFORMAT_H
