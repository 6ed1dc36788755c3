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

/// mapElements of all inputs of a node into its only result.
mlir::LogicalResult mapInputs(Node &node, ElementType type,
                              const ElementFunction &function,
                              bool hasLanes = true);

/// The common element type of the inputs from `first` on that are there; emits
/// an error if they differ.
mlir::FailureOr<ElementType> commonType(Node &node, size_t first = 0);

/// The second operand as version 7 has it. Earlier versions align it with the
/// attribute `axis` of the first one's dimensions.
mlir::FailureOr<Tensor> alignedOperand(Node &node);

/// Creates an operation, or folds it: elements of small tensors are known.
template <typename Op, typename... Args>
mlir::Value fold(GraphBuilder &g, Args &&...args) {
  return g.b.createOrFold<Op>(g.loc, std::forward<Args>(args)...);
}

/// An expression of any kind. `depth` is set from the tensors it reads.
Tensor makeExpression(ElementType type, llvm::ArrayRef<mlir::Value> dims,
                      llvm::ArrayRef<Tensor> reads, Expression expression);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_ELEMENTWISE_H
