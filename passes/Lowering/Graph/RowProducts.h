//===- RowProducts.h - Products of rows in memory ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inner products inside of loops whose rows are chosen while the code runs, so
// that a product of matrices (GemmKernel.h) does not fit.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_ROWPRODUCTS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_ROWPRODUCTS_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

/// An element of a buffer, or consecutive ones, in the float type `type`.
mlir::Value loadAs(GraphBuilder &g, mlir::Type type, const Tensor &tensor,
                   mlir::Value number, int64_t lanes);

/// The sum of the lanes of a vector.
mlir::Value sumOfLanes(GraphBuilder &g, mlir::Value vector);

/// Where elements of several rows are multiplied and added: the elements at
/// `column` of each, as scalars or vectors, times that of the common row.
using RowStep = llvm::function_ref<Values(mlir::Value column, int64_t lanes,
                                          mlir::ValueRange sums)>;
/// `count` sums of `type` over all columns: whole vectors, then the rest.
Values sumOverColumns(GraphBuilder &g, mlir::Type type, size_t count,
                      mlir::Value columns, RowStep step);

/// Products in `type` of rows of one tensor, by the numbers of their first
/// elements, with a row of another one.
Values rowProducts(GraphBuilder &g, mlir::Type type, const Tensor &rows,
                   llvm::ArrayRef<mlir::Value> firsts, const Tensor &common,
                   mlir::Value commonFirst, mlir::Value columns);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_ROWPRODUCTS_H
