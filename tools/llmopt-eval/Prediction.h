//===- Prediction.h - Sums over predicted tokens ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_EVAL_PREDICTION_H
#define LLMOPT_TOOLS_LLMOPT_EVAL_PREDICTION_H

#include <cstdint>
#include <span>

namespace llmopt::tools {

/// How well logits predict tokens, summed over tokens in double precision.
/// Logarithms are natural.
struct Prediction {
  uint64_t count = 0;
  double loss = 0; ///< -log(probability of the target)
  // Against a reference:
  double referenceLoss = 0;
  double divergence = 0; ///< KL(reference || model)
  uint64_t sameBest = 0; ///< both have the same most likely token

  /// Adds a row of logits [vocabulary].
  void add(std::span<const float> logits, int32_t target);
  /// The same beside the row of a reference model.
  void add(std::span<const float> logits, std::span<const float> reference,
           int32_t target);
};

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_LLMOPT_EVAL_PREDICTION_H
