//===- Prediction.cpp - Sums over predicted tokens --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-eval/Prediction.h"

#include <algorithm>
#include <cmath>

namespace llmopt::tools {

/// log(sum(exp(logits))).
static double logSum(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits)
    sum += std::exp(logit - largest);
  return largest + std::log(sum);
}

static size_t best(std::span<const float> logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) -
                             logits.begin());
}

void Prediction::add(std::span<const float> logits, int32_t target) {
  loss += logSum(logits) - logits[static_cast<size_t>(target)];
  ++count;
}

void Prediction::add(std::span<const float> logits,
                     std::span<const float> reference, int32_t target) {
  const double sum = logSum(logits), referenceSum = logSum(reference);
  for (size_t i = 0; i < logits.size(); ++i) {
    const double expected = reference[i] - referenceSum;
    divergence += std::exp(expected) * (expected - (logits[i] - sum));
  }
  loss += sum - logits[static_cast<size_t>(target)];
  referenceLoss += referenceSum - reference[static_cast<size_t>(target)];
  sameBest += best(logits) == best(reference);
  ++count;
}

} // namespace llmopt::tools
