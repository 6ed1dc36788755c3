//===- Surgeon.h - GPTQ and SparseGPT in one pass ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_SURGEON_H
#define LLMOPT_PASSES_CALIBRATION_SURGEON_H

#include "passes/Calibration/Factor.h"
#include "passes/Calibration/Grid.h"
#include "passes/Calibration/Pattern.h"

namespace llmopt {

/// What the pass makes of the weights, column by column.
struct SurgeonOptions {
  /// Zeros that the pass chooses itself, block by block, by the error that each
  /// makes after all columns before it have been compensated.
  SparsityPattern pattern;
  /// Zeros that were chosen before, instead of a pattern.
  const Mask *mask = nullptr;
  /// Values of the weights that are kept.
  Grid grid;
  /// Columns after which the rest of the matrix is updated. Unstructured zeros
  /// are evenly spread over blocks, as in the reference.
  int64_t block = 128;
  /// Scales are fitted to the original weights of a group, not to those that
  /// the columns before it have changed. Always so where the factor has an
  /// order of its own.
  bool staticScales = false;
};

/// Weights that were changed, with the mask of what is kept (empty if nothing
/// was pruned) and the codes (empty for floats).
struct Solution {
  MatrixF weights;
  Mask mask;
  QuantizedMatrix quantized;
};

/// Optimal brain surgery of all rows at once: GPTQ (Frantar et al., 2023) where
/// only a grid is given, SparseGPT (Frantar and Alistarh, 2023) where zeros are
/// wanted, and both jointly. Columns are rounded or zeroed one after the other,
/// and the columns after each take over its error, so that
/// tr((W' - W) H (W' - W)^T) stays small.
///
/// Differs from the reference code: as many weights are pruned as the pattern
/// says (there: one more per block); fresh scales see updates of their own
/// block; weights of the group that are known to be pruned do not count for its
/// scale.
///
/// weights: [N, K]; factor: of the H [K, K] of their inputs.
Solution solveSurgeon(const MatrixF &weights, const HessianFactor &factor,
                      const SurgeonOptions &options,
                      const ParallelFor &parallel);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_SURGEON_H
