//===- Elementwise.h - Operators that work element by element ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_ELEMENTWISE_H
#define LLMOPT_PASSES_LOWERING_GRAPH_ELEMENTWISE_H

#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// An element of the result from elements of the inputs, all in compute types;
/// scalars or vectors of equal length.
using ElementFunction =
    std::function<mlir::Value(GraphBuilder &, llvm::ArrayRef<mlir::Value>)>;

/// The broadcast of the inputs, element by element: scalars if all inputs are,
/// else an expression that fuses with its reader. `what` names the node for
/// messages at run time. `hasLanes`: the function takes vectors.
Tensor mapElements(GraphBuilder &g, llvm::ArrayRef<Tensor> inputs,
                   ElementType type, const ElementFunction &function,
                   const llvm::Twine &what, bool hasLanes = true);

/// An expression of any kind. `depth` is set from the tensors it reads.
Tensor makeExpression(ElementType type, llvm::ArrayRef<mlir::Value> dims,
                      llvm::ArrayRef<Tensor> reads, Expression expression);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_ELEMENTWISE_H
