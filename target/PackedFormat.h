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
//   bf16      panel: [Kp/2][16 rows][2 k] bf16, with K padded to an even number
//   int8      panel: [16 scales f32][Kp/4][16 rows][4 k] u8, value + 128
//   bitmask   weight: [u64 offset of each panel, and of the end; padded to 64
//   B]
//             panel: [16 scales f32] then per 32 k: [8 masks u64][values u8]
//             mask m of a block covers k = 32 b + 4 m .. + 3; bit 4 r + j is
//             row r, column k + j, set where the code is not zero; the values
//             (+128) follow in the order of the masks and their bits.
//   int8-2of4 panel: [16 scales f32] then per 32 k: [64 places u8][4 vectors of
//             [16 rows][4 values u8]]. Vector s of a block holds the two values
//             (+128) of k = 32 b + 8 s .. + 3 of every row, then those of the
//             next four; bits 2 s and 2 s + 1 of byte (row, j) of the places
//             are the column of value j within its four. Where fewer codes
//             are not zero, a zero's place stands with the value 128.
//   int8-gather
//             weight: offsets as bitmask
//             panel: [16 scales f32][u32 steps][u16 window of each step; padded
//             to 64 B] then per step: [16 rows][4 places u8]
//             [16 rows][4 values u8]: four codes (+128) of each row that lie in
//             the step's window of 64 k, and where. Rows that have no more of
//             them give places of zeros, with the value 128. Steps are
//             in the order of their windows, an even number for each panel.
//   int8-gG   panel: blocks of groups of G columns; the scales of a block come
//             first, then its zero points, then its codes:
//             [groups][16 scales f16 or f32] [groups][16 zero points u8]
//             [columns/4][16 rows][4 k] u8, value + 128
//   int4-gG   the same with [columns/8][16 rows][4 bytes]: byte j of a row has
//             column k + j in its low half and k + 4 + j in its high half, as
//             value + 8, as value + zero point, or as index of a table
//
// A block of groups has as many as make its scales and zero points a multiple
// of 64 bytes (GroupGeometry); the last block of a panel has room for as many
// scales, but only the codes of the groups that exist, and the last group may
// be short. A weight with a table starts with it (kTableBytes): 16 values f32,
// their codes round(value / unit) + 128 four times over, and the unit 16 times,
// with unit = max|value| / 127. Integer products use the codes, others the
// values.
//
// Weights of convolutions, as ONNX has them [outputs, channels, taps], are read
// by kernels whose images are [pixels, channels]. K is taps x channels, tap by
// tap. Outputs are padded to a multiple of 64 (depthwise: 16) with zeros:
//
//   conv_f32        panel of 64 outputs: [K][64 outputs] f32
//   conv_int8       panel of 64 outputs: [64 sums i32][K/4][64 outputs][4 k]
//   s8;
//                   the channels of a tap are padded to a multiple of 4
//   depthwise_f32   [taps][outputs] f32
//   depthwise_int8  [outputs sums i32][pairs of taps][outputs][2 taps] s16
//
// where sums are those of an output's weights.
//
// Integer products read activations quantized row by row into records:
//
//   [Kp int8][G scales f32][G biases int32], padded to a multiple of 64 B
//
// with G = ceil(K / group). Within a group, q = round(x * (127 / max|x|)), ties
// to even, scale = max|x| / 127, and bias is -128 times the sum of q; a group
// whose maximum is below 2^-100 has scale 0 and only zeros. As the weights are
// stored with +128, the product of a group is bias + dot(w_u8, q).
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TARGET_PACKEDFORMAT_H
#define LLMOPT_TARGET_PACKEDFORMAT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>
#include <string>

