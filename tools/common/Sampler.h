//===- Sampler.h - Choice of the next token ---------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_COMMON_SAMPLER_H
#define LLMOPT_TOOLS_COMMON_SAMPLER_H

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace llmopt::tools {

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

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_COMMON_SAMPLER_H
