//===- QuantizedNode.h - Parameters of quantized products -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_QUANTIZEDNODE_H
#define LLMOPT_PASSES_LOWERING_GRAPH_QUANTIZEDNODE_H

#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// A scale or zero point of a product: one number, or one for each row or
/// column. Evaluated inside of tasks.
class Parameter {
public:
  /// Nothing: zero points are 0, scales 1.
  Parameter() = default;
  /// An input of the node that has one element or one for each of `count`;
  /// refuses other shapes.
  static mlir::FailureOr<Parameter> read(Node &node, size_t input,
                                         mlir::Value count);
  /// One number, i32 or f32.
  static Parameter number(mlir::Value value) {
    Parameter parameter;
    parameter.scalar = value;
    return parameter;
  }
  /// `lanes` numbers from `index` on, as i32 or f32.
  mlir::Value at(GraphBuilder &g, mlir::Value index, int64_t lanes) const;
  /// True if it is known to be zero (or nothing).
  bool isZero() const;
  bool isScalar() const { return !vector.buffer; }

private:
  bool isUnsigned = false;
  mlir::Value scalar; ///< in the compute type
  Tensor vector;      ///< or a buffer
};

/// True if the tensor is of 8-bit integers.
inline bool isByte(const Tensor &tensor) {
  return tensor.type.isInteger() && tensor.type.bits() == 8;
}

/// round(sum * scale) + zero, saturated to an 8-bit type: f32 rounded to even;
/// zero is i32.
mlir::Value requantize(GraphBuilder &g, mlir::Value sum, mlir::Value scale,
                       mlir::Value zero, ElementType type);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_QUANTIZEDNODE_H
