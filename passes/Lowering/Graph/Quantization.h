//===- Quantization.h - Quantized elements in graph code --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_QUANTIZATION_H
#define LLMOPT_PASSES_LOWERING_GRAPH_QUANTIZATION_H

#include "passes/Lowering/Graph/Real.h"

namespace llmopt::graph {

/// An integer element (or vector of them) of a type as i32.
mlir::Value toInt32(GraphBuilder &g, mlir::Value value, ElementType type);

/// An element (or vector of them) of any type as f32.
Real toFloat32(GraphBuilder &g, mlir::Value value, ElementType type);

/// round(x) + zero, saturated to an integer type of at most 16 bits; a NaN
/// becomes the least number. `zero` is i32.
mlir::Value quantizeToInteger(const Real &x, mlir::Value zero,
                              ElementType type);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_QUANTIZATION_H
