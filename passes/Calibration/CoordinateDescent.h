//===- CoordinateDescent.h - Refinement of rounded weights ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_COORDINATEDESCENT_H
#define LLMOPT_PASSES_CALIBRATION_COORDINATEDESCENT_H

#include "passes/Calibration/Grid.h"

namespace llmopt {

/// Cyclic coordinate descent over the codes of quantized weights (Behdin et
/// al., "QuantEase", 2023): each code in turn becomes the best one for all
/// others as they are, so that tr((W' - W) H (W' - W)^T) never grows. Weights
/// that the mask (if not empty) prunes stay zero; scales stay, unless
/// `refitScales` asks for the best scale of each group, for its codes, between
/// two sweeps.
///
/// GPTQ rounds a column before it knows what the columns after it become; this
/// is what makes up for it. hessian [K, K] is damped already. `weights` are the
/// wanted weights [N, K]; `quantized` is read and improved. Returns the decoded
/// weights.
struct DescentOptions {
  int sweeps = 4;
  bool refitScales = false;
};
MatrixF refineCodes(const Grid &grid, const MatrixF &weights,
                    const MatrixF &hessian, const Mask &mask,
                    const DescentOptions &options, QuantizedMatrix &quantized,
                    const ParallelFor &parallel);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_COORDINATEDESCENT_H
