//===- WeightError.h - What encoding does to a weight -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_WEIGHTERROR_H
#define LLMOPT_PASSES_QUANTIZATION_WEIGHTERROR_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <optional>

namespace llmopt {

/// Index of the first weight that is NaN or infinite.
std::optional<int64_t> findNotFinite(llvm::ArrayRef<float> weights);

/// Relative Frobenius error ||changed - original|| / ||original||; 0 where the
/// original is all zero and equal, infinity where it is all zero and differs.
double relativeError(llvm::ArrayRef<float> original,
                     llvm::ArrayRef<float> changed);

} // namespace llmopt

#endif // LLMOPT_PASSES_QUANTIZATION_WEIGHTERROR_H
