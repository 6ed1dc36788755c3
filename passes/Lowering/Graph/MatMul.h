//===- MatMul.h - Products of stacks of matrices ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_MATMUL_H
#define LLMOPT_PASSES_LOWERING_GRAPH_MATMUL_H

#include "passes/Lowering/Graph/GemmKernel.h"
#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// A stack of matrices in memory: dimensions in the order in which they take
/// part in a product, the last two those of the matrices.
struct Operand {
  mlir::Value data;
  ElementType type;
  Values dims;
  Values strides; ///< in elements
  bool isRowMajor = true;

  /// A tensor that has a buffer.
  Operand(GraphBuilder &g, const Tensor &tensor);

  void swap(size_t a, size_t b);
  /// A dimension of size 1.
  void insert(GraphBuilder &g, size_t axis);
};

/// The products of two stacks with numpy's broadcasting; small floats of `b`
/// are multiplied by f32. The result has the type of `a`.
mlir::FailureOr<Tensor> multiply(Node &node, Operand a, Operand b);

/// The tensor with elements rounded to another float type.
Tensor convertedTo(GraphBuilder &g, const Tensor &tensor, ElementType type);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_MATMUL_H
