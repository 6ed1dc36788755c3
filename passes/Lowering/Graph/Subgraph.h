//===- Subgraph.h - Code of the subgraphs of a node -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_SUBGRAPH_H
#define LLMOPT_PASSES_LOWERING_GRAPH_SUBGRAPH_H

#include "passes/Lowering/Graph/GraphEmitter.h"
#include "passes/Lowering/Graph/NodeEmitter.h"
#include "llvm/ADT/SmallSet.h"

namespace llmopt::graph {

/// Emits the code of a subgraph and finds what it returns.
mlir::FailureOr<llvm::SmallVector<Tensor>> emitSubgraph(Node &node,
                                                        mlir::Block &block);

/// Forgets the values of a subgraph and gives their buffers back.
void leaveSubgraph(Node &node, mlir::Block &block);

/// The tensor in memory that was allocated by the code in `code` and that is
/// not in `taken`, the memory of results before. The caller owns it.
Tensor ownedResult(GraphBuilder &g, const Tensor &tensor, mlir::Block *code,
                   llvm::SmallDenseSet<mlir::Value> &taken);

/// A tensor of memory that the code of a region handed over.
Tensor adopt(GraphBuilder &g, ElementType type,
             llvm::ArrayRef<mlir::Value> dims, mlir::Value data);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_SUBGRAPH_H
