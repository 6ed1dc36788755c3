//===- CalibrationModel.h - A decoder prepared for calibration --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CALIBRATION_CALIBRATIONMODEL_H
#define LLMOPT_COMPILER_CALIBRATION_CALIBRATIONMODEL_H

#include "compiler/Calibration/ModelParts.h"
#include "dialects/LLMOpt/LLMOptOps.h"

namespace llmopt {

/// What calibration needs of a decoder.
struct CalibrationModel {
  /// All plain weights of the imported module, in its order; their places are
  /// the indices of ModelPart.
  std::vector<WeightOp> weights;
  ModelParts parts;
  DecoderAttr decoder;

  /// What every weight is read from.
  std::vector<mlir::Attribute> sources() const;
};

/// Cuts a copy of an imported decoder with float weights into parts that end at
/// the products of the weights for which `isCompressed` holds. On failure emits
/// an error: the model has no sessions, or kernels for it are missing.
mlir::FailureOr<CalibrationModel>
prepareCalibration(mlir::ModuleOp module,
                   llvm::function_ref<bool(WeightOp)> isCompressed);

} // namespace llmopt

#endif // LLMOPT_COMPILER_CALIBRATION_CALIBRATIONMODEL_H
