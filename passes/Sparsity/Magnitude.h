//===- Magnitude.h - Pruning by magnitude -----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_SPARSITY_MAGNITUDE_H
#define LLMOPT_PASSES_SPARSITY_MAGNITUDE_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace llmopt {

/// Number of weights that a ratio in [0, 1] of `count` weights stands for: the
/// product, rounded down. Products that miss a whole number by rounding alone
/// (0.29 * 100) count as it.
int64_t prunedCount(double ratio, int64_t count);

/// Sets the prunedCount(ratio, weights.size()) weights of smallest magnitude to
/// zero (Han et al., 2015). Weights that are zero already are the first of
/// them. Of equal magnitudes the lower index goes first; NaN counts as largest.
void pruneByMagnitude(llvm::MutableArrayRef<float> weights, double ratio);

/// Sets `zeros` of every `of` consecutive columns of a row to zero, those of
/// smallest magnitude; of the rest at the end of a row, as many as that
/// fraction stands for, rounded down. Ties and NaN as above.
void pruneGroupsByMagnitude(llvm::MutableArrayRef<float> weights,
                            int64_t columns, int64_t zeros, int64_t of);

} // namespace llmopt

#endif // LLMOPT_PASSES_SPARSITY_MAGNITUDE_H
