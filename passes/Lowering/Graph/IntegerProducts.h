//===- IntegerProducts.h - Products of 8-bit integers -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// C = (A - za) (B - zb) of 8-bit integers of any sign, exact in i32 (modulo
// 2^32). A zero point belongs to a row of A and to a column of B.
//
// Where one instruction multiplies unsigned by signed bytes, B becomes unsigned
// and A signed by a shift of 128, which shifts the zero points as well, and
// what the zero points contribute is added to the sums:
//
//   c[i][j] = sum a b + zb[j] (K za[i] - sum a[i]) - za[i] sum b[j]
//
// Elsewhere zero points are subtracted from 16-bit copies.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_INTEGERPRODUCTS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_INTEGERPRODUCTS_H

#include "passes/Lowering/Graph/GemmKernel.h"

namespace llmopt::graph {

/// The zero point of a row of A, or those of `lanes` columns of B: i32. Null
/// for zero.
using ZeroPoints = std::function<mlir::Value(mlir::Value batch,
                                             mlir::Value index, int64_t lanes)>;

struct IntegerProducts {
  ProductShape shape;
  /// A: i8 or ui8. It is prepared once for each of `aCount` matrices; `aOf` is
  /// the number of the matrix that takes part in a product of the batch.
  mlir::Value aCount;
  MatrixOf a;
  std::function<mlir::Value(mlir::Value batch)> aOf;
  ZeroPoints aZero; ///< of matrix number, row
  /// B: copies of bytes (see copyBytes) of this type.
  PanelCopy b;
  ElementType bType;
  ZeroPoints bZero; ///< of batch, column
};

/// Computes the products and hands all sums, i32, to the sink, inside of tasks:
/// one, or 16 of a row. The indices are batch, row and column.
void emitIntegerProducts(GraphBuilder &g, const IntegerProducts &products,
                         const SumSink &sink);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_INTEGERPRODUCTS_H
