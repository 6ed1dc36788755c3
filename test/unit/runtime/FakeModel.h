//===- FakeModel.h - A model small enough to be checked by hand -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Shared by FakeModel.cpp, which computes it through the model ABI, and by the
// tests, which compute it directly. Every value is a small integer, so that
// sums are exact in any order.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TEST_UNIT_RUNTIME_FAKEMODEL_H
#define LLMOPT_TEST_UNIT_RUNTIME_FAKEMODEL_H

#include "llmopt/ModelABI.h"

namespace fake {

constexpr uint32_t kLayers = 2, kKVHeads = 2, kHeadDim = 4, kVocabulary = 24;
constexpr uint32_t kMaxPositions = 1024, kMaxSequence = 400, kMaxBatch = 4;
constexpr uint8_t kBuildId[LLMOPT_BUILD_ID_BYTES] = {1, 2, 3, 4};
/// Weights: one float per entry of the vocabulary, as a weight named "head".
constexpr uint64_t kWeightsBytes = kVocabulary * sizeof(float);

constexpr float weightAt(uint32_t entry) {
  return static_cast<float>(entry % 5 + 1);
}

constexpr float keyAt(int64_t token, int32_t position, uint32_t layer,
                      uint32_t head, uint32_t d) {
  return static_cast<float>((token * 3 + position + layer * 2 + head + d) % 7);
}

constexpr float valueAt(int64_t token, int32_t position, uint32_t layer,
                        uint32_t head, uint32_t d) {
  return static_cast<float>((token + position * 2 + layer + head * 3 + d * 2) %
                            5);
}

/// What a query of `layer` sees of a key and its value.
constexpr float mix(const float key, const float value, uint32_t layer) {
  return key * static_cast<float>(layer + 1) + value;
}

constexpr float logitAt(float hidden, int64_t token, int32_t position,
                        uint32_t entry) {
  return weightAt(entry) * (hidden + static_cast<float>(position)) +
         static_cast<float>(entry == static_cast<uint32_t>(token) ? 1 : 0);
}

} // namespace fake

#endif // LLMOPT_TEST_UNIT_RUNTIME_FAKEMODEL_H
