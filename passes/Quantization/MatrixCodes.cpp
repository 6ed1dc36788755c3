//===- MatrixCodes.cpp - Codes of a matrix ----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/MatrixCodes.h"
#include "target/PackedFormat.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

using namespace llmopt;
using namespace llvm;

int64_t CodeScheme::groups(int64_t columns) const {
  return group ? divideCeil(columns, group) : 1;
}

int CodeScheme::least() const {
  if (zeroPoints || !table.empty())
    return 0;
  return bits == 8 ? -127 : -(1 << (bits - 1));
}

int CodeScheme::most() const {
  if (zeroPoints || !table.empty())
    return (1 << bits) - 1;
  return (1 << (bits - 1)) - 1;
}

/// Rounds |value| < 2^22 to the nearest integer, ties to even: the sum has no
/// bits below one. Unlike std::nearbyint it is vectorised for every CPU.
static float roundToInteger(float value) {
  constexpr float magic = 0x1.8p23f;
  return (value + magic) - magic;
}

static float largestMagnitude(ArrayRef<float> values) {
  float largest = 0;
  for (float value : values)
    largest = std::max(largest, std::fabs(value));
  return largest;
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

GroupScale llmopt::fitGroup(ArrayRef<float> weights, const CodeScheme &scheme) {
  float low = 0, range = 0;
  if (scheme.zeroPoints) {
    float high = 0;
    for (float weight : weights) {
      low = std::min(low, weight);
      high = std::max(high, weight);
    }
    range = high / scheme.most() - low / scheme.most();
  } else {
    range =
        largestMagnitude(weights) /
        (scheme.table.empty() ? scheme.most() : largestMagnitude(scheme.table));
  }
  GroupScale group;
  group.scale = scheme.halfScales ? fromHalf(toHalf(range)) : range;
  if (group.scale < std::numeric_limits<float>::min())
    group.scale = 0;
  if (scheme.zeroPoints && group.scale > 0)
    group.zeroPoint = static_cast<int>(std::clamp(
        roundToInteger(-low / group.scale), 0.0f, float(scheme.most())));
  return group;
}

/// Indices of the nearest entries of a table, entry by entry, so that the loop
/// over the weights is vectorised.
static void findEntries(ArrayRef<float> weights, float scale,
                        ArrayRef<float> table, MutableArrayRef<int8_t> codes) {
  constexpr size_t width = 64;
  for (size_t first = 0; first < weights.size(); first += width) {
    size_t count = std::min(width, weights.size() - first);
    float value[width] = {}, nearest[width];
    int index[width] = {};
    for (size_t i = 0; i < count; ++i)
      value[i] = weights[first + i] / scale;
    for (size_t i = 0; i < width; ++i)
      nearest[i] = std::fabs(value[i] - table[0]);
    for (size_t entry = 1; entry < table.size(); ++entry)
      for (size_t i = 0; i < width; ++i) {
        float distance = std::fabs(value[i] - table[entry]);
        index[i] = distance < nearest[i] ? int(entry) : index[i];
        nearest[i] = std::min(nearest[i], distance);
      }
    for (size_t i = 0; i < count; ++i)
      codes[first + i] = static_cast<int8_t>(index[i]);
  }
}

/// The code of zero, if the scheme has one.
static int8_t codeOfZero(const CodeScheme &scheme) {
  auto found = llvm::find(scheme.table, 0.0f);
  return found == scheme.table.end() ? 0 : found - scheme.table.begin();
}

void llmopt::encodeGroup(ArrayRef<float> weights, const GroupScale &group,
                         const CodeScheme &scheme,
                         MutableArrayRef<int8_t> codes) {
  assert(codes.size() == weights.size() && "sizes disagree");
  if (group.scale == 0)
    return std::fill(codes.begin(), codes.end(), codeOfZero(scheme));
  if (!scheme.table.empty())
    return findEntries(weights, group.scale, scheme.table, codes);
  float least = scheme.least() - group.zeroPoint,
        most = scheme.most() - group.zeroPoint;
  for (size_t i = 0; i < weights.size(); ++i) {
    // The clamp also keeps the quotient within what can be rounded.
    float code = std::clamp(weights[i] / group.scale, least, most);
    codes[i] = static_cast<int8_t>(int(roundToInteger(code)) + group.zeroPoint);
  }
}

int8_t llmopt::encodeWeight(float weight, const GroupScale &group,
                            const CodeScheme &scheme) {
  int8_t code;
  encodeGroup(weight, group, scheme, code);
  return code;
}

float llmopt::decodeWeight(int8_t code, const GroupScale &group,
                           const CodeScheme &scheme) {
  if (!scheme.table.empty())
    return scheme.table[code] * group.scale;
  return float(code - group.zeroPoint) * group.scale;
}

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

/// Calls visit(first, last, group) for the elements of every group.
template <typename Visit>
static void forEachGroup(int64_t rows, int64_t columns,
                         const CodeScheme &scheme, Visit visit) {
  int64_t width = scheme.group ? scheme.group : columns, group = 0;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t k = 0; k < columns; k += width)
      visit(row * columns + k, row * columns + std::min(k + width, columns),
            group++);
}

MatrixCodes llmopt::quantizeMatrix(ArrayRef<float> weights, int64_t columns,
                                   const CodeScheme &scheme) {
  int64_t rows = columns ? weights.size() / columns : 0;
  assert(rows * columns == int64_t(weights.size()) && "sizes disagree");
  int64_t groups = rows * scheme.groups(columns);
  MatrixCodes result;
  result.columns = columns;
  result.codes.resize(weights.size());
  result.scales.resize(groups);
  result.zeroPoints.resize(scheme.zeroPoints ? groups : 0);
  MutableArrayRef<int8_t> codes(result.codes);
  forEachGroup(
      rows, columns, scheme, [&](int64_t first, int64_t last, int64_t index) {
        ArrayRef<float> values = weights.slice(first, last - first);
        GroupScale group = fitGroup(values, scheme);
        encodeGroup(values, group, scheme, codes.slice(first, last - first));
        result.scales[index] = group.scale;
        if (scheme.zeroPoints)
          result.zeroPoints[index] = int8_t(group.zeroPoint);
      });
  return result;
}

std::vector<float> llmopt::dequantizeMatrix(const MatrixCodes &matrix,
                                            const CodeScheme &scheme) {
  std::vector<float> weights(matrix.codes.size());
  forEachGroup(matrix.rows(), matrix.columns, scheme,
               [&](int64_t first, int64_t last, int64_t index) {
                 GroupScale group;
                 group.scale = matrix.scales[index];
                 if (scheme.zeroPoints)
                   group.zeroPoint = matrix.zeroPoints[index];
                 for (int64_t i = first; i < last; ++i)
                   weights[i] = decodeWeight(matrix.codes[i], group, scheme);
               });
  return weights;
}
