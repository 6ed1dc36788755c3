//===- GroupPacking.cpp - Formats with groups -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "target/PackedFormat.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <numeric>

using namespace llvm;

namespace llmopt {

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

static StringRef layoutName(PackedLayout layout) {
  switch (layout) {
  case PackedLayout::F32:
    return "f32";
  case PackedLayout::BF16:
    return "bf16";
  case PackedLayout::Int8:
  case PackedLayout::Int8Groups:
    return "int8";
  case PackedLayout::Int8Bitmask:
    return "int8-bitmask";
  case PackedLayout::Int8TwoOfFour:
    return "int8-2of4";
  case PackedLayout::Int8Gather:
    return "int8-gather";
  case PackedLayout::Int4Groups:
    return "int4";
  }
  llvm_unreachable("unknown layout");
}

bool PackedFormat::operator==(const PackedFormat &other) const {
  return layout == other.layout && group == other.group &&
         scales == other.scales && zeroPoints == other.zeroPoints &&
         table == other.table;
}

std::string stringify(const PackedFormat &format) {
  std::string name = layoutName(format.layout).str();
  if (!format.hasGroups())
    return name;
  name += "-g" + std::to_string(format.group);
  name += format.scales == ScaleType::F16 ? "-f16" : "-f32";
  if (format.zeroPoints)
    name += "-zp";
  if (format.table)
    name += "-table";
  return name;
}

//===----------------------------------------------------------------------===//
// Geometry
//===----------------------------------------------------------------------===//

GroupGeometry::GroupGeometry(const PackedFormat &format) {
  assert(format.hasGroups() && "a layout without groups");
  scaleBytes = kPanelRows * (format.scales == ScaleType::F16 ? 2 : 4);
  pointBytes = format.zeroPoints ? kPanelRows : 0;
  int64_t bytes = scaleBytes + pointBytes;
  blockGroups = kAlignment / std::gcd(kAlignment, bytes);
  headBytes = blockGroups * bytes;
  columnBytes =
      format.layout == PackedLayout::Int4Groups ? kPanelRows : 2 * kPanelRows;
  groupBytes = codeBytes(format.group);
  blockBytes = headBytes + blockGroups * groupBytes;
}

//===----------------------------------------------------------------------===//
// Half precision
//===----------------------------------------------------------------------===//

uint16_t toHalf(float value) {
  APFloat half(value);
  bool losesInfo;
  half.convert(APFloat::IEEEhalf(), APFloat::rmNearestTiesToEven, &losesInfo);
  return static_cast<uint16_t>(half.bitcastToAPInt().getZExtValue());
}

float fromHalf(uint16_t half) {
  return APFloat(APFloat::IEEEhalf(), APInt(16, half)).convertToFloat();
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

namespace {

/// Writes one weight.
class GroupPacker {
public:
  GroupPacker(const PackedFormat &format, const GroupCodes &weight,
              int64_t rows, int64_t columns)
      : format(format), geometry(format), weight(weight), rows(rows),
        columns(columns), groups(divideCeil(columns, format.group)) {}

  void packPanel(int64_t firstRow, uint8_t *out) const;

private:
  void packHead(int64_t firstRow, int64_t group, uint8_t *block) const;
  void packCodes(int64_t firstRow, int64_t group, uint8_t *out) const;
  uint8_t codeAt(int64_t row, int64_t column) const;

  const PackedFormat &format;
  GroupGeometry geometry;
  const GroupCodes &weight;
  int64_t rows, columns, groups;
};

} // namespace

/// A code as it is stored; zero outside of the weight, as far as the format has
/// one.
uint8_t GroupPacker::codeAt(int64_t row, int64_t column) const {
  bool within = row < rows && column < columns;
  int8_t code = within ? weight.codes[row * columns + column] : 0;
  if (format.zeroPoints || format.table)
    return static_cast<uint8_t>(code);
  return static_cast<uint8_t>(
      code + (format.layout == PackedLayout::Int4Groups ? 8 : 128));
}

void GroupPacker::packHead(int64_t firstRow, int64_t group,
                           uint8_t *block) const {
  int64_t place = group % geometry.blockGroups;
  uint8_t *scales = block + place * geometry.scaleBytes;
  uint8_t *points = block + geometry.blockGroups * geometry.scaleBytes +
                    place * geometry.pointBytes;
  for (int64_t r = 0; r < kPanelRows && firstRow + r < rows; ++r) {
    int64_t index = (firstRow + r) * groups + group;
    float scale = weight.scales[index];
    if (format.scales == ScaleType::F16) {
      uint16_t half = toHalf(scale);
      std::memcpy(scales + 2 * r, &half, sizeof(half));
    } else {
      std::memcpy(scales + 4 * r, &scale, sizeof(scale));
    }
    if (format.zeroPoints)
      points[r] = weight.zeroPoints[index];
  }
}

void GroupPacker::packCodes(int64_t firstRow, int64_t group,
                            uint8_t *out) const {
  bool nibbles = format.layout == PackedLayout::Int4Groups;
  int64_t step = nibbles ? 8 : 4;
  int64_t first = group * format.group;
  int64_t last =
      std::min(first + format.group, llmopt::paddedColumns(format, columns));
  for (int64_t k = first; k < last; k += step)
    for (int64_t r = 0; r < kPanelRows; ++r)
      for (int64_t j = 0; j < 4; ++j) {
        uint8_t code = codeAt(firstRow + r, k + j);
        if (nibbles) {
          assert(code < 16 && "the code does not fit four bits");
          code |= codeAt(firstRow + r, k + 4 + j) << 4;
        }
        *out++ = code;
      }
}

void GroupPacker::packPanel(int64_t firstRow, uint8_t *out) const {
  for (int64_t group = 0; group < groups; ++group) {
    uint8_t *block = out + group / geometry.blockGroups * geometry.blockBytes;
    packHead(firstRow, group, block);
    packCodes(firstRow, group,
              block + geometry.headBytes +
                  group % geometry.blockGroups * geometry.groupBytes);
  }
}

static void packTable(ArrayRef<float> table, uint8_t *out) {
  assert(table.size() <= size_t(kTableEntries) && "a code has four bits");
  float largest = 0;
  for (float value : table)
    largest = std::max(largest, std::fabs(value));
  float unit = largest / 127;
  for (size_t i = 0; i < size_t(kTableEntries); ++i) {
    float value = i < table.size() ? table[i] : 0;
    auto code =
        static_cast<uint8_t>(std::lround(unit > 0 ? value / unit : 0) + 128);
    std::memcpy(out + 4 * i, &value, sizeof(value));
    for (int64_t copy = 0; copy < 4; ++copy)
      out[kTableCodesOffset + kTableEntries * copy + i] = code;
    std::memcpy(out + kTableUnitOffset + 4 * i, &unit, sizeof(unit));
  }
}

void packGroups(const PackedFormat &format, const GroupCodes &weight,
                int64_t rows, int64_t columns, MutableArrayRef<uint8_t> out) {
  assert(static_cast<int64_t>(weight.codes.size()) == rows * columns);
  assert(static_cast<int64_t>(weight.scales.size()) ==
         rows * int64_t(divideCeil(columns, format.group)));
  assert(static_cast<int64_t>(out.size()) ==
         densePackedBytes(format, rows, columns));
  std::fill(out.begin(), out.end(), 0);
  if (format.table)
    packTable(weight.table, out.data());
  GroupPacker packer(format, weight, rows, columns);
  for (int64_t panel = 0; panel < panelCount(rows); ++panel)
    packer.packPanel(panel * kPanelRows,
                     out.data() + headerBytes(format) +
                         panel * panelBytes(format, columns));
}

} // namespace llmopt
