//===- Sampler.hpp - Choice of the next token -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Header-only, as Runtime.hpp is; needs no library.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_SAMPLER_HPP
#define LLMOPT_SAMPLER_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace llmopt {

namespace detail {
/// Makes a NaN the least likely: it has no place in an order, and sorting with
/// it is undefined.
inline float orderable(float logit) {
  return std::isnan(logit) ? -std::numeric_limits<float>::infinity() : logit;
}

/// The first of the largest.
inline int32_t mostLikely(std::span<const float> logits) {
  const auto isLess = [](float a, float b) {
    return orderable(a) < orderable(b);
  };
  return static_cast<int32_t>(
      std::max_element(logits.begin(), logits.end(), isLess) - logits.begin());
}
} // namespace detail

/// How tokens are drawn. Equal settings and logits give equal tokens
/// everywhere.
struct SamplerSettings {
  double temperature = 0; ///< 0: always the most likely token
  uint32_t topK = 0;      ///< draw from the K most likely only; 0: from all
  double topP = 1; ///< then from the fewest whose probabilities reach this sum
  uint64_t seed = 0;
};

/// Draws tokens from logits.
class Sampler {
public:
  explicit Sampler(const SamplerSettings &settings)
      : settings(settings), random(settings.seed) {}

  /// The next token after the one whose logits [vocabulary] are given.
  int32_t sample(std::span<const float> logits);

private:
  struct Candidate {
    int32_t token;
    float logit;
    double probability;
  };

  SamplerSettings settings;
  std::mt19937_64 random;
  std::vector<Candidate> candidates;
};

inline int32_t Sampler::sample(std::span<const float> logits) {
  if (settings.temperature <= 0)
    return detail::mostLikely(logits);
  candidates.clear();
  for (size_t i = 0; i < logits.size(); ++i)
    candidates.push_back(
        {static_cast<int32_t>(i), detail::orderable(logits[i]), 0});
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

} // namespace llmopt

#endif // LLMOPT_SAMPLER_HPP
