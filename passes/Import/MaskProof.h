//===- MaskProof.h - What a mask lets a query see ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_MASKPROOF_H
#define LLMOPT_PASSES_IMPORT_MASKPROOF_H

#include "passes/Import/SymbolicExpr.h"
#include <string>

namespace llmopt {

/// The masked score of a query and a key, as the softmax gets it.
struct MaskedScore {
  /// The whole expression, of `query` (an index in the sequence) and `key` (an
  /// index into past and new keys).
  symbolic::Expr expression;
  /// The product of query and key in it.
  symbolic::Expr product;
  symbolic::Expr query, key;
  /// The number of past keys.
  symbolic::Expr past;
  /// The element of the attention mask for this key; null without a mask.
  symbolic::Expr mask;
};

/// What a masked score turned out to be.
struct CausalMask {
  /// Of the product, where a query sees a key.
  float factor = 1;
  /// Last keys that a query sees, its own included; 0: all.
  int64_t window = 0;
};

/// Proves that the masked score is `factor * product` when key <= query + past,
/// the key is one of the last `window` if there is a window, and the mask is
/// not 0, and otherwise at most -1e30 (or minus infinity) away from a multiple
/// of the product, so that its probability is 0 beside any visible key. The
/// mask's elements are taken to be 0 or 1, which is what they are in ONNX
/// decoders. On failure nullopt and a reason.
std::optional<CausalMask> proveCausalMask(const MaskedScore &score,
                                          symbolic::Context &context,
                                          std::string &reason);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_MASKPROOF_H
