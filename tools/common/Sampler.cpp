//===- Sampler.cpp - Choice of the next token -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/common/Sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace llmopt::tools {

/// Makes a NaN the least likely: it has no place in an order, and sorting with
/// it is undefined.
static float orderable(float logit) {
  return std::isnan(logit) ? -std::numeric_limits<float>::infinity() : logit;
}

int32_t Sampler::sample(std::span<const float> logits) {
  if (settings.temperature <= 0)
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end(),
                                                 [](float a, float b) {
                                                   return orderable(a) <
                                                          orderable(b);
                                                 }) -
                                logits.begin());
  candidates.clear();
  for (size_t i = 0; i < logits.size(); ++i)
    candidates.push_back({static_cast<int32_t>(i), orderable(logits[i]), 0});
  const auto isMoreLikely = [](const Candidate &a, const Candidate &b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  if (settings.topK && settings.topK < candidates.size()) {
    std::partial_sort(candidates.begin(), candidates.begin() + settings.topK,
                      candidates.end(), isMoreLikely);
    candidates.resize(settings.topK);
  } else {
    std::sort(candidates.begin(), candidates.end(), isMoreLikely);
  }

  double sum = 0;
  for (Candidate &candidate : candidates) {
    candidate.probability = std::exp(
        (double{candidate.logit} - candidates[0].logit) / settings.temperature);
    sum += candidate.probability;
  }
  double kept = 0;
  size_t count = 0;
  while (count < candidates.size() &&
         (count == 0 || kept < settings.topP * sum))
    kept += candidates[count++].probability;

  constexpr double kUnit = 1.0 / (uint64_t{1} << 53);
  double point = static_cast<double>(random() >> 11) * kUnit * kept;
  for (size_t i = 0; i + 1 < count; ++i) {
    point -= candidates[i].probability;
    if (point < 0)
      return candidates[i].token;
  }
  return candidates[count - 1].token;
}

} // namespace llmopt::tools
