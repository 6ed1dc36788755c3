//===- NormMatch.h - Normalisations that are written out --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_NORMMATCH_H
#define LLMOPT_PASSES_IMPORT_NORMMATCH_H

#include "dialects/ONNX/ONNXOps.h"
#include <optional>

namespace llmopt {

/// gamma * input / sqrt(mean(input * input) + epsilon) over the last dimension.
struct NormMatch {
  mlir::Value input, gamma;
  float epsilon = 0;
};

/// The epsilon when `value` is x / sqrt(mean(x * x) + epsilon) over the last
/// dimension, written out; sets `input` to x.
std::optional<float> matchRootMeanSquare(mlir::Value value, mlir::Value &input);

/// The normalisation that `value` is the result of, an operator or written
/// out.
std::optional<NormMatch> matchNorm(mlir::Value value);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_NORMMATCH_H
