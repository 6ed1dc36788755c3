//===- RotaryTable.h - Tables of rotary embeddings --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_ROTARYTABLE_H
#define LLMOPT_PASSES_IMPORT_ROTARYTABLE_H

#include "passes/Import/AttentionMatch.h"
#include <vector>

namespace llmopt {

/// Computes the rows [cosines, sines] of positions 0 .. positions - 1 of
/// rotation.rotated columns as the graph would, operation by operation in
/// float32 (cosine and sine themselves in double, rounded once). Fails with a
/// reason when the factors depend on something else, or when the two halves of
/// a head have different ones.
mlir::FailureOr<std::vector<float>> computeRotaryTable(const Rotation &rotation,
                                                       int64_t positions,
                                                       IndexAnalysis &analysis,
                                                       std::string &reason);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_ROTARYTABLE_H
