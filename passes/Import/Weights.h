//===- Weights.h - Constant matrices and vectors as llmopt weights --------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_WEIGHTS_H
#define LLMOPT_PASSES_IMPORT_WEIGHTS_H

#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/ONNX/ONNXOps.h"
#include "mlir/IR/Builders.h"

namespace llmopt {

/// A constant matrix: the data of an initializer, seen through transposes.
struct ConstantMatrix {
  onnx::InitializerOp initializer;
  /// The matrix is the transpose of what the initializer stores.
  bool transposed;
  /// Shape of the matrix (not of the stored data).
  int64_t rows, columns;

  /// Type of the elements in the file.
  mlir::Type element() const {
    return onnx::InitializerOp(initializer).getType().getElementType();
  }
  ConstantMatrix transpose() const {
    return {initializer, !transposed, columns, rows};
  }
};

/// Finds the initializer behind `value`, through Identity and Transpose nodes.
/// `reason` says why there is none, or why it cannot be a weight: its elements
/// must be f32, or f16 or bf16 with `anyFloat`.
mlir::FailureOr<ConstantMatrix> matchConstantMatrix(mlir::Value value,
                                                    std::string &reason,
                                                    bool anyFloat = false);

/// Makes the weight [rows, columns] of f32; its data stays where it is, also
/// where the file has f16 or bf16.
mlir::Value createWeight(mlir::OpBuilder &builder, mlir::Location location,
                         const ConstantMatrix &matrix);

/// Makes the weight of a constant f32 vector of `length` elements, or fails
/// with a reason.
mlir::FailureOr<mlir::Value> createVector(mlir::OpBuilder &builder,
                                          mlir::Location location,
                                          mlir::Value value, int64_t length,
                                          std::string &reason);

/// Makes the weight of `length` zeros. Emits an error when it cannot be
/// written.
mlir::FailureOr<mlir::Value>
createZeros(mlir::OpBuilder &builder, mlir::Location location, int64_t length);

/// The source attribute of an llmopt.weight for the data of an initializer.
mlir::Attribute getWeightSource(onnx::InitializerOp initializer,
                                bool transposed);

/// Makes a weight from computed values: a literal up to a kilobyte, as the
/// reader does, otherwise bytes of the spill file. Emits an error when the
/// spill file cannot be written.
mlir::FailureOr<mlir::Value> createComputedWeight(mlir::OpBuilder &builder,
                                                  mlir::Location location,
                                                  llvm::StringRef name,
                                                  mlir::RankedTensorType type,
                                                  llvm::ArrayRef<float> values);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_WEIGHTS_H
