//===- WeightTable.h - Weights of the library -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_WEIGHTTABLE_H
#define LLMOPT_PASSES_LOWERING_WEIGHTTABLE_H

#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"

namespace llmopt {

/// Gives every weight that is asked for its `kernel.weight_data`, in the order
/// of the first request, and its place in the library.
class WeightTable {
public:
  /// `data` creates the weight_data operations, `references` the uses in the
  /// function.
  WeightTable(mlir::OpBuilder data, mlir::OpBuilder references)
      : data(data), references(references) {}

  /// Reference to an encoded weight or a concatenation of them. On failure
  /// emits an error at `user`: the weight is not encoded, or its layout is
  /// undecided.
  mlir::FailureOr<mlir::Value> packed(mlir::Value weight,
                                      mlir::Operation *user);

  /// Reference to a plain weight as row-major f32; a vector has one row.
  mlir::FailureOr<mlir::Value> raw(mlir::Value weight, mlir::Operation *user);

private:
  mlir::FailureOr<mlir::Value> add(mlir::Value weight, std::string name,
                                   kernel::WeightType type,
                                   llvm::ArrayRef<mlir::Attribute> parts,
                                   bool interleaved);

  mlir::OpBuilder data, references;
  llvm::DenseMap<mlir::Value, mlir::Value> known;
  int64_t nextOffset = 0; ///< bytes from the start of the packed weights
};

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_WEIGHTTABLE_H
