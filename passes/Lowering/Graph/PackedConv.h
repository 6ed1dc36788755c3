//===- PackedConv.h - Convolutions with packed weights ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_PACKEDCONV_H
#define LLMOPT_PASSES_LOWERING_GRAPH_PACKEDCONV_H

#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// A convolution of input 0 in f32 or, second, in bytes with the zero point of
/// input 2 by weights that are packed. Its sums, without bias, are result 0.
mlir::LogicalResult emitPackedConv(Node &node, mlir::Value zeroPoint);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_PACKEDCONV_H
