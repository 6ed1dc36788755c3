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

/// A stored element (or vector of them) in the compute type of `type`.
mlir::Value fromStorage(GraphBuilder &g, ElementType type, mlir::Value stored);
/// The inverse; floats are rounded to nearest, ties to even.
mlir::Value toStorage(GraphBuilder &g, ElementType type, mlir::Value value);

/// An element of a buffer of packed sub-byte integers, in the compute type.
mlir::Value loadPacked(GraphBuilder &g, const Tensor &tensor,
                       mlir::Value linear);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_CONVERSION_H
