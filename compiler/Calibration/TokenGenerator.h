//===- TokenGenerator.h - Samples that a model makes itself -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CALIBRATION_TOKENGENERATOR_H
#define LLMOPT_COMPILER_CALIBRATION_TOKENGENERATOR_H

#include "compiler/Calibration/CodeRunner.h"
#include "compiler/Calibration/PartCode.h"
#include "compiler/Calibration/Samples.h"
#include "mlir/Support/LLVM.h"

namespace llmopt {

/// Lets an imported decoder write `request.count` samples: the first token is
/// drawn from the vocabulary, every other from what the model predicts. The
/// model computes with int8 weights and activations, whose predictions are
/// close enough to draw from. Equal seeds give equal tokens, for any number of
/// threads; a machine with another instruction set may round differently.
///
/// Calls `progress` after every token of a batch of samples, with the fraction
/// that is done. On failure an error was emitted.
mlir::FailureOr<CalibrationSamples>
generateSamples(mlir::ModuleOp module, const SampleRequest &request,
                CodeRunner &runner, PartCompiler &compiler,
                llvm::function_ref<void(double done)> progress);

} // namespace llmopt

#endif // LLMOPT_COMPILER_CALIBRATION_TOKENGENERATOR_H
