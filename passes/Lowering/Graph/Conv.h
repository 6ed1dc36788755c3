//===- Conv.h - Convolutions ------------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A group of a convolution is the product of its weights, [channels of the
// result, channels x kernel], and the patches [channels x kernel, pixels of the
// result], which only ever exist as panels of a task.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_CONV_H
#define LLMOPT_PASSES_LOWERING_GRAPH_CONV_H

#include "passes/Lowering/Graph/GemmKernel.h"
#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// What a convolution reads for an element of its result, one entry for each
/// spatial dimension.
struct Windows {
  mlir::Value groups, channels; ///< channels of a group
  Values input;                 ///< sizes of the input
  Values kernel;                ///< sizes of the kernel
  Values output;                ///< sizes of the result
  Values pads;                  ///< zeros before the first element
  llvm::SmallVector<int64_t> strides, dilations;

  int64_t rank() const { return input.size(); }
};

/// The windows of a node with the attributes of Conv, for input [N, C, ...] and
/// weights [M, C / group, ...]. Refuses what does not fit.
mlir::FailureOr<Windows> convWindows(Node &node, const Tensor &input,
                                     const Tensor &weights);

/// A convolution as products; the batch is images x groups.
struct Convolution {
  Windows windows;
  ProductShape shape;
  Values dims;      ///< of the result
  MatrixOf input;   ///< channels of a group by pixels
  MatrixOf weights; ///< of a group

  /// The channel of the result that a row of a product is.
  mlir::Value channelOf(GraphBuilder &g, mlir::Value batch,
                        mlir::Value row) const;
  /// Row-major number of an element of the result in all of it.
  mlir::Value elementOf(GraphBuilder &g, const Access &access) const;
  /// Copies parts of the patches; `fill` is read outside of the input.
  PanelCopy patches(GraphBuilder &g, mlir::Value fill) const;
};

/// Both tensors are in buffers.
mlir::FailureOr<Convolution> planConvolution(Node &node, const Tensor &input,
                                             const Tensor &weights);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_CONV_H
