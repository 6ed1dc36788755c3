//===- Pooling.h - Pooling of a tensor --------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_POOLING_H
#define LLMOPT_PASSES_LOWERING_GRAPH_POOLING_H

#include "passes/Lowering/Graph/PoolWindows.h"

namespace llmopt::graph {

/// What becomes of the elements of a window, in the compute type of the tensor;
/// scalars or vectors.
struct PoolFunction {
  mlir::Value identity; ///< scalar
  std::function<mlir::Value(mlir::Value element)> prepare;
  std::function<mlir::Value(mlir::Value, mlir::Value)> join;
  /// `count` (i64): elements that the window has.
  std::function<mlir::Value(mlir::Value, mlir::Value count)> finish;
  bool countsPadding = false;
};

/// The average, which counts padding or not.
PoolFunction averageFunction(GraphBuilder &g, ElementType type,
                             bool countsPadding);

/// True if maxPoolLast can pool the tensor: it has channels last, and enough of
/// them.
bool canMaxPoolLast(GraphBuilder &g, const Tensor &input,
                    llvm::ArrayRef<PoolDim> dims);
/// Largest elements of windows, with channels last.
Tensor maxPoolLast(GraphBuilder &g, const Tensor &input,
                   llvm::ArrayRef<PoolDim> dims);

/// Pools a buffer [N, C, ...].
Tensor poolTensor(GraphBuilder &g, const Tensor &input,
                  llvm::ArrayRef<PoolDim> dims, const PoolFunction &function);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_POOLING_H
