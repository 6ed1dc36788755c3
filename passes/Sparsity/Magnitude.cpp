//===- Magnitude.cpp - Pruning by magnitude ---------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Sparsity/Magnitude.h"
#include <algorithm>
#include <cstring>
#include <vector>

using namespace llvm;

/// The magnitude as an integer: ordered like |w|, and total even with NaN.
static uint32_t magnitudeBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits & 0x7fffffff;
}

int64_t llmopt::prunedCount(double ratio, int64_t count) {
  // A ratio with a decimal point is off by at most half a unit in the last
  // place; the factor adds a few units, far less than one weight.
  double product = ratio * static_cast<double>(count) * (1 + 1e-15);
  return std::clamp<int64_t>(static_cast<int64_t>(product), 0, count);
}

static void pruneSmallest(MutableArrayRef<float> weights, int64_t count) {
  if (count == 0)
    return;
  std::vector<uint32_t> magnitudes(weights.size());
  std::transform(weights.begin(), weights.end(), magnitudes.begin(),
                 magnitudeBits);
  auto last = magnitudes.begin() + (count - 1);
  std::nth_element(magnitudes.begin(), last, magnitudes.end());
  uint32_t threshold = *last;
  // After the selection, everything before `last` is at most the threshold.
  int64_t ties =
      count - std::count_if(magnitudes.begin(), last, [&](uint32_t magnitude) {
        return magnitude < threshold;
      });
  for (float &weight : weights) {
    uint32_t magnitude = magnitudeBits(weight);
    if (magnitude < threshold || (magnitude == threshold && ties-- > 0))
      weight = 0.0f;
  }
}

void llmopt::pruneByMagnitude(MutableArrayRef<float> weights, double ratio) {
  pruneSmallest(weights, prunedCount(ratio, weights.size()));
}

void llmopt::pruneGroupsByMagnitude(MutableArrayRef<float> weights,
                                    int64_t columns, int64_t zeros,
                                    int64_t of) {
  for (size_t row = 0; row < weights.size(); row += columns)
    for (int64_t k = 0; k < columns; k += of) {
      int64_t size = std::min(of, columns - k);
      pruneSmallest(weights.slice(row + k, size), zeros * size / of);
    }
}
