//===- Owl.h - Sparsity of each block ---------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_OWL_H
#define LLMOPT_PASSES_CALIBRATION_OWL_H

#include "passes/Calibration/Matrix.h"
#include "llvm/ADT/ArrayRef.h"
#include <vector>

namespace llmopt {

/// Outliers of a block (Yin et al., "Outlier Weighed Layerwise Sparsity",
/// 2024): how many of the Wanda scores of all its matrices are greater than
/// `times` their mean, in percent.
double outlierPercentage(llvm::ArrayRef<MatrixF> scores, double times = 5);

/// The sparsity of each block: blocks with more outliers keep more, up to
/// 2 * `spread` between the extremes, and the mean over the blocks is `ratio`
/// (before each is held in [0, 0.99]). Equal outliers, or a spread of 0, give
/// equal sparsity.
std::vector<double> allocateSparsity(llvm::ArrayRef<double> outliers,
                                     double ratio, double spread = 0.08);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_OWL_H
