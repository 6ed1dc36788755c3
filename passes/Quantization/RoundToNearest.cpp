//===- RoundToNearest.cpp - Int8 weights by rounding ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/RoundToNearest.h"
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

using namespace llvm;

/// Rounds |value| < 2^22 to the nearest integer, ties to even: the sum has no
/// bits below one. Unlike std::nearbyint it is vectorised for every CPU.
static float roundToInteger(float value) {
  constexpr float magic = 0x1.8p23f;
  return (value + magic) - magic;
}

static float maximumMagnitude(ArrayRef<float> row) {
  float maximum = 0;
  for (float weight : row)
    maximum = std::max(maximum, std::fabs(weight));
  return maximum;
}

void llmopt::quantizeRowsInt8(ArrayRef<float> weights, int64_t columns,
                              MutableArrayRef<int8_t> codes,
                              MutableArrayRef<float> scales) {
  assert(codes.size() == weights.size() &&
         scales.size() * columns == weights.size() && "sizes disagree");
  for (size_t r = 0; r < scales.size(); ++r) {
    ArrayRef<float> row = weights.slice(r * columns, columns);
    MutableArrayRef<int8_t> out = codes.slice(r * columns, columns);
    float scale = maximumMagnitude(row) / 127;
    if (scale < std::numeric_limits<float>::min()) {
      scales[r] = 0;
      std::fill(out.begin(), out.end(), 0);
      continue;
    }
    scales[r] = scale;
    // At most max|w| / scale, which rounds to 127 even where the division is
    // inexact.
    for (int64_t k = 0; k < columns; ++k)
      out[k] = static_cast<int8_t>(roundToInteger(row[k] / scale));
  }
}

std::optional<int64_t> llmopt::findNotFinite(ArrayRef<float> weights) {
  const float *found = std::find_if_not(
      weights.begin(), weights.end(), [](float w) { return std::isfinite(w); });
  if (found == weights.end())
    return std::nullopt;
  return found - weights.begin();
}

/// sqrt(difference / original), both sums of squares.
static double relativeNorm(double difference, double original) {
  if (difference == 0)
    return 0;
  return std::sqrt(difference / original);
}

double llmopt::relativeError(ArrayRef<float> original, ArrayRef<int8_t> codes,
                             ArrayRef<float> scales) {
  assert(original.size() == codes.size() && "sizes disagree");
  int64_t columns = scales.empty() ? 0 : codes.size() / scales.size();
  double difference = 0, norm = 0;
  for (size_t r = 0; r < scales.size(); ++r)
    for (int64_t k = r * columns, end = k + columns; k < end; ++k) {
      double decoded = static_cast<double>(scales[r]) * codes[k];
      difference += (decoded - original[k]) * (decoded - original[k]);
      norm += static_cast<double>(original[k]) * original[k];
    }
  return relativeNorm(difference, norm);
}

double llmopt::relativeError(ArrayRef<float> original,
                             ArrayRef<float> changed) {
  assert(original.size() == changed.size() && "sizes disagree");
  double difference = 0, norm = 0;
  for (size_t i = 0; i < original.size(); ++i) {
    double delta = static_cast<double>(changed[i]) - original[i];
    difference += delta * delta;
    norm += static_cast<double>(original[i]) * original[i];
  }
  return relativeNorm(difference, norm);
}
