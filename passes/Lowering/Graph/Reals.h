//===- Reals.h - Numbers with fractions that fold ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_REALS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_REALS_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

/// Arithmetic on f64 scalars: what is known folds while code is generated, as
/// sizes do that follow from constant scales.
class Reals {
public:
  explicit Reals(GraphBuilder &g) : g(g), f64(g.b.getF64Type()) {}

  mlir::Value constant(double value) { return g.constant(f64, value); }
  mlir::Value fromNumber(mlir::Value number);
  /// An f32 or f64 as f64.
  mlir::Value widen(mlir::Value value);
  /// Rounded to f32 and widened again.
  mlir::Value rounded(mlir::Value value);
  /// A whole value as a number, limited to +-2^40; a NaN gives the lowest.
  mlir::Value toNumber(mlir::Value value);

  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, double b) { return add(a, constant(b)); }
  mlir::Value sub(mlir::Value a, double b) { return sub(a, constant(b)); }
  mlir::Value mul(mlir::Value a, double b) { return mul(a, constant(b)); }
  mlir::Value floor(mlir::Value value);
  mlir::Value ceil(mlir::Value value);
  mlir::Value abs(mlir::Value value);
  mlir::Value less(mlir::Value a, mlir::Value b); ///< i1
  mlir::Value equal(mlir::Value a, double b);     ///< i1
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value min(mlir::Value a, mlir::Value b) {
    return select(less(a, b), a, b);
  }
  mlir::Value max(mlir::Value a, mlir::Value b) {
    return select(less(b, a), a, b);
  }
  /// The value if it is known.
  static std::optional<double> known(mlir::Value value);

private:
  GraphBuilder &g;
  mlir::Type f64;
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_REALS_H