namespace llmopt {

/// How the bytes of a weight are arranged.
enum class PackedLayout {
  F32,
  BF16,
  Int8,
  Int8Bitmask,
  Int8TwoOfFour,
  Int8Gather,
  Int8Groups,
  Int4Groups
};

/// Whether a layout stores only the codes of int8 that are not zero.
constexpr bool isSparse(PackedLayout layout) {
  return layout == PackedLayout::Int8Bitmask ||
         layout == PackedLayout::Int8TwoOfFour ||
         layout == PackedLayout::Int8Gather;
}

/// Whether panels differ in size, so that a weight starts with a table of their
/// offsets.
constexpr bool hasPanelTable(PackedLayout layout) {
  return layout == PackedLayout::Int8Bitmask ||
         layout == PackedLayout::Int8Gather;
}

/// Numbers that scales are stored as.
enum class ScaleType { F32, F16 };

/// A layout and what it depends on.
struct PackedFormat {
  /// A layout without groups.
  PackedFormat(PackedLayout layout = PackedLayout::F32) : layout(layout) {}
  PackedFormat(PackedLayout layout, int64_t group, ScaleType scales,
               bool zeroPoints = false, bool table = false)
      : layout(layout), group(group), scales(scales), zeroPoints(zeroPoints),
        table(table) {}

  PackedLayout layout;
  int64_t group = 0; ///< columns that share a scale, a multiple of 32; 0: all
  ScaleType scales = ScaleType::F32;
  bool zeroPoints = false; ///< one per scale (Int4Groups)
  bool table = false;      ///< codes are indices of a table (Int4Groups)

  bool hasGroups() const { return group != 0; }
  bool operator==(const PackedFormat &other) const;
};

/// Rows of one panel.
inline constexpr int64_t kPanelRows = 16;
/// Alignment of panels, buffers and records in bytes.
inline constexpr int64_t kAlignment = 64;
/// Columns covered by the eight masks of one bitmask block; integer formats pad
/// K to a multiple of it, and activation groups are multiples of it.
inline constexpr int64_t kMaskBlockColumns = 32;
/// Bytes of the scales at the start of a panel with a scale per row.
inline constexpr int64_t kScaleBytes = kPanelRows * sizeof(float);
/// Bytes of 32 columns of an int8-2of4 panel, and of their places.
inline constexpr int64_t kTwoOfFourBlockBytes = 320;
inline constexpr int64_t kTwoOfFourPlaceBytes = 64;
/// Columns of a window of int8-gather, and bytes of a step.
inline constexpr int64_t kWindowColumns = 64;
inline constexpr int64_t kGatherStepBytes = 128;

/// "f32", "bf16", "int8", "int8-bitmask", "int8-2of4", "int4-g32-f16",
/// "int4-g32-f16-zp", "int4-g64-f16-table": the names used in kernel names.
std::string stringify(const PackedFormat &format);

/// Number of panels of `rows` rows.
constexpr int64_t panelCount(int64_t rows) {
  return (rows + kPanelRows - 1) / kPanelRows;
}

/// K as stored: a multiple of 32 for the integer layouts, of 2 for bf16, K
/// itself for f32.
int64_t paddedColumns(const PackedFormat &format, int64_t columns);

/// Bytes of one panel of a layout without a table of panels.
int64_t panelBytes(const PackedFormat &format, int64_t columns);

/// Bytes in front of the first panel: of the table, if there is one.
int64_t headerBytes(const PackedFormat &format);

/// Bytes of a whole dense packed weight including header and final padding.
int64_t densePackedBytes(const PackedFormat &format, int64_t rows,
                         int64_t columns);

/// Whether the layout can hold the codes: whether there are no more than two
/// that are not zero in four columns, for Int8TwoOfFour.
bool canHold(PackedLayout layout, llvm::ArrayRef<int8_t> codes,
             int64_t columns);

/// Bytes of a weight [rows, columns] in an int8 layout with a scale per row,
/// dense or sparse, whose codes are given row-major.
int64_t packedCodesBytes(PackedLayout layout, llvm::ArrayRef<int8_t> codes,
                         int64_t rows, int64_t columns);

/// Packs row-major floats [rows, columns] as PackedLayout::F32. `out` has
/// densePackedBytes bytes.
void packF32(llvm::ArrayRef<float> values, int64_t rows, int64_t columns,
             llvm::MutableArrayRef<uint8_t> out);

/// The same as PackedLayout::BF16, rounded to nearest, ties to even.
void packBF16(llvm::ArrayRef<float> values, int64_t rows, int64_t columns,
              llvm::MutableArrayRef<uint8_t> out);

/// The bf16 nearest to a float, ties to even, and what it stands for.
uint16_t toBF16(float value);
float fromBF16(uint16_t bits);

/// Packs row-major codes [rows, columns] in [-127, 127] and one scale per row
/// as PackedLayout::Int8.
void packInt8(llvm::ArrayRef<int8_t> codes, llvm::ArrayRef<float> scales,
              int64_t rows, int64_t columns,
              llvm::MutableArrayRef<uint8_t> out);

/// Packs codes as packInt8 does, in any layout that packedCodesBytes takes;
/// `out` has so many bytes.
void packCodes(PackedLayout layout, llvm::ArrayRef<int8_t> codes,
               llvm::ArrayRef<float> scales, int64_t rows, int64_t columns,
               llvm::MutableArrayRef<uint8_t> out);

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

/// Entries of a table, and where its three parts start in a weight's header.
inline constexpr int64_t kTableEntries = 16;
inline constexpr int64_t kTableCodesOffset = 64;
inline constexpr int64_t kTableUnitOffset = 128;
inline constexpr int64_t kTableBytes = 192;

/// Where things are within a panel of a layout with groups.
struct GroupGeometry {
  explicit GroupGeometry(const PackedFormat &format);

