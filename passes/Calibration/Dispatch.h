//===- Dispatch.h - The instruction set of the solvers ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_DISPATCH_H
#define LLMOPT_PASSES_CALIBRATION_DISPATCH_H

#include "passes/Calibration/ProductKernels.h"

namespace llmopt {

/// The kernels for this machine.
const ProductKernels &getProductKernels();

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_DISPATCH_H
