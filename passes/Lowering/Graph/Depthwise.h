//===- Depthwise.h - Convolutions of one channel at a time ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A convolution with one channel in a group is no product worth the name: it is
// computed row by row of the result, in vectors along the row.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_DEPTHWISE_H
#define LLMOPT_PASSES_LOWERING_GRAPH_DEPTHWISE_H

#include "passes/Lowering/Graph/Conv.h"
#include "passes/Lowering/Graph/IntegerProducts.h"

namespace llmopt::graph {

/// True if the functions below can compute the convolution.
bool isDepthwise(GraphBuilder &g, const Convolution &conv);

/// Computes a convolution of f32 to `result`; `bias` yields the bias of a
/// channel (null: 0).
void emitDepthwise(GraphBuilder &g, const Convolution &conv,
                   const Tensor &result,
                   const std::function<mlir::Value(mlir::Value channel)> &bias,
                   const Epilogue &epilogue);

/// Zero points of an integer convolution, i32.
struct DepthwiseZeros {
  mlir::Value input;
  std::function<mlir::Value(mlir::Value channel)> weights; ///< null: 0
};

/// Computes a convolution of 8-bit integers.
void emitDepthwise(GraphBuilder &g, const Convolution &conv,
                   const DepthwiseZeros &zeros, const SumSink &sink);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_DEPTHWISE_H
