//===- Hadamard.h - Rotations that spread outliers --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_HADAMARD_H
#define LLMOPT_PASSES_CALIBRATION_HADAMARD_H

#include "passes/Calibration/Matrix.h"
#include <optional>

namespace llmopt {

/// A Hadamard matrix of this order: entries 1 and -1, H * H^T = order * I. By
/// doubling (Sylvester) from orders that Paley's constructions have for primes:
/// 12, 20, 24, 28, 36, 44, 60, ... None for an order that is not reached so.
std::optional<MatrixF> hadamardMatrix(int64_t order);

/// An orthogonal matrix for the residual stream or a head (Ashkboos et al.,
/// "QuaRot", 2024): a Hadamard matrix with random signs of its columns, divided
/// by sqrt(order); for orders without one, the orthogonal factor of a random
/// matrix. The same for the same seed. Rotating activations x to x Q and
/// weights W to W Q leaves W x as it is and spreads outliers over all columns.
MatrixF rotationMatrix(int64_t order, uint64_t seed);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_HADAMARD_H
