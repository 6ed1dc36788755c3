//===- GraphValues.h - Values and nodes of partly raised graphs -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In a graph that is no decoder, the type of a value is often unknown. What is
// raised computes in f32; casts connect it to the nodes around it.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_GRAPHVALUES_H
#define LLMOPT_PASSES_IMPORT_GRAPHVALUES_H

#include "dialects/ONNX/ONNXOps.h"
#include "mlir/IR/PatternMatch.h"

namespace llmopt {

/// Makes a node of the default domain with one result of type !onnx.value. Its
/// name is that of `origin`, which it is a part of.
mlir::Value createNode(mlir::PatternRewriter &rewriter, onnx::NodeOp origin,
                       llvm::StringRef opType, mlir::ValueRange inputs,
                       llvm::ArrayRef<mlir::NamedAttribute> attributes = {});

/// Number of a type in ONNX's TensorProto.DataType; 0 for others than f32, f16,
/// bf16 and i64.
int64_t onnxTypeNumber(mlir::Type element);

/// A Cast of a value to `element`; the result has no known rank.
mlir::Value castTo(mlir::PatternRewriter &rewriter, onnx::NodeOp origin,
                   mlir::Value value, mlir::Type element);

/// A value as a tensor of f32, given that the operator takes tensors of
/// `element` (f32, f16 or bf16) there; fails when the value is known to be
/// something else.
mlir::FailureOr<mlir::Value> asFloats(mlir::PatternRewriter &rewriter,
                                      onnx::NodeOp origin, mlir::Value value,
                                      mlir::Type element);

/// The value as a tensor of f32 whose shape is not known.
mlir::Value withoutShape(mlir::PatternRewriter &rewriter, onnx::NodeOp origin,
                         mlir::Value value);

/// A constant of one element, f32.
mlir::Value createScalar(mlir::PatternRewriter &rewriter, onnx::NodeOp origin,
                         float number);

/// value * factor; the value itself for the factor 1.
mlir::Value scaleBy(mlir::PatternRewriter &rewriter, onnx::NodeOp origin,
                    mlir::Value value, float factor);

/// Replaces a node of one result by a tensor of f32, cast to the type that the
/// node has.
void replaceByFloats(mlir::PatternRewriter &rewriter, onnx::NodeOp node,
                     mlir::Value value, mlir::Type element);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_GRAPHVALUES_H
