//===- Prunable.h - Which weights may be pruned -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_SPARSITY_PRUNABLE_H
#define LLMOPT_PASSES_SPARSITY_PRUNABLE_H

#include "dialects/LLMOpt/LLMOptOps.h"

namespace llmopt {

/// Why a weight is not pruned unless the head is included; empty where nothing
/// speaks against it.
llvm::StringRef whyKept(WeightOp weight);

/// True for the matrices of products that are no head.
bool isPrunable(WeightOp weight);

/// Rows [n0, n1, ...] of a matrix that its product computes for different
/// consumers: exporters store query, key and value as one. What is pruned by a
/// common threshold of these loses values first, which matter most. The whole
/// matrix if it is not divided, or if its products disagree.
llvm::SmallVector<int64_t> rowParts(WeightOp weight);

} // namespace llmopt

#endif // LLMOPT_PASSES_SPARSITY_PRUNABLE_H
