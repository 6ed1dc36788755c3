//===- SparseLayouts.h - Layouts that weights may have ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_SPARSELAYOUTS_H
#define LLMOPT_PASSES_QUANTIZATION_SPARSELAYOUTS_H

#include "dialects/LLMOpt/LLMOptOps.h"
#include "target/CostModel.h"
#include "target/LayoutOverride.h"

namespace llmopt {

/// The layouts that int8 weights with one input may have as one product, the
/// dense one first, and their bytes. Reads the codes where most are zero.
mlir::FailureOr<llvm::SmallVector<LayoutCandidate>>
findLayouts(llvm::ArrayRef<EncodedWeightOp> weights);

/// Why weights cannot have a layout that findLayouts has left out.
std::string reasonAgainst(PackedLayout layout,
                          llvm::ArrayRef<EncodedWeightOp> weights);

/// The layout of the dialect.
Layout layoutOf(PackedLayout layout);

/// The first override that matches one of the weights.
const LayoutOverride *findOverride(llvm::ArrayRef<LayoutOverride> overrides,
                                   llvm::ArrayRef<EncodedWeightOp> weights);

} // namespace llmopt

#endif // LLMOPT_PASSES_QUANTIZATION_SPARSELAYOUTS_H
