//===- ChannelsLast.h - Images with channels last ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ONNX has images as [N, C, ...]. Convolutions with packed weights read and
// write matrices [pixels, channels] instead: what is multiplied is contiguous,
// no patches are copied, and vectors run along channels, of which there are
// enough where an image is small. A tensor that exists in this form only has
// `channelsLast` and no other source of elements. Few operators know about it;
// for all others a node's inputs are turned into buffers of ONNX's order.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_CHANNELSLAST_H
#define LLMOPT_PASSES_LOWERING_GRAPH_CHANNELSLAST_H

#include "dialects/ONNX/ONNXOps.h"
#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

/// True if the operator takes inputs with channels last.
bool readsChannelsLast(onnx::NodeOp node);

/// A tensor of these dimensions whose matrix [pixels, channels] is given.
Tensor withChannelsLast(llvm::ArrayRef<mlir::Value> dims, const Tensor &matrix);

/// Makes a buffer of the matrix if it is an expression; all copies of the
/// tensor see it.
void settleChannelsLast(GraphBuilder &g, const Tensor &tensor);

/// The tensor in a buffer of ONNX's order.
Tensor channelsFirst(GraphBuilder &g, const Tensor &tensor);

/// The matrix in a buffer. There are zeros behind the channels of a pixel, up
/// to a multiple of `multiple`.
Tensor channelsLast(GraphBuilder &g, const Tensor &tensor, int64_t multiple);

/// The operands of an elementwise operator as matrices, if one of them has its
/// channels last and the others fit; at most one is a product that is deferred.
std::optional<llvm::SmallVector<Tensor>>
channelsLastOperands(GraphBuilder &g, llvm::ArrayRef<Tensor> operands,
                     const llvm::Twine &what);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_CHANNELSLAST_H
