//===- Conv.h - Windows of convolutions -------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_CONV_H
#define LLMOPT_PASSES_LOWERING_GRAPH_CONV_H

#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// What a convolution reads for an element of its result, one entry for each
/// spatial dimension.
struct Windows {
  Values input;  ///< sizes of the input
  Values kernel; ///< sizes of the kernel
  Values output; ///< sizes of the result
  Values pads;   ///< zeros before the first element
  llvm::SmallVector<int64_t> strides, dilations;
  int64_t groups = 1;

  int64_t rank() const { return input.size(); }
};

/// The windows of a node with the attributes of Conv, for input [N, C, ...] and
/// weights [M, C / group, ...]. Refuses what does not fit.
mlir::FailureOr<Windows> convWindows(Node &node, const Tensor &input,
                                     const Tensor &weights);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_CONV_H
