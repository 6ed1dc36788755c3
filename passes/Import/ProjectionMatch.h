//===- ProjectionMatch.h - Heads of projections, rotated or not -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_PROJECTIONMATCH_H
#define LLMOPT_PASSES_IMPORT_PROJECTIONMATCH_H

#include "passes/Import/AttentionMatch.h"

namespace llmopt {

/// An element of queries, keys or values, and where it is.
struct HeadElement {
  symbolic::Expr expression;
  /// Its indices; `head` counts the heads of the projection.
  symbolic::Expr batch, row, head, feature;
  int64_t heads, headDim;
};

/// Takes constant factors off an expression and multiplies them into `scale`.
symbolic::Expr peelScale(symbolic::Expr expression, float &scale);

/// Recognises which projection an element comes from. On failure `reason` says
/// what it is instead.
mlir::FailureOr<Projection> matchProjection(const HeadElement &element,
                                            IndexAnalysis &analysis,
                                            std::string &reason);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_PROJECTIONMATCH_H
