//===- PackedFormatTest.cpp - Tests of the packed layouts -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "target/PackedFormat.h"
#include "llvm/Support/MathExtras.h"
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace llmopt;

namespace {

struct Shape {
  int64_t rows, columns;
};

const Shape kShapes[] = {{1, 1},   {16, 32}, {16, 33}, {17, 31},
                         {40, 70}, {33, 96}, {48, 128}};

std::vector<int8_t> randomCodes(int64_t count, double zeroFraction) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> code(-127, 127);
  std::bernoulli_distribution zero(zeroFraction);
  std::vector<int8_t> codes(count);
  for (int8_t &value : codes)
    value = zero(random) ? 0 : static_cast<int8_t>(code(random));
  return codes;
}

std::vector<float> rowScales(int64_t rows) {
  std::vector<float> scales(rows);
  for (int64_t row = 0; row < rows; ++row)
    scales[row] = 0.5f + row;
  return scales;
}

float readFloat(const uint8_t *bytes) {
  float value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

uint64_t readU64(const uint8_t *bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

TEST(PackedFormat, F32PanelsAreColumnsOfSixteenRows) {
  for (auto [rows, columns] : kShapes) {
    std::vector<float> values(rows * columns);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = 1.0f + i;
    std::vector<uint8_t> packed(
        densePackedBytes(PackedLayout::F32, rows, columns), 0xee);
    packF32(values, rows, columns, packed);
    int64_t padded = panelCount(rows) * kPanelRows;
    ASSERT_EQ(static_cast<int64_t>(packed.size()), padded * columns * 4 + 64);
    for (int64_t row = 0; row < padded; ++row)
      for (int64_t k = 0; k < columns; ++k) {
        int64_t index = (row / 16 * columns + k) * 16 + row % 16;
        float expected = row < rows ? values[row * columns + k] : 0.0f;
        EXPECT_EQ(readFloat(&packed[index * 4]), expected);
      }
  }
}

TEST(PackedFormat, Int8RoundTrip) {
  for (auto [rows, columns] : kShapes) {
    std::vector<int8_t> codes = randomCodes(rows * columns, 0.1);
    std::vector<uint8_t> packed(
        densePackedBytes(PackedLayout::Int8, rows, columns), 0xee);
    packInt8(codes, rowScales(rows), rows, columns, packed);
    int64_t padded = (columns + 31) / 32 * 32;
    ASSERT_EQ(panelBytes(PackedLayout::Int8, columns), 64 + 16 * padded);
    for (int64_t row = 0; row < panelCount(rows) * 16; ++row) {
      const uint8_t *panel = packed.data() + row / 16 * (64 + 16 * padded);
      EXPECT_EQ(readFloat(panel + row % 16 * 4), row < rows ? 0.5f + row : 0);
      for (int64_t k = 0; k < padded; ++k) {
        int stored = panel[64 + k / 4 * 64 + row % 16 * 4 + k % 4] - 128;
        bool inside = row < rows && k < columns;
        EXPECT_EQ(stored, inside ? codes[row * columns + k] : 0);
      }
    }
  }
}

/// Formats with groups, and one of each kind of codes.
const PackedFormat kGroupFormats[] = {
    {PackedLayout::Int4Groups, 32, ScaleType::F16},
    {PackedLayout::Int4Groups, 64, ScaleType::F32},
    {PackedLayout::Int4Groups, 32, ScaleType::F16, /*zeroPoints=*/true},
    {PackedLayout::Int4Groups, 96, ScaleType::F32, /*zeroPoints=*/true},
    {PackedLayout::Int4Groups, 64, ScaleType::F16, /*zeroPoints=*/false,
     /*table=*/true},
    {PackedLayout::Int8Groups, 32, ScaleType::F16},
    {PackedLayout::Int8Groups, 64, ScaleType::F32}};

TEST(PackedFormat, NamesOfGroups) {
  EXPECT_EQ(stringify(PackedLayout::Int8Bitmask), "int8-bitmask");
  EXPECT_EQ(stringify(kGroupFormats[0]), "int4-g32-f16");
  EXPECT_EQ(stringify(kGroupFormats[2]), "int4-g32-f16-zp");
  EXPECT_EQ(stringify(kGroupFormats[4]), "int4-g64-f16-table");
  EXPECT_EQ(stringify(kGroupFormats[6]), "int8-g64-f32");
}

/// Finds codes and scales where the header of PackedFormat.h says, counting
/// bytes from the start of the panel.
void checkGroups(const PackedFormat &format, Shape shape) {
  auto [rows, columns] = shape;
  bool nibbles = format.layout == PackedLayout::Int4Groups;
  bool isUnsigned = format.zeroPoints || format.table;
  std::vector<int8_t> codes = randomCodes(rows * columns, 0.1);
  for (int8_t &code : codes)
    if (nibbles)
      code = static_cast<int8_t>((code & 15) - (isUnsigned ? 0 : 8));
  int64_t groups = (columns + format.group - 1) / format.group;
  std::vector<float> scales = rowScales(rows * groups);
  std::vector<uint8_t> points(format.zeroPoints ? rows * groups : 0);
  for (size_t i = 0; i < points.size(); ++i)
    points[i] = i % 16;
  std::vector<float> table(format.table ? 16 : 0, 1.0f);
  std::vector<uint8_t> packed(densePackedBytes(format, rows, columns), 0xee);
  packGroups(format, {codes, scales, points, table}, rows, columns, packed);

  int64_t scaleBytes = format.scales == ScaleType::F16 ? 2 : 4;
  int64_t perGroup = 16 * (scaleBytes + (format.zeroPoints ? 1 : 0));
  int64_t blockGroups = 1;
  while (blockGroups * perGroup % 64)
    blockGroups *= 2;
  int64_t padded = (columns + 31) / 32 * 32;
  int64_t columnBytes = nibbles ? 8 : 16;
  int64_t blocks = (groups + blockGroups - 1) / blockGroups;
  int64_t panelSize = blocks * blockGroups * perGroup + padded * columnBytes;
  ASSERT_EQ(panelBytes(format, columns), panelSize);
  ASSERT_EQ(static_cast<int64_t>(packed.size()),
            (format.table ? 192 : 0) + panelCount(rows) * panelSize + 64);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t k = 0; k < columns; ++k) {
      int64_t group = k / format.group, place = group % blockGroups;
      const uint8_t *block = packed.data() + (format.table ? 192 : 0) +
                             row / 16 * panelSize +
                             group / blockGroups * blockGroups *
                                 (perGroup + format.group * columnBytes);
      const uint8_t *scale = block + (place * 16 + row % 16) * scaleBytes;
      float expected = scales[row * groups + group];
      if (scaleBytes == 4)
        EXPECT_EQ(readFloat(scale), expected);
      else
        EXPECT_EQ(fromHalf(scale[0] | scale[1] << 8), expected);
      if (format.zeroPoints)
        EXPECT_EQ(block[blockGroups * 16 * scaleBytes + place * 16 + row % 16],
                  points[row * groups + group]);
      const uint8_t *first =
          block + blockGroups * perGroup + place * format.group * columnBytes;
      int64_t within = k % format.group;
      int stored = nibbles ? first[within / 8 * 64 + row % 16 * 4 + k % 4] >>
                                     (within % 8 / 4 * 4) &
                                 15
                           : first[within / 4 * 64 + row % 16 * 4 + k % 4];
      int excess = isUnsigned ? 0 : nibbles ? 8 : 128;
      ASSERT_EQ(stored - excess, codes[row * columns + k])
          << stringify(format) << " " << row << " " << k;
    }
}

TEST(PackedFormat, GroupsAreWhereTheHeaderSays) {
  for (const PackedFormat &format : kGroupFormats)
    for (Shape shape : {Shape{1, 1}, {17, 31}, {40, 70}, {16, 352}})
      checkGroups(format, shape);
}

TEST(PackedFormat, TablesStartTheWeight) {
  PackedFormat format = kGroupFormats[4];
  std::vector<float> table = {-2, -1, 0, 1};
  std::vector<int8_t> codes = {0, 3};
  std::vector<float> scales = {1};
  std::vector<uint8_t> packed(densePackedBytes(format, 1, 2));
  packGroups(format, {codes, scales, {}, table}, 1, 2, packed);
  EXPECT_EQ(readFloat(&packed[0]), -2);
  EXPECT_EQ(readFloat(&packed[12]), 1);
  for (int copy = 0; copy < 4; ++copy) {
    EXPECT_EQ(packed[kTableCodesOffset + 16 * copy], 128 - 127);
    // -63.5 and 63.5 are rounded away from zero.
    EXPECT_EQ(packed[kTableCodesOffset + 16 * copy + 1], 128 - 64);
    EXPECT_EQ(packed[kTableCodesOffset + 16 * copy + 3], 128 + 64);
  }
  for (int lane = 0; lane < 16; ++lane)
    EXPECT_EQ(readFloat(&packed[kTableUnitOffset + 4 * lane]), 2.0f / 127);
}

TEST(PackedFormat, Halves) {
  EXPECT_EQ(toHalf(1.0f), 0x3c00);
  EXPECT_EQ(toHalf(-2.0f), 0xc000);
  EXPECT_EQ(toHalf(65504.0f), 0x7bff);
  EXPECT_EQ(toHalf(1e6f), 0x7c00);
  // Half way between two numbers: the even one.
  EXPECT_EQ(toHalf(1.0f + 0x1p-11f), 0x3c00);
  EXPECT_EQ(toHalf(1.0f + 3 * 0x1p-11f), 0x3c02);
  EXPECT_EQ(fromHalf(0x3555), 0.333251953125f);
}

/// Decodes one bitmask panel as the header describes it into codes[16][padded].
std::vector<int> decodePanel(const uint8_t *panel, int64_t padded) {
  std::vector<int> codes(16 * padded, 0);
  const uint8_t *next = panel + 64;
  for (int64_t block = 0; block < padded; block += 32) {
    const uint8_t *masks = next;
    next += 64;
    for (int64_t m = 0; m < 8; ++m)
      for (int64_t bit = 0; bit < 64; ++bit)
        if (readU64(masks + 8 * m) >> bit & 1)
          codes[bit / 4 * padded + block + 4 * m + bit % 4] = *next++ - 128;
  }
  return codes;
}

TEST(PackedFormat, BitmaskRoundTrip) {
  for (auto [rows, columns] : kShapes)
    for (double zeroFraction : {0.0, 0.6, 1.0}) {
      std::vector<int8_t> codes = randomCodes(rows * columns, zeroFraction);
      std::vector<uint8_t> packed(
          packedCodesBytes(PackedLayout::Int8Bitmask, codes, rows, columns),
          0xee);
      packCodes(PackedLayout::Int8Bitmask, codes, rowScales(rows), rows,
                columns, packed);
      int64_t padded = (columns + 31) / 32 * 32;
      for (int64_t panel = 0; panel < panelCount(rows); ++panel) {
        uint64_t offset = readU64(&packed[panel * 8]);
        ASSERT_EQ(offset % 64, 0u);
        std::vector<int> decoded = decodePanel(&packed[offset], padded);
        for (int64_t r = 0; r < 16; ++r)
          for (int64_t k = 0; k < padded; ++k) {
            int64_t row = panel * 16 + r;
            bool inside = row < rows && k < columns;
            EXPECT_EQ(decoded[r * padded + k],
                      inside ? codes[row * columns + k] : 0);
          }
      }
      EXPECT_EQ(readU64(&packed[panelCount(rows) * 8]) + 64, packed.size());
    }
}

TEST(PackedFormat, BitmaskBytesFollowTheZeros) {
  std::vector<int8_t> zeros(16 * 64, 0), ones(16 * 64, 1);
  EXPECT_EQ(packedCodesBytes(PackedLayout::Int8Bitmask, zeros, 16, 64),
            64 + 64 + 2 * 64 + 64);
  EXPECT_EQ(packedCodesBytes(PackedLayout::Int8Bitmask, ones, 16, 64),
            64 + 64 + 2 * 64 + 1024 + 64);
}

TEST(PackedFormat, QuantizedRowOffsets) {
  QuantizedRow row{70, 64};
  EXPECT_EQ(row.paddedColumns(), 96);
  EXPECT_EQ(row.groups(), 2);
  EXPECT_EQ(row.scalesOffset(), 96);
  EXPECT_EQ(row.biasesOffset(), 104);
  EXPECT_EQ(row.bytes(), 128);
}

/// Weights of a convolution: element i of [outputs, channels, taps] is i + 1.
std::vector<int8_t> countedWeights(const ConvWeights &weights) {
  std::vector<int8_t> values(weights.outputs * weights.channels * weights.taps);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = int8_t(i + 1);
  return values;
}

template <typename T> T at(const std::vector<uint8_t> &bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

std::vector<uint8_t> packedBytes(const ConvWeights &weights, const void *source,
                                 size_t size) {
  std::vector<uint8_t> bytes(weights.bytes(), 0xff);
  weights.pack({static_cast<const uint8_t *>(source), size}, bytes);
  return bytes;
}

TEST(ConvWeights, FloatsGoTapByTap) {
  ConvWeights weights{66, 3, 2, false, false};
  std::vector<float> values(66 * 3 * 2);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float(i);
  std::vector<uint8_t> bytes =
      packedBytes(weights, values.data(), values.size() * sizeof(float));
  ASSERT_EQ(bytes.size(), 2u * 6 * 64 * 4);
  for (int64_t output = 0; output < 128; ++output)
    for (int64_t channel = 0; channel < 3; ++channel)
      for (int64_t tap = 0; tap < 2; ++tap) {
        int64_t place =
            output / 64 * 6 * 64 + (tap * 3 + channel) * 64 + output % 64;
        float expected =
            output < 66 ? float((output * 3 + channel) * 2 + tap) : 0;
        EXPECT_EQ(at<float>(bytes, place), expected);
      }
}

TEST(ConvWeights, BytesHavePaddedChannelsAndSums) {
  ConvWeights weights{2, 5, 1, false, true};
  std::vector<int8_t> values = countedWeights(weights);
  std::vector<uint8_t> bytes =
      packedBytes(weights, values.data(), values.size());
  ASSERT_EQ(bytes.size(), 64u * (4 + 8));
  EXPECT_EQ(at<int32_t>(bytes, 0), 1 + 2 + 3 + 4 + 5);
  EXPECT_EQ(at<int32_t>(bytes, 1), 6 + 7 + 8 + 9 + 10);
  EXPECT_EQ(at<int32_t>(bytes, 2), 0);
  // Four channels of an output are neighbours.
  EXPECT_EQ(at<int8_t>(bytes, 256 + 4 + 2), 8);
  EXPECT_EQ(at<int8_t>(bytes, 256 + 256 + 4), 10);
  EXPECT_EQ(at<int8_t>(bytes, 256 + 256 + 5), 0);
}

TEST(ConvWeights, DepthwiseBytesArePairsOfTaps) {
  ConvWeights weights{17, 1, 3, true, true};
  std::vector<int8_t> values = countedWeights(weights);
  std::vector<uint8_t> bytes =
      packedBytes(weights, values.data(), values.size());
  ASSERT_EQ(bytes.size(), 32u * (4 + 4 * 2));
  EXPECT_EQ(at<int32_t>(bytes, 16), 49 + 50 + 51);
  EXPECT_EQ(at<int16_t>(bytes, 64 + 2 * 16), 49);
  EXPECT_EQ(at<int16_t>(bytes, 64 + 2 * 16 + 1), 50);
  EXPECT_EQ(at<int16_t>(bytes, 64 + 64 + 2 * 16), 51);
  EXPECT_EQ(at<int16_t>(bytes, 64 + 64 + 2 * 16 + 1), 0);
}

} // namespace
