//===- PackedFormat.cpp - Packing of weights --------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "target/PackedFormat.h"
#include "target/CodeMatrix.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

using namespace llvm;

namespace llmopt {

int64_t paddedColumns(const PackedFormat &format, int64_t columns) {
  if (format.layout == PackedLayout::F32)
    return columns;
  if (format.layout == PackedLayout::BF16)
    return alignTo(columns, 2);
  return alignTo(columns, kMaskBlockColumns);
}

int64_t panelBytes(const PackedFormat &format, int64_t columns) {
  assert(!hasPanelTable(format.layout) && "panels differ in size");
  int64_t padded = paddedColumns(format, columns);
  if (format.layout == PackedLayout::F32)
    return padded * kPanelRows * sizeof(float);
  if (format.layout == PackedLayout::BF16)
    return padded * kPanelRows * sizeof(uint16_t);
  if (format.layout == PackedLayout::Int8TwoOfFour)
    return kScaleBytes + padded / kMaskBlockColumns * kTwoOfFourBlockBytes;
  if (!format.hasGroups())
    return kScaleBytes + padded * kPanelRows;
  GroupGeometry geometry(format);
  int64_t groups = divideCeil(columns, format.group);
  return divideCeil(groups, geometry.blockGroups) * geometry.headBytes +
         geometry.codeBytes(padded);
}

int64_t headerBytes(const PackedFormat &format) {
  return format.table ? kTableBytes : 0;
}

int64_t densePackedBytes(const PackedFormat &format, int64_t rows,
                         int64_t columns) {
  return headerBytes(format) + panelCount(rows) * panelBytes(format, columns) +
         kAlignment;
}

void packF32(ArrayRef<float> values, int64_t rows, int64_t columns,
             MutableArrayRef<uint8_t> out) {
  assert(static_cast<int64_t>(values.size()) == rows * columns);
  assert(static_cast<int64_t>(out.size()) ==
         densePackedBytes(PackedLayout::F32, rows, columns));
  std::fill(out.begin(), out.end(), 0);
  for (int64_t row = 0; row < rows; ++row) {
    uint8_t *panel =
        out.data() + row / kPanelRows * panelBytes(PackedLayout::F32, columns);
    for (int64_t k = 0; k < columns; ++k)
      std::memcpy(panel + (k * kPanelRows + row % kPanelRows) * sizeof(float),
                  &values[row * columns + k], sizeof(float));
  }
}

uint16_t toBF16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if (std::isnan(value)) // stays one: its low bits may be all that it has
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float fromBF16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

void packBF16(ArrayRef<float> values, int64_t rows, int64_t columns,
              MutableArrayRef<uint8_t> out) {
  assert(static_cast<int64_t>(values.size()) == rows * columns);
  assert(static_cast<int64_t>(out.size()) ==
         densePackedBytes(PackedLayout::BF16, rows, columns));
  std::fill(out.begin(), out.end(), 0);
  for (int64_t row = 0; row < rows; ++row) {
    uint8_t *panel =
        out.data() + row / kPanelRows * panelBytes(PackedLayout::BF16, columns);
    for (int64_t k = 0; k < columns; ++k) {
      int64_t place = (k / 2 * kPanelRows + row % kPanelRows) * 2 + k % 2;
      support::endian::write16le(panel + place * sizeof(uint16_t),
                                 toBF16(values[row * columns + k]));
    }
  }
}

void packInt8(ArrayRef<int8_t> codes, ArrayRef<float> scales, int64_t rows,
              int64_t columns, MutableArrayRef<uint8_t> out) {
  assert(static_cast<int64_t>(codes.size()) == rows * columns);
  assert(static_cast<int64_t>(out.size()) ==
         densePackedBytes(PackedLayout::Int8, rows, columns));
  CodeMatrix matrix{codes, rows, columns};
  uint8_t *next = out.data();
  for (int64_t first = 0; first < rows; first += kPanelRows) {
    writeScales(scales, first, rows, next);
    next += kScaleBytes;
    int64_t padded = paddedColumns(PackedLayout::Int8, columns);
    for (int64_t k = 0; k < padded; k += kStepColumns)
      for (int64_t r = 0; r < kPanelRows; ++r)
        for (int64_t j = 0; j < kStepColumns; ++j)
          *next++ = static_cast<uint8_t>(matrix.at(first + r, k + j) + 128);
  }
  std::fill(next, out.data() + out.size(), 0);
}

int64_t QuantizedRow::paddedColumns() const {
  return llmopt::paddedColumns(PackedLayout::Int8, columns);
}

int64_t QuantizedRow::groups() const { return divideCeil(columns, group); }

int64_t QuantizedRow::scalesOffset() const { return paddedColumns(); }

int64_t QuantizedRow::biasesOffset() const {
  return scalesOffset() + groups() * sizeof(float);
}

int64_t QuantizedRow::bytes() const {
  return alignTo(biasesOffset() + groups() * sizeof(int32_t), kAlignment);
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

int64_t ConvWeights::paddedOutputs() const {
  return alignTo(outputs, isDepthwise ? kPanelRows : kPanelOutputs);
}

int64_t ConvWeights::paddedChannels() const {
  return isInt8 && !isDepthwise ? alignTo(channels, kStepColumns) : channels;
}

int64_t ConvWeights::panelBytes() const {
  int64_t width = isDepthwise ? paddedOutputs() : kPanelOutputs;
  if (!isInt8)
    return taps * channels * width * sizeof(float);
  int64_t codes = isDepthwise ? alignTo(taps, 2) * sizeof(int16_t)
                              : taps * paddedChannels();
  return width * (sizeof(int32_t) + codes);
}

int64_t ConvWeights::bytes() const {
  int64_t panels = isDepthwise ? 1 : paddedOutputs() / kPanelOutputs;
  return panels * panelBytes();
}

/// Writes the weight of a depthwise convolution's tap and output.
static void packTap(const ConvWeights &w, int8_t value, int64_t tap,
                    int64_t output, uint8_t *out) {
  int64_t width = w.paddedOutputs();
  uint8_t *codes = out + width * sizeof(int32_t);
  int64_t place = (tap / 2 * width + output) * 2 + tap % 2;
  support::endian::write16le(codes + place * sizeof(int16_t), value);
}

void ConvWeights::pack(ArrayRef<uint8_t> source,
                       MutableArrayRef<uint8_t> out) const {
  std::fill(out.begin(), out.end(), 0);
  int64_t width = isDepthwise ? paddedOutputs() : kPanelOutputs;
  int64_t headBytes = isInt8 ? width * sizeof(int32_t) : 0;
  for (int64_t output = 0; output < outputs; ++output) {
    uint8_t *panel = out.data() + output / width * panelBytes();
    int64_t lane = output % width;
    int32_t sum = 0;
    for (int64_t channel = 0; channel < channels; ++channel)
      for (int64_t tap = 0; tap < taps; ++tap) {
        int64_t from = (output * channels + channel) * taps + tap;
        int64_t k = tap * paddedChannels() + channel;
        if (!isInt8) {
          std::memcpy(panel + (k * width + lane) * sizeof(float),
                      source.data() + from * sizeof(float), sizeof(float));
          continue;
        }
        int8_t value = int8_t(source[from]);
        sum += value;
        if (isDepthwise)
          packTap(*this, value, tap, lane, panel);
        else
          panel[headBytes + (k / kStepColumns * width + lane) * kStepColumns +
                k % kStepColumns] = uint8_t(value);
      }
    if (isInt8)
      support::endian::write32le(panel + lane * sizeof(int32_t), sum);
  }
}

} // namespace llmopt
