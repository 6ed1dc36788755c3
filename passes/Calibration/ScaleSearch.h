//===- ScaleSearch.h - Scales of channels before rounding -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_SCALESEARCH_H
#define LLMOPT_PASSES_CALIBRATION_SCALESEARCH_H

#include "passes/Calibration/Grid.h"
#include "passes/Calibration/LayerStatistics.h"

namespace llmopt {

/// SmoothQuant's factors (Xiao et al., 2023), one per input: greatest |x|^alpha
/// / greatest |w|^(1 - alpha), each taken as at least 1e-5. Inputs are divided
/// by them (in the norm before), columns of all weights that read the input
/// multiplied. greatestWeights: per input, over all of these weights.
VectorF smoothingFactors(const VectorF &greatestInputs,
                         const VectorF &greatestWeights, double alpha);

/// The greatest magnitude of each column over several matrices [N_i, K].
VectorF greatestOfColumns(llvm::ArrayRef<const MatrixF *> weights);

/// Inputs that come from heads which are repeated (grouped queries): input
/// h * size + i of every head h that repeats the same one has the same scale,
/// as it is divided in the one row that all of them come from.
struct RepeatedHeads {
  int64_t size = 0;
  int64_t repeats = 1;
};

struct AwqScales {
  /// One per input: columns of the weights are multiplied, inputs divided.
  VectorF scales;
  /// Power of mean|x| that was best; 0 means that all scales are 1.
  double power = 0;
  /// tr((W' - W) H (W' - W)^T) summed over the matrices, for power 0 and for
  /// the best.
  double errorBefore = 0, errorAfter = 0;
};

/// Activation-aware scales (Lin et al., "AWQ", 2024): the best of s = mean|x|^r
/// / sqrt(max s * min s), r = 0, 1/steps, ..., by the error of rounding W * s
/// to nearest. The reference measures the output of the whole module that reads
/// the weights; here it is the outputs of the products, for which H is enough.
AwqScales searchAwqScales(llvm::ArrayRef<const MatrixF *> weights,
                          const LayerStatistics &statistics, const Grid &grid,
                          const RepeatedHeads &heads,
                          const ParallelFor &parallel, int steps = 20);

/// AWQ's clipping: limits the weights of each row and group to the part of
/// their greatest magnitude, 1, 19/20, ... 11/20, for which rounding to nearest
/// has the least error of the group's share of the output, (w' - w)^T H_gg (w'
/// - w). Returns the clipped weights. Not for queries and keys, as the
/// reference has it.
MatrixF clipWeights(const MatrixF &weights, const MatrixF &hessian,
                    const Grid &grid, const ParallelFor &parallel);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_SCALESEARCH_H
