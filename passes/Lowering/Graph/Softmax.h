//===- Softmax.h - Dimensions that softmax works along ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_SOFTMAX_H
#define LLMOPT_PASSES_LOWERING_GRAPH_SOFTMAX_H

#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// Dimensions [first, last) that Softmax, LogSoftmax and Hardmax work along:
/// before version 13 all from the axis, since then the axis alone.
mlir::FailureOr<std::pair<int64_t, int64_t>> softmaxDims(Node &node,
                                                         int64_t version);

/// Softmax, or its logarithm, of a tensor of floats along dimensions
/// [first, last).
Tensor softmaxTensor(GraphBuilder &g, const Tensor &input, int64_t first,
                     int64_t last, bool isLog);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_SOFTMAX_H
