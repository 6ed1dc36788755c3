//===- MergeSort.h - Sorting indices in generated code ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_MERGESORT_H
#define LLMOPT_PASSES_LOWERING_GRAPH_MERGESORT_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

/// True (i1) if index b, which was behind index a, comes before it.
using IsAhead = llvm::function_ref<mlir::Value(mlir::Value b, mlir::Value a)>;

/// Sorts `count` i64 indices in `first`, equal ones stay in order. `second` is
/// memory of the same size; the result is a pointer to one of both.
mlir::Value mergeSort(GraphBuilder &g, mlir::Value count, mlir::Value first,
                      mlir::Value second, IsAhead isAhead);

/// Reads and writes entry i of a list of i64 numbers.
mlir::Value loadIndex(GraphBuilder &g, mlir::Value list, mlir::Value i);
void storeIndex(GraphBuilder &g, mlir::Value list, mlir::Value i,
                mlir::Value index);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_MERGESORT_H
