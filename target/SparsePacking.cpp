//===- SparsePacking.cpp - Packing of sparse weights ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "target/CodeMatrix.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <array>
#include <cassert>
#include <utility>
#include <vector>

using namespace llvm;

namespace llmopt {

namespace {

constexpr int64_t kMaskBlockBytes =
    kMaskBlockColumns / kStepColumns * sizeof(uint64_t);
/// What stands for a code of zero.
constexpr uint8_t kZeroCode = 128;

//===----------------------------------------------------------------------===//
// Bitmasks
//===----------------------------------------------------------------------===//

/// Mask of the codes of rows firstRow..+15 and columns column..+3 that are not
/// zero.
uint64_t stepMask(const CodeMatrix &matrix, int64_t firstRow, int64_t column) {
  uint64_t mask = 0;
  for (int64_t r = 0; r < kPanelRows; ++r)
    for (int64_t j = 0; j < kStepColumns; ++j)
      if (matrix.at(firstRow + r, column + j) != 0)
        mask |= uint64_t(1) << (kStepColumns * r + j);
  return mask;
}

/// Bytes of one bitmask panel before the padding to kAlignment.
int64_t bitmaskPanelBytes(const CodeMatrix &matrix, int64_t firstRow) {
  int64_t lastRow = std::min(firstRow + kPanelRows, matrix.rows);
  ArrayRef<int8_t> codes = matrix.codes.slice(
      firstRow * matrix.columns, (lastRow - firstRow) * matrix.columns);
  int64_t blocks = divideCeil(matrix.columns, kMaskBlockColumns);
  return kScaleBytes + blocks * kMaskBlockBytes +
         (codes.size() - std::count(codes.begin(), codes.end(), 0));
}

/// Writes one bitmask panel.
void packBitmaskPanel(const CodeMatrix &matrix, int64_t firstRow,
                      uint8_t *out) {
  for (int64_t block = 0; block < matrix.columns; block += kMaskBlockColumns) {
    uint8_t *masks = out;
    out += kMaskBlockBytes;
    for (int64_t step = 0; step < kMaskBlockColumns; step += kStepColumns) {
      uint64_t mask = stepMask(matrix, firstRow, block + step);
      support::endian::write64le(masks, mask);
      masks += sizeof(uint64_t);
      for (; mask != 0; mask &= mask - 1) {
        int64_t bit = llvm::countr_zero(mask);
        int8_t code = matrix.at(firstRow + bit / kStepColumns,
                                block + step + bit % kStepColumns);
        *out++ = static_cast<uint8_t>(code + 128);
      }
    }
  }
}

//===----------------------------------------------------------------------===//
// Two of four
//===----------------------------------------------------------------------===//

/// The places of the two codes of four columns that are not zero; those of
/// zeros where there are fewer.
std::array<int64_t, 2> placesOfTwo(const CodeMatrix &matrix, int64_t row,
                                   int64_t column) {
  std::array<int64_t, 2> places;
  size_t found = 0;
  for (bool wanted : {true, false})
    for (int64_t i = 0; i < kStepColumns && found < 2; ++i)
      if ((matrix.at(row, column + i) != 0) == wanted)
        places[found++] = i;
  return places;
}

void packTwoOfFourPanel(const CodeMatrix &matrix, int64_t firstRow,
                        uint8_t *out) {
  constexpr int64_t stepColumns = 2 * kStepColumns;
  for (int64_t block = 0; block < matrix.columns; block += kMaskBlockColumns) {
    uint8_t *values = out + kTwoOfFourPlaceBytes;
    for (int64_t s = 0; s < kMaskBlockColumns / stepColumns; ++s)
      for (int64_t r = 0; r < kPanelRows; ++r)
        for (int64_t four = 0; four < 2; ++four) {
          int64_t column = block + stepColumns * s + kStepColumns * four;
          auto places = placesOfTwo(matrix, firstRow + r, column);
          for (int64_t i = 0; i < 2; ++i) {
            out[4 * r + 2 * four + i] |= places[i] << (2 * s);
            *values++ = static_cast<uint8_t>(
                matrix.at(firstRow + r, column + places[i]) + 128);
          }
        }
    out += kTwoOfFourBlockBytes;
  }
}

//===----------------------------------------------------------------------===//
// Gathered codes
//===----------------------------------------------------------------------===//

/// Codes of a row that a step has.
constexpr int64_t kStepCodes = 4;

/// Steps that a panel needs in a window: those of its fullest row.
int64_t windowSteps(const CodeMatrix &matrix, int64_t firstRow,
                    int64_t column) {
  int64_t most = 0;
  for (int64_t r = 0; r < kPanelRows; ++r) {
    int64_t count = 0;
    for (int64_t i = 0; i < kWindowColumns; ++i)
      count += matrix.at(firstRow + r, column + i) != 0;
    most = std::max(most, count);
  }
  return divideCeil(most, kStepCodes);
}

/// The window of each step of a panel.
std::vector<uint16_t> stepWindows(const CodeMatrix &matrix, int64_t firstRow) {
  std::vector<uint16_t> windows;
  for (int64_t k = 0; k < matrix.columns; k += kWindowColumns)
    windows.insert(windows.end(), windowSteps(matrix, firstRow, k),
                   static_cast<uint16_t>(k / kWindowColumns));
  // A step of zeros makes the number even.
  if (windows.size() % 2)
    windows.push_back(windows.back());
  return windows;
}

int64_t gatherHeadBytes(int64_t steps) {
  return alignTo(kScaleBytes + sizeof(uint32_t) + steps * sizeof(uint16_t),
                 kAlignment);
}

/// Columns of a window whose codes are not zero, then the others.
std::vector<int64_t> windowOrder(const CodeMatrix &matrix, int64_t row,
                                 int64_t column) {
  int64_t padded = paddedColumns(PackedLayout::Int8Gather, matrix.columns);
  int64_t width = std::min(kWindowColumns, padded - column);
  std::vector<int64_t> order;
  for (bool wanted : {true, false})
    for (int64_t i = 0; i < width; ++i)
      if ((matrix.at(row, column + i) != 0) == wanted)
        order.push_back(i);
  return order;
}

void packGatherPanel(const CodeMatrix &matrix, int64_t firstRow, uint8_t *out) {
  std::vector<uint16_t> windows = stepWindows(matrix, firstRow);
  support::endian::write32le(out + kScaleBytes, windows.size());
  for (auto [i, window] : enumerate(windows))
    support::endian::write16le(out + kScaleBytes + sizeof(uint32_t) + 2 * i,
                               window);
  uint8_t *steps = out + gatherHeadBytes(windows.size());
  for (int64_t r = 0; r < kPanelRows; ++r) {
    std::vector<int64_t> order;
    for (size_t step = 0, first = 0; step < windows.size(); ++step) {
      int64_t column = windows[step] * kWindowColumns;
      if (step == 0 || windows[step] != windows[step - 1]) {
        order = windowOrder(matrix, firstRow + r, column);
        first = step;
      }
      uint8_t *place = steps + step * kGatherStepBytes + kStepCodes * r;
      for (int64_t j = 0; j < kStepCodes; ++j) {
        // Past the window's end, in a step that makes them even: the last
        // place once more, whose code must not count twice.
        size_t i = (step - first) * kStepCodes + j;
        bool isPast = i >= order.size();
        int64_t at = order[isPast ? order.size() - 1 : i];
        place[j] = static_cast<uint8_t>(at);
        place[kStepCodes * kPanelRows + j] =
            isPast ? kZeroCode
                   : static_cast<uint8_t>(matrix.at(firstRow + r, column + at) +
                                          128);
      }
    }
  }
}

/// Bytes of one panel of a layout with a table of panels, before the padding.
int64_t sparsePanelBytes(PackedLayout layout, const CodeMatrix &matrix,
                         int64_t firstRow) {
  if (layout == PackedLayout::Int8Bitmask)
    return bitmaskPanelBytes(matrix, firstRow);
  int64_t steps = stepWindows(matrix, firstRow).size();
  return gatherHeadBytes(steps) + steps * kGatherStepBytes;
}

int64_t offsetTableBytes(int64_t rows) {
  return alignTo((panelCount(rows) + 1) * sizeof(uint64_t), kAlignment);
}

void packPanels(PackedLayout layout, const CodeMatrix &matrix,
                ArrayRef<float> scales, MutableArrayRef<uint8_t> out) {
  bool hasTable = hasPanelTable(layout);
  int64_t offset = hasTable ? offsetTableBytes(matrix.rows) : 0;
  uint8_t *table = out.data();
  for (int64_t first = 0; first < matrix.rows; first += kPanelRows) {
    if (hasTable)
      support::endian::write64le(std::exchange(table, table + 8), offset);
    uint8_t *panel = out.data() + offset;
    writeScales(scales, first, matrix.rows, panel);
    if (layout == PackedLayout::Int8TwoOfFour) {
      packTwoOfFourPanel(matrix, first, panel + kScaleBytes);
      offset += panelBytes(layout, matrix.columns);
      continue;
    }
    if (layout == PackedLayout::Int8Bitmask)
      packBitmaskPanel(matrix, first, panel + kScaleBytes);
    else
      packGatherPanel(matrix, first, panel);
    offset += alignTo(sparsePanelBytes(layout, matrix, first), kAlignment);
  }
  if (hasTable)
    support::endian::write64le(table, offset);
}

} // namespace

bool canHold(PackedLayout layout, ArrayRef<int8_t> codes, int64_t columns) {
  if (layout != PackedLayout::Int8TwoOfFour)
    return true;
  for (ArrayRef<int8_t> rest = codes; !rest.empty();
       rest = rest.drop_front(columns))
    for (int64_t k = 0; k < columns; k += kStepColumns) {
      ArrayRef<int8_t> four =
          rest.slice(k, std::min(kStepColumns, columns - k));
      if (count_if(four, [](int8_t code) { return code != 0; }) > 2)
        return false;
    }
  return true;
}

int64_t packedCodesBytes(PackedLayout layout, ArrayRef<int8_t> codes,
                         int64_t rows, int64_t columns) {
  if (!hasPanelTable(layout))
    return densePackedBytes(layout, rows, columns);
  CodeMatrix matrix{codes, rows, columns};
  int64_t bytes = offsetTableBytes(rows);
  for (int64_t first = 0; first < rows; first += kPanelRows)
    bytes += alignTo(sparsePanelBytes(layout, matrix, first), kAlignment);
  return bytes + kAlignment;
}

void packCodes(PackedLayout layout, ArrayRef<int8_t> codes,
               ArrayRef<float> scales, int64_t rows, int64_t columns,
               MutableArrayRef<uint8_t> out) {
  if (layout == PackedLayout::Int8)
    return packInt8(codes, scales, rows, columns, out);
  assert(isSparse(layout) && canHold(layout, codes, columns));
  assert(static_cast<int64_t>(out.size()) ==
         packedCodesBytes(layout, codes, rows, columns));
  std::fill(out.begin(), out.end(), 0);
  packPanels(layout, {codes, rows, columns}, scales, out);
}

} // namespace llmopt
