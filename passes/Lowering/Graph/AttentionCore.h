//===- AttentionCore.h - Softmax attention on buffers -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What all attention operators share. An operator describes its inputs as views
// (Heads.h) and says what its scores are changed by; nothing is transposed or
// copied here. Scores of a few rows at a time are in memory.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_ATTENTIONCORE_H
#define LLMOPT_PASSES_LOWERING_GRAPH_ATTENTIONCORE_H

#include "passes/Lowering/Graph/Heads.h"

namespace llmopt::graph {

/// A term of scores. Its strides are 0 where it is broadcast; its columns are
/// keys.
struct ScoreBias {
  Heads view;
  /// Of a mask (bool or integer): what is added where an element is 0. Without
  /// it the elements themselves are added.
  std::optional<double> masked;
};

/// [.., keys] as a term of scores [batch, heads, rows, keys]: at most 4
/// dimensions, of which all but the last may be 1 or missing.
ScoreBias broadcastBias(GraphBuilder &g, const Tensor &tensor);

/// What is kept of the scores, [batch, heads, rows, keys].
enum class KeptScores { None, Products, Capped, Biased, Probabilities };

/// output = softmax(cap(query key^T scale) + biases) value
struct Attention {
  Heads query, key, value, output;
  mlir::Value batch, heads, rows, keys;
  mlir::Value keyHeads; ///< of keys and values; divides `heads`
  mlir::Value columns;  ///< of a query and a key
  mlir::Value valueColumns;
  mlir::Type type;    ///< f32 or f64: what all is computed in
  mlir::Value scale;  ///< of `type`
  double softcap = 0; ///< cap * tanh(score / cap) if not 0
  llvm::SmallVector<ScoreBias, 2> biases;
  /// Keys [first, end) that a row sees; all if null. Neither number may fall
  /// from one row to the next. A row that sees nothing gives zeros.
  std::function<std::pair<mlir::Value, mlir::Value>(mlir::Value batch,
                                                    mlir::Value row)>
      visible;
  /// Score of a key without a value; null: there is none.
  std::function<mlir::Value(mlir::Value head)> sink;
  KeptScores kept = KeptScores::None;
  Heads scores; ///< what is kept goes there
};

/// 1 / sqrt(columns)
mlir::Value defaultScale(GraphBuilder &g, mlir::Type type, mlir::Value columns);

void emitAttention(GraphBuilder &g, const Attention &attention);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_ATTENTIONCORE_H
