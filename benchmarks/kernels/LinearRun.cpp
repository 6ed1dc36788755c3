//===- LinearRun.cpp - A linear kernel and what it needs ---------*- C++
//-*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "benchmarks/kernels/LinearRun.h"
#include <random>

namespace llmopt {

/// A packed weight of a layout with groups, with random codes.
static std::vector<uint8_t> packGroupedWeight(const PackedFormat &format,
                                              WeightShape shape) {
  auto [rows, columns] = shape;
  std::mt19937 random(1);
  std::vector<int8_t> codes(rows * columns);
  bool isSigned = !format.zeroPoints && !format.table;
  for (int8_t &code : codes)
    code = static_cast<int8_t>(random() % 15 - (isSigned ? 7 : 0));
  int64_t groups = rows * ((columns + format.group - 1) / format.group);
  std::vector<float> scales(groups, 0.01f);
  std::vector<uint8_t> points(format.zeroPoints ? groups : 0, 7);
  std::vector<float> table;
  for (int64_t i = 0; format.table && i < kTableEntries; ++i)
    table.push_back(0.1f * float(i - 7));
  std::vector<uint8_t> packed(densePackedBytes(format, rows, columns));
  packGroups(format, {codes, scales, points, table}, rows, columns, packed);
  return packed;
}

/// Random codes of a weight with this fraction of zeros; two of four for the
/// layout that needs it.
static std::vector<int8_t> drawCodes(PackedLayout layout, WeightShape shape,
                                     double zeros) {
  std::mt19937 random(1);
  std::vector<int8_t> codes(shape.rows * shape.columns);
  for (int8_t &code : codes)
    code = isSparse(layout) && random() < zeros * 4294967296.0
               ? 0
               : static_cast<int8_t>(random() % 127 + 1);
  for (size_t i = 0; layout == PackedLayout::Int8TwoOfFour && i < codes.size();
       i += 4)
    for (size_t first = random() % 4, j = 0; j < 4; ++j)
      codes[i + j] =
          (first + j) % 4 < 2 ? 0 : std::max<int8_t>(codes[i + j], 1);
  return codes;
}

std::vector<uint8_t> packWeight(const PackedFormat &format, WeightShape shape,
                                double zeros) {
  if (format.hasGroups())
    return packGroupedWeight(format, shape);
  auto [rows, columns] = shape;
  std::vector<int8_t> codes = drawCodes(format.layout, shape, zeros);
  std::vector<uint8_t> packed(
      packedCodesBytes(format.layout, codes, rows, columns));
  std::vector<float> values(codes.begin(), codes.end());
  if (format.layout == PackedLayout::F32)
    packF32(values, rows, columns, packed);
  else if (format.layout == PackedLayout::BF16)
    packBF16(values, rows, columns, packed);
  else
    packCodes(format.layout, codes, std::vector<float>(rows, 0.01f), rows,
              columns, packed);
  return packed;
}

} // namespace llmopt
