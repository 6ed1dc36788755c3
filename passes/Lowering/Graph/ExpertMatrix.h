//===- ExpertMatrix.h - Weights of experts ----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_EXPERTMATRIX_H
#define LLMOPT_PASSES_LOWERING_GRAPH_EXPERTMATRIX_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

/// One layer of all experts, [experts, rows, columns], floats or quantized:
/// bytes of 8 / bits elements each, the first in the low bits.
struct ExpertMatrix {
  mlir::Value experts, rows, columns;
  Tensor weights;
  std::optional<Tensor> bias; ///< [experts, rows]

  int64_t bits = 0;  ///< of a quantized element; 0: floats
  int64_t block = 0; ///< columns that share a scale; 0: the whole row
  /// [experts, rows, columns / block]
  std::optional<Tensor> scales;
  /// Packed like elements, each expert (or row, where rows have blocks) in
  /// whole bytes. Without them, zero is 2^(bits - 1).
  std::optional<Tensor> zeros;

  /// i1: scales and zero points have the size that the weights need.
  mlir::Value fits(GraphBuilder &g) const;
  mlir::Value blocksOfRow(GraphBuilder &g) const;
};

/// f32 [slots, rows]: for each slot the product of its expert with its row of
/// `input`, which is that of number slot / `slotsPerRow`.
Tensor multiplyExperts(GraphBuilder &g, const ExpertMatrix &matrix,
                       const Tensor &input, const Tensor &chosen,
                       int64_t slotsPerRow);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_EXPERTMATRIX_H
