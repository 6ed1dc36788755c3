//===- Wanda.cpp - Pruning by weights and activations -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Wanda.h"
#include <cassert>

using namespace llmopt;

MatrixF llmopt::wandaScores(const MatrixF &weights,
                            const VectorD &sumOfSquares) {
  assert(weights.cols() == sumOfSquares.size() && "columns disagree");
  VectorF norms = sumOfSquares.array().sqrt().cast<float>();
  return weights.cwiseAbs() * norms.asDiagonal();
}
