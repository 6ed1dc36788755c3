//===- ActivationMatch.h - Functions of one number --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_ACTIVATIONMATCH_H
#define LLMOPT_PASSES_IMPORT_ACTIVATIONMATCH_H

#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/ONNX/ONNXOps.h"
#include <optional>

namespace llmopt {

/// An activation function of a tensor.
struct ActivationMatch {
  Activation activation;
  mlir::Value input;
};

/// Recognises an activation function, an operator or a composition of a few
/// elementwise nodes of one tensor and constants, in any form: exporters write
/// GELU in many. The composition is computed at points that are dense beside
/// the scale of the functions; compositions of so few analytic functions that
/// agree there within the rounding of float32 are one function.
std::optional<ActivationMatch> matchActivation(mlir::Value value);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_ACTIVATIONMATCH_H
