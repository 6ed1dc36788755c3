//===- SparseStructure.h - Where the zeros of a weight are ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_SPARSESTRUCTURE_H
#define LLMOPT_PASSES_QUANTIZATION_SPARSESTRUCTURE_H

#include "dialects/LLMOpt/LLMOptOps.h"

namespace llmopt {

/// What is regular about the zeros of a weight [rows, columns].
struct SparseStructure {
  /// "n:m" when every aligned group of m columns of every row has at most n
  /// values that are not zero; the sparsest of 1:4, 2:4 and 4:8, or empty.
  std::string pattern;
  int64_t deadRows = 0, deadColumns = 0; ///< that hold only zeros
};

SparseStructure findSparseStructure(llvm::ArrayRef<float> weights,
                                    int64_t columns);

/// Notes a structure at a weight, as far as there is one.
void setSparseStructure(EncodedWeightOp weight,
                        const SparseStructure &structure);

} // namespace llmopt

#endif // LLMOPT_PASSES_QUANTIZATION_SPARSESTRUCTURE_H
