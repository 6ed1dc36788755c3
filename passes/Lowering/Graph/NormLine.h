//===- NormLine.h - Normalization of a line ---------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_NORMLINE_H
#define LLMOPT_PASSES_LOWERING_GRAPH_NORMLINE_H

#include "passes/Lowering/Graph/Lines.h"
#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// A float value in another float type.
mlir::Value convertFloat(GraphBuilder &g, mlir::Value value, mlir::Type type);

/// Elements of a line that is read more than once. The first pass leaves them
/// in `stage`, where the others read them, unless it is null.
struct LineInput {
  mlir::Type type; ///< of sums: f32 or f64
  std::function<mlir::Value(mlir::Value i, int64_t lanes)> read;
  const Tensor *stage;

  LineInput(GraphBuilder &g, const Tensor &source, const Line &line,
            const Tensor *stage);
  LineInput(mlir::Type type,
            std::function<mlir::Value(mlir::Value, int64_t)> read,
            const Tensor *stage)
      : type(type), read(std::move(read)), stage(stage) {}
};

/// What a line is normalized with: (x - mean) * inverse.
struct Moments {
  mlir::Value mean; ///< null: not subtracted
  mlir::Value inverse;

  mlir::Value normalized(GraphBuilder &g, const Line &line, mlir::Value x,
                         int64_t lanes) const;
};

/// 1 / sqrt(variance + epsilon) and the mean, or without the latter
/// 1 / sqrt(mean of squares + epsilon).
Moments lineMoments(GraphBuilder &g, const Line &line, mlir::Value length,
                    LineInput &input, double epsilon, bool isCentered);

/// A factor or summand of normalized elements: an input of the node that is
/// broadcast to the dimensions of `x`, the last of which (from `axis` on) make
/// a line.
class RowFactor {
public:
  static mlir::FailureOr<RowFactor> make(Node &node, size_t index,
                                         llvm::ArrayRef<mlir::Value> dims,
                                         int64_t axis);
  bool hasLanes() const;
  mlir::Value read(GraphBuilder &g, const Line &line, mlir::Value i,
                   int64_t lanes) const;
  ElementType type() const { return tensor.type; }

private:
  Tensor tensor;
  Values dims;
  int64_t axis = 0;
  bool isSingle = false; ///< one element
  bool isLine = false;   ///< element i belongs to element i of every line
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_NORMLINE_H
