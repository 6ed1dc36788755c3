//===- Dsnot.h - Swaps of pruned and kept weights ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_DSNOT_H
#define LLMOPT_PASSES_CALIBRATION_DSNOT_H

#include "passes/Calibration/LayerStatistics.h"
#include "passes/Calibration/Pattern.h"

namespace llmopt {

struct DsnotOptions {
  /// Groups of the pattern in which a swap has to stay, if it has any.
  SparsityPattern pattern;
  /// Swaps per row at most.
  int cycles = 50;
  /// A row is done when the mean of its output is off by no more.
  double tolerance = 0.1;
};

/// Dynamic sparse no training (Zhang et al., 2024): brings weights back and
/// prunes others in their place, one pair at a time, so that the expected
/// output of each row, sum of w * mean(x), comes closer to that of the whole
/// row. Comes back: the pruned weight with the greatest w * mean(x) / var(x) in
/// the direction of the error. Goes: the kept weight of least Wanda score whose
/// absence does not add to the error. A row ends when it is within the
/// tolerance, when the error changes its sign (that swap is not done) or when
/// no pair is left. The number of zeros of each row stays.
///
/// weights: [N, K], not pruned. Changes nothing but the mask.
void refineMask(const MatrixF &weights, const LayerStatistics &statistics,
                const DsnotOptions &options, Mask &mask,
                const ParallelFor &parallel);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_DSNOT_H
