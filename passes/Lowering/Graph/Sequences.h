//===- Sequences.h - Lists of tensors and optional values -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_SEQUENCES_H
#define LLMOPT_PASSES_LOWERING_GRAPH_SEQUENCES_H

#include "passes/Lowering/Graph/Tensor.h"

namespace llmopt::graph {

/// True for operators that take sequences and optional values.
bool readsSequences(llvm::StringRef operatorName);

/// An optional value that holds nothing.
inline bool isAbsent(const Tensor &tensor) {
  return tensor.sequence && !tensor.type.get();
}

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_SEQUENCES_H
