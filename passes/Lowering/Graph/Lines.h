//===- Lines.h - Loops over the lines of a tensor ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reductions, softmax and normalizations work on lines: all elements along one
// dimension (or several neighbours). With inner dimensions the elements of a
// line are apart, and vectors hold elements of neighbouring lines; without,
// vectors run along the line. Code is written once against Line, which hides
// the difference.
//
// The order of a sum depends on the length of the line alone: 16 partial sums
// along a contiguous line, which are added by halves, then the rest; one by one
// otherwise.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_LINES_H
#define LLMOPT_PASSES_LOWERING_GRAPH_LINES_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

/// A tensor as [outer, length, inner]: lines of `length` elements that are
/// `inner` elements apart.
struct LineShape {
  mlir::Value outer, length, inner;
};

/// The lines along dimensions [first, last) of a tensor.
LineShape linesAlong(GraphBuilder &g, const Tensor &tensor, int64_t first,
                     int64_t last);

/// Carries accumulators along a line: the next ones from element i or, with
/// lanes > 1, from a vector of elements.
using FoldStep = llvm::function_ref<Values(mlir::Value i, int64_t lanes,
                                           mlir::ValueRange accumulators)>;
/// Joins the accumulators of two parts of a line, scalars or vectors.
using FoldJoin = llvm::function_ref<Values(mlir::ValueRange, mlir::ValueRange)>;

/// A line, or neighbouring lines of which every vector holds one element each.
class Line {
public:
  Line(GraphBuilder &g, const LineShape &shape, mlir::Value outer,
       mlir::Value column, int64_t columns, bool isContiguous, bool hasLanes)
      : outer(outer), column(column), columns(columns),
        isContiguous(isContiguous), g(g), shape(shape), hasLanes(hasLanes) {}

  const mlir::Value outer;  ///< index in the outer dimensions
  const mlir::Value column; ///< index of the first line in the inner ones
  const int64_t columns;    ///< neighbouring lines; 1 if contiguous
  const bool isContiguous;  ///< vectors run along the line

  /// Row-major number of element i of the (first) line.
  mlir::Value number(mlir::Value i) const;
  /// Row-major number of the (first) line in [outer, inner].
  mlir::Value lineNumber() const;

  /// Calls body(i, lanes) for all elements.
  void each(llvm::function_ref<void(mlir::Value, int64_t)> body) const;

  /// Accumulators of the whole line: a scalar each if it is contiguous, else a
  /// vector of `columns`. The identities are scalars.
  Values fold(mlir::ValueRange identities, FoldJoin join, FoldStep step) const;
  // The same in parts: for folds over more than one loop.
  Values begin(mlir::ValueRange identities) const;
  Values advance(mlir::ValueRange state, FoldStep step) const;
  Values end(mlir::ValueRange state, FoldJoin join) const;

  /// A result of `fold` for use beside `lanes` elements.
  mlir::Value spread(mlir::Value result, int64_t lanes) const;

private:
  GraphBuilder &g;
  const LineShape shape;
  const bool hasLanes;

  bool hasVectors() const; ///< the state starts with vectors
  bool hasRest() const;    ///< the state has scalars beside vectors
};

/// Neighbouring lines that one task takes; also lanes of wide vectors.
inline constexpr int64_t kLineBlock = 4 * kVectorLanes;

/// Executes body for all lines, in parallel; it is emitted once or twice, or
/// three times if it `isShort`: then whole blocks of neighbouring lines are one
/// Line of kLineBlock columns, so that memory is read in long pieces. An
/// element takes about `work` operations.
void forLines(GraphBuilder &g, const LineShape &shape, bool hasLanes,
              mlir::Value work, llvm::function_ref<void(const Line &)> body,
              bool isShort = false);

/// True if vectors of elements can be read.
bool canReadLanes(const Tensor &tensor);

/// The tensor as LineReader can read it along dimensions [first, last): itself
/// or a buffer.
Tensor readableLines(GraphBuilder &g, const Tensor &tensor, int64_t first,
                     int64_t last);

/// Reads elements of a line, where lines are parallel.
class LineReader {
public:
  LineReader(GraphBuilder &g, const Tensor &tensor, const Line &line);
  mlir::Value read(mlir::Value i, int64_t lanes) const;

private:
  GraphBuilder &g;
  const Tensor &tensor;
  const Line &line;
  Values outer; ///< indices of an expression that is read by them
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_LINES_H
