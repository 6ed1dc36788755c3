//===- Pattern.h - Which weights become zero --------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_PATTERN_H
#define LLMOPT_PASSES_CALIBRATION_PATTERN_H

#include "passes/Calibration/Matrix.h"
#include <vector>

namespace llmopt {

/// How many weights of a matrix become zero, and where.
struct SparsityPattern {
  /// Fraction of zeros; the number of zeros is rounded down.
  double ratio = 0;
  /// If not 0: of every `of` consecutive columns of a row (from column 0; the
  /// rest at the end of the row rounds down), `zeros` become zero, and ratio
  /// counts for nothing.
  int zeros = 0, of = 0;
  /// The fraction holds for each row instead of the whole matrix.
  bool perRow = false;
  /// Or for each of these consecutive parts of the rows; empty: the matrix is
  /// one.
  std::vector<int64_t> parts = {};

  bool isDense() const { return of == 0 ? ratio <= 0 : zeros == 0; }
};

/// The mask that keeps the weights of greatest score and prunes as many as the
/// pattern says. Scores are compared by magnitude; of equal scores the lower
/// index is pruned first; NaN counts as largest.
Mask keepLargest(Eigen::Ref<const MatrixF> scores,
                 const SparsityPattern &pattern, const ParallelFor &parallel);

/// The same into a mask of the right shape.
void keepLargest(Eigen::Ref<const MatrixF> scores,
                 const SparsityPattern &pattern, Eigen::Ref<Mask> mask,
                 const ParallelFor &parallel);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_PATTERN_H
