//===- ModelParts.h - A decoder cut where its products read -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CALIBRATION_MODELPARTS_H
#define LLMOPT_COMPILER_CALIBRATION_MODELPARTS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/BitVector.h"

namespace llmopt {

/// Consecutive kernels of a decoder, as a module of their own.
struct ModelPart {
  /// `kernel.weight_data` and @forward, whose first and last operations are
  /// `kernel.keep`. Not planned yet.
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// The buffers that these name, as indices into ModelParts::rowBytes.
  std::vector<unsigned> inputs, outputs;
  /// Indices of the weights behind each weight_data of the module, in order.
  std::vector<llvm::SmallVector<unsigned, 3>> weights;
  /// The weights to be compressed of the products that the part begins with;
  /// all of them read `productInput`, one of `inputs`.
  std::vector<unsigned> products;
  unsigned productInput = 0;
  int64_t productColumns = 0; ///< of the rows that they read
  /// Index of the block that the part belongs to; those before the first
  /// attention have -1, the head has the number of blocks.
  int64_t block = -1;

  /// Makes the module's weights refer to `sources`, by index.
  void setSources(llvm::ArrayRef<mlir::Attribute> sources);
};

/// All parts in order. A part begins where the first of the products that read
/// one tensor stands, so that what they read is among the rows that are kept
/// between parts.
struct ModelParts {
  std::vector<ModelPart> parts;
  /// Bytes of a row of every buffer that lives between parts.
  std::vector<int64_t> rowBytes;
  /// Number of blocks, one per attention.
  int64_t blocks = 0;
};

/// Cuts @forward of a module after llmopt-to-kernel whose weights are named by
/// their indices. `compressible` tells which of them end a part. What follows
/// the last of their products is not needed and left out: the last part has
/// products but no module. On failure emits an error.
mlir::FailureOr<ModelParts> cutModel(mlir::ModuleOp module,
                                     const llvm::BitVector &compressible);

} // namespace llmopt

#endif // LLMOPT_COMPILER_CALIBRATION_MODELPARTS_H
