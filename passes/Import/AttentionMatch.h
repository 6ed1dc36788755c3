//===- AttentionMatch.h - Attention in terms of index functions -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_ATTENTIONMATCH_H
#define LLMOPT_PASSES_IMPORT_ATTENTIONMATCH_H

#include "passes/Import/IndexAnalysis.h"
#include "passes/Import/NormMatch.h"

namespace llmopt {

/// A rotary embedding: with halves x1, x2 of a head, element i of the halves is
/// x1 * cosine - x2 * sine and x2 * cosine + x1 * sine.
struct Rotation {
  /// Factors of the first and of the second half, as expressions of
  /// `frequency` (the index i) and of the position.
  symbolic::Expr firstCosine = nullptr, firstSine = nullptr,
                 secondCosine = nullptr, secondSine = nullptr;
  /// The variable i.
  symbolic::Expr frequency = nullptr;
  /// Elements of a head that are rotated, the first ones.
  int64_t rotated = 0;
  /// What stands for the position: an element of an integer input, or the
  /// index in the sequence when the model has no past.
  symbolic::Expr position = nullptr;
};

/// Queries, keys or values: `scale` times the (normalised, rotated) heads of
/// `source`, which is [batch, sequence, features]; they begin at `column`.
struct Projection {
  mlir::Value source;
  int64_t column = 0;
  float scale = 1;
  /// Of the elements of every head; its input is not used.
  std::optional<NormMatch> norm;
  std::optional<Rotation> rotation;
};

/// Everything that `llmopt.attention` needs to know.
struct AttentionMatch {
  int64_t heads = 0, kvHeads = 0, headDim = 0;
  float scale = 1;
  /// Last keys that a query sees, its own included; 0: all.
  int64_t window = 0;
  /// Of the scores, as in llmopt.attention; 0: none.
  float softcap = 0;
  Projection query, key, value;
  /// Inputs of the model; null when there is no past.
  mlir::Value pastKey, pastValue;
  /// The attention mask; null when there is none.
  mlir::Value mask;
  /// An element [b, h, t, d] of past and new keys and values, before key heads
  /// are repeated, and where it is.
  llvm::SmallVector<symbolic::Expr> presentIndices;
  symbolic::Expr presentKey = nullptr, presentValue = nullptr;
};

/// Recognises attention around the product of probabilities and values, or in
/// an Attention operator: proves what the score of every key is, which keys the
/// mask lets a query see, and which elements of the projections the operands
/// hold, however the graph arranges them. On failure `reason` says what could
/// not be proved.
mlir::FailureOr<AttentionMatch> matchAttention(onnx::NodeOp product,
                                               IndexAnalysis &analysis,
                                               std::string &reason);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_ATTENTIONMATCH_H