  int64_t scaleBytes;  ///< 16 scales, of one group
  int64_t pointBytes;  ///< 16 zero points, or 0
  int64_t blockGroups; ///< groups whose scales stand together
  int64_t headBytes;   ///< scales and zero points of a block
  int64_t columnBytes; ///< codes of one column, times 2 (a nibble is a half)
  int64_t groupBytes;  ///< codes of a whole group
  int64_t blockBytes;  ///< head and codes of a whole block

  /// Bytes of the codes of a multiple of 8 columns.
  int64_t codeBytes(int64_t columns) const { return columns * columnBytes / 2; }
};

/// Row-major codes [rows, columns] with what belongs to each group
/// [rows, ceil(columns / group)].
struct GroupCodes {
  llvm::ArrayRef<int8_t> codes;
  llvm::ArrayRef<float> scales;
  llvm::ArrayRef<uint8_t> zeroPoints; ///< where the format has them
  llvm::ArrayRef<float> table;        ///< up to 16 values, where it has one
};

/// Packs codes in a layout with groups. Without zero points or a table they lie
/// in [-8, 7] for Int4Groups and in [-127, 127] for Int8Groups, with them in
/// [0, 15]. `out` has densePackedBytes bytes.
void packGroups(const PackedFormat &format, const GroupCodes &weight,
                int64_t rows, int64_t columns,
                llvm::MutableArrayRef<uint8_t> out);

/// The f16 nearest to a float, ties to even, and what it stands for.
uint16_t toHalf(float value);
float fromHalf(uint16_t half);

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

/// Weights of a convolution; with one input channel for each output they are
/// depthwise.
struct ConvWeights {
  int64_t outputs, channels, taps;
  bool isDepthwise, isInt8;

  /// Outputs of a panel of conv_f32 and conv_int8.
  static constexpr int64_t kPanelOutputs = 64;

  int64_t paddedOutputs() const;
  /// Channels as stored.
  int64_t paddedChannels() const;
  /// Bytes of a panel; depthwise weights are one.
  int64_t panelBytes() const;
  int64_t bytes() const;
  /// Packs elements [outputs, channels, taps]: f32 or s8.
  void pack(llvm::ArrayRef<uint8_t> source,
            llvm::MutableArrayRef<uint8_t> out) const;
};

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

/// Offsets within the record of one quantized activation row.
struct QuantizedRow {
  int64_t columns; ///< K
  int64_t group;   ///< columns that share a scale, a multiple of 32

  int64_t paddedColumns() const; ///< Kp, bytes of the int8 values
  int64_t groups() const;        ///< G
  int64_t scalesOffset() const;  ///< bytes from the start of the record
  int64_t biasesOffset() const;
  int64_t bytes() const; ///< stride of the records, a multiple of 64
};

} // namespace llmopt

#endif // LLMOPT_TARGET_PACKEDFORMAT_H
