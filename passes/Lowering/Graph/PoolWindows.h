//===- PoolWindows.h - Windows of pooling operators -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_POOLWINDOWS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_POOLWINDOWS_H

#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// A spatial dimension that a window moves along.
struct PoolDim {
  int64_t kernel = 1, stride = 1, dilation = 1;
  mlir::Value input, output; ///< sizes
  mlir::Value padBefore, padAfter;
  /// Elements from the first to the last of a window, less one.
  int64_t reach() const { return (kernel - 1) * dilation; }
};

/// The elements of a window that lie in the input.
struct PoolSpan {
  mlir::Value start;       ///< place of element 0, perhaps in the padding
  mlir::Value first, last; ///< those of the window in the input
  mlir::Value padded;      ///< number of those in the input and the padding
};

/// The spatial dimensions of a pooling node for its first input, which is
/// [N, C, ...]. Refuses what does not fit.
mlir::FailureOr<llvm::SmallVector<PoolDim>> poolDims(Node &node,
                                                     const Tensor &input);

/// The window of element `index` of the output.
PoolSpan poolSpan(GraphBuilder &g, const PoolDim &dim, mlir::Value index);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_POOLWINDOWS_H
