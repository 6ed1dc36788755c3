//===- Wanda.h - Pruning by weights and activations -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_WANDA_H
#define LLMOPT_PASSES_CALIBRATION_WANDA_H

#include "passes/Calibration/Matrix.h"

namespace llmopt {

/// Scores of weights [N, K]: |w| * ||x||, with the norm of each input over all
/// tokens (Sun et al., "A Simple and Effective Pruning Approach for Large
/// Language Models", 2024). With a SparsityPattern per row, or n:m, keepLargest
/// of them is Wanda. Scores of one matrix compare across rows as well.
MatrixF wandaScores(const MatrixF &weights, const VectorD &sumOfSquares);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_WANDA_H
