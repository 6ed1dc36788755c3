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

/// Products of stacks, ready to be emitted. The result is dense, of dimensions
/// `dims`, as [shape.batch, shape.rows, shape.columns].
struct StackProduct {
  ProductShape shape;
  MatrixOf a, b;
  Values dims;
  Values batch;           ///< dimensions of the batch
  bool isStacked = false; ///< the rows are those of all matrices of A

  /// Row-major number of an element in the result.
  mlir::Value elementOf(GraphBuilder &g, const Access &access) const;
};

/// Broadcasts the batches; refuses what does not fit. `mayStack`: matrices of A
/// that are multiplied by the same B may become one.
mlir::FailureOr<StackProduct> planProduct(Node &node, Operand a, Operand b,
                                          bool mayStack = true);

/// The operands of MatMul and its relatives: a vector becomes a row of A or a
/// column of B.
mlir::FailureOr<std::pair<Operand, Operand>>
matMulOperands(Node &node, const Tensor &a, const Tensor &b);
/// The dimensions of the product of tensors without those that matMulOperands
/// has added.
Values withoutAdded(llvm::ArrayRef<mlir::Value> dims, const Tensor &a,
                    const Tensor &b);

/// The products of two stacks with numpy's broadcasting; small floats of `b`
/// are multiplied by f32. The result has the type of `a`.
mlir::FailureOr<Tensor> multiply(Node &node, Operand a, Operand b);

/// The tensor with elements rounded to another float type.
Tensor convertedTo(GraphBuilder &g, const Tensor &tensor, ElementType type);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_MATMUL_H
