//===- WeightError.cpp - What encoding does to a weight ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/WeightError.h"
#include <algorithm>
#include <cassert>
#include <cmath>

using namespace llvm;

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
