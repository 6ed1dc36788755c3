//===- Conversion.h - Between stored and computed elements ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_CONVERSION_H
#define LLMOPT_PASSES_LOWERING_GRAPH_CONVERSION_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

/// What ONNX's Cast leaves to attributes.
struct CastRules {
  enum Rounding { Up, Down, Nearest };
  /// Of float8: what is too large becomes the largest number, not infinite or a
  /// NaN.
  bool saturate = true;
  /// Of float8e8m0.
  Rounding exponentRounding = Up;
};

/// A stored element (or vector of them) in the compute type of `type`.
mlir::Value fromStorage(GraphBuilder &g, ElementType type, mlir::Value stored);
/// The inverse; floats are rounded to nearest, ties to even.
mlir::Value toStorage(GraphBuilder &g, ElementType type, mlir::Value value);

/// An element of type `from` as one of type `to`, both in compute types, a
/// scalar or vector: ONNX's Cast. Floats are rounded to what a buffer of the
/// type could hold. A float that no number of an integer type is near to gives
/// what the conversions of x86 give.
mlir::Value castElement(GraphBuilder &g, mlir::Value value, ElementType from,
                        ElementType to, const CastRules &rules = {});

/// The byte of a float8 or float4 kind that an f32 is rounded to (nearest,
/// ties to even), and back.
mlir::Value encodeMiniFloat(GraphBuilder &g, ElementType type,
                            mlir::Value value, const CastRules &rules = {});
mlir::Value decodeMiniFloat(GraphBuilder &g, ElementType type,
                            mlir::Value stored);

/// An element of a buffer of packed sub-byte elements, in the compute type.
mlir::Value loadPacked(GraphBuilder &g, const Tensor &tensor,
                       mlir::Value linear);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_CONVERSION_H
