//===- Options.h - What quantization may be asked for -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_OPTIONS_H
#define LLMOPT_PASSES_QUANTIZATION_OPTIONS_H

#include <cstdint>

namespace llmopt {

/// Encodings that weights may be quantized to.
enum class WeightQuantization { None, Int8, Int4, Int3, Int2, NF4 };

/// Activations of products with integer weights.
enum class ActivationQuantization { None, Dynamic };

/// Columns of the activations that share a scale unless asked otherwise;
/// docs/Compression.md has the measurements behind it.
inline constexpr int64_t kActivationGroup = 64;

/// Columns that share a scale of weights unless asked otherwise; 0: all.
constexpr int64_t defaultGroup(WeightQuantization quantization) {
  switch (quantization) {
  case WeightQuantization::None:
  case WeightQuantization::Int8:
    return 0;
  case WeightQuantization::Int4:
  case WeightQuantization::Int3:
  case WeightQuantization::Int2:
    return 32;
  case WeightQuantization::NF4:
    return 64;
  }
  return 0;
}

/// Whether an encoding may have zero points.
constexpr bool takesZeroPoints(WeightQuantization quantization) {
  return quantization == WeightQuantization::Int4 ||
         quantization == WeightQuantization::Int3 ||
         quantization == WeightQuantization::Int2;
}

/// The activation group of products with weights of a group (0: whole rows):
/// the largest multiple of 32 up to kActivationGroup that divides it.
constexpr int64_t defaultActivationGroup(int64_t weightGroup) {
  int64_t group = kActivationGroup;
  while (weightGroup % group != 0)
    group -= 32;
  return group;
}

} // namespace llmopt

#endif // LLMOPT_PASSES_QUANTIZATION_OPTIONS_H
