//===- Reducer.h - What a reduction does with an element --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_REDUCER_H
#define LLMOPT_PASSES_LOWERING_GRAPH_REDUCER_H

#include "passes/Lowering/Graph/Reductions.h"

namespace llmopt::graph {

// Arithmetic on values of equal type, scalars or vectors; of i64 scalars, it
// folds.
mlir::Value addValues(GraphBuilder &g, mlir::Value a, mlir::Value b);
mlir::Value mulValues(GraphBuilder &g, mlir::Value a, mlir::Value b);
/// The greater one; a NaN if one is.
mlir::Value maxValues(GraphBuilder &g, ElementType type, mlir::Value a,
                      mlir::Value b);
mlir::Value minValues(GraphBuilder &g, ElementType type, mlir::Value a,
                      mlir::Value b);
/// The least value of a type (-infinity of floats), as a scalar of its compute
/// type, and the greatest.
mlir::Value lowestValue(GraphBuilder &g, ElementType type);
mlir::Value highestValue(GraphBuilder &g, ElementType type);
/// A number (i64 that is no less than 0) as a float or an integer type.
mlir::Value fromNumber(GraphBuilder &g, mlir::Value number, mlir::Type type);

/// A reduction of elements of a type. Sums of integers are taken in their type,
/// means in 64 bits; roots and logarithms of integers are taken in f64.
class Reducer {
public:
  Reducer(GraphBuilder &g, ElementType type, ReduceKind kind);

  /// The result for no elements, a scalar of the accumulator's type.
  mlir::Value identity() const;
  /// What an element contributes; scalars or vectors.
  mlir::Value prepare(mlir::Value element) const;
  mlir::Value join(mlir::Value a, mlir::Value b) const;
  /// The result, in the compute type, for `count` elements.
  mlir::Value finish(mlir::Value accumulator, mlir::Value count) const;

private:
  mlir::Value toAccumulator(mlir::Value element) const;
  mlir::Value fromAccumulator(mlir::Value value) const;
  mlir::Value mean(mlir::Value sum, mlir::Value count) const;

  GraphBuilder &g;
  const ElementType type;
  const ReduceKind kind;
  mlir::Type accumulator;
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_REDUCER_H
