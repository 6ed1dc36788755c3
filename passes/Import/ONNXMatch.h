//===- ONNXMatch.h - Questions about onnx nodes -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_ONNXMATCH_H
#define LLMOPT_PASSES_IMPORT_ONNXMATCH_H

#include "dialects/ONNX/ONNXOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include <optional>

namespace llmopt {

/// Domain of the operators that ONNX Runtime adds.
inline constexpr llvm::StringLiteral kMicrosoftDomain = "com.microsoft";

/// The node that defines `value` when its operator is `opType` of `domain`;
/// null otherwise.
onnx::NodeOp getNode(mlir::Value value, llvm::StringRef opType,
                     llvm::StringRef domain = "");

/// Input `index` of a node; null when the node leaves it out.
mlir::Value getInput(onnx::NodeOp node, unsigned index);

/// Result `index` of a node when something uses it; null otherwise.
mlir::Value getUsedResult(onnx::NodeOp node, unsigned index);

/// The value that a Cast to the type its input already has, or to another
/// integer type, takes its numbers from; `value` itself where there is none.
mlir::Value lookThroughIntegerCasts(mlir::Value value);

/// The elements of a constant that is held by value; null otherwise.
mlir::DenseElementsAttr getLiteral(mlir::Value value);

/// The integers of a constant tensor of rank 0 or 1, in row-major order.
std::optional<llvm::SmallVector<int64_t>> getIntegers(mlir::Value value);

/// The number in a constant float tensor of one element.
std::optional<float> getScalarFloat(mlir::Value value);

/// The integer attribute `name`, or `byDefault` when it is absent.
int64_t getIntAttr(onnx::NodeOp node, llvm::StringRef name, int64_t byDefault);

/// The float attribute `name`, or `byDefault` when it is absent.
float getFloatAttr(onnx::NodeOp node, llvm::StringRef name, float byDefault);

/// The type of a float32 tensor of known rank, null for any other value.
mlir::RankedTensorType getFloatTensorType(mlir::Value value);

/// The name of a node, "" when the file gives it none.
llvm::StringRef getNodeName(mlir::Operation *op);

/// `axis` counted from the front; nullopt when it is outside [-rank, rank).
std::optional<int64_t> normalizeAxis(int64_t axis, int64_t rank);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_ONNXMATCH_H
