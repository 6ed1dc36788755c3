//===- Heads.h - Tensors as rows of attention heads -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Queries, keys and values come as [batch, heads, rows, columns], as
// [batch, rows, heads * columns] and packed with one another. A view with
// strides reads all of them in place.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_HEADS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_HEADS_H

#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// A tensor in memory as [batch, heads, rows, columns]. Strides count elements;
/// columns are adjacent.
struct Heads {
  Tensor tensor;
  mlir::Value offset; ///< of the first element
  mlir::Value batchStride, headStride, rowStride;

  /// Row-major number in `tensor` of the first column of a row.
  mlir::Value first(GraphBuilder &g, mlir::Value batch, mlir::Value head,
                    mlir::Value row) const;
};

/// A buffer [batch, heads, rows, columns].
Heads viewByHead(GraphBuilder &g, const Tensor &tensor);
/// A buffer [batch, rows, width] in which heads of `columns` elements lie at
/// `offset` of every row.
Heads viewByRow(GraphBuilder &g, const Tensor &tensor, mlir::Value columns,
                mlir::Value offset);

/// Rotation of pairs of columns by angles of a position.
struct Rotary {
  Tensor cosines, sines; ///< in memory
  mlir::Value width;     ///< columns that are rotated; even
  bool isInterleaved = false;
  /// Row of both tables, which have width / 2 columns. It must be in range:
  /// see requirePositions().
  std::function<mlir::Value(mlir::Value batch, mlir::Value row)> position;
};

/// Requires that all rows have a position in the tables. Outside of parallelFor
/// only; loops stay free of messages, which name the node, so that equal layers
/// share them.
void requirePositions(GraphBuilder &g, const Rotary &rotary, mlir::Value batch,
                      mlir::Value rows, const llvm::Twine &what);

/// A copy of rows between views.
struct HeadsCopy {
  Heads from, to;
  mlir::Value batch, heads, rows, columns;
  std::optional<Rotary> rotary;
  /// Added to the columns of all rows: a buffer in which heads lie one after
  /// the other from `biasOffset` on.
  std::optional<Tensor> bias;
  mlir::Value biasOffset;
  /// Row of `to` that a row is written to; the same row if null.
  std::function<mlir::Value(mlir::Value batch, mlir::Value row)> target;
  /// i1: rows that are copied; all if null.
  std::function<mlir::Value(mlir::Value batch, mlir::Value row)> isCopied;
};

/// Copies all rows, split among the threads.
void copyHeads(GraphBuilder &g, const HeadsCopy &copy);

/// Rows of a cache: those of before, if there are any, and new ones.
struct CacheRows {
  std::optional<Heads> past;
  Heads fresh;
  mlir::Value batch, heads, columns;
  mlir::Value pastRows, freshRows;
};

/// Writes old and new rows one after the other.
void joinRows(GraphBuilder &g, const CacheRows &rows, const Heads &target);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_HEADS_H
