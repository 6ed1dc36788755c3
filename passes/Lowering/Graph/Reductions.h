//===- Reductions.h - Sums and the like over dimensions ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_REDUCTIONS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_REDUCTIONS_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

enum class ReduceKind {
  Sum,
  Mean,
  Max,
  Min,
  Prod,
  L1,        ///< sum of |x|
  L2,        ///< square root of SumSquare
  SumSquare, ///< sum of x * x
  LogSum,    ///< log of Sum
  LogSumExp, ///< log of the sum of exp(x)
};

/// The reduction over the dimensions with `isReduced` (i1; they may be computed
/// at run time); these become 1.
Tensor reduceTensor(GraphBuilder &g, const Tensor &input,
                    llvm::ArrayRef<mlir::Value> isReduced, ReduceKind kind);

/// The same over dimensions [first, last).
Tensor reduceTensor(GraphBuilder &g, const Tensor &input, int64_t first,
                    int64_t last, ReduceKind kind);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_REDUCTIONS_H
