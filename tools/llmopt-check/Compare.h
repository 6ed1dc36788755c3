//===- Compare.h - How far an output is from its reference ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_CHECK_COMPARE_H
#define LLMOPT_TOOLS_LLMOPT_CHECK_COMPARE_H

#include "tools/testdata/TestData.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace llmopt::check {

using tools::DataSet;
using tools::Tensor;

/// How far a float may be from its reference. Integers and bools are equal.
struct Tolerance {
  enum Rule {
    Larger,    ///< |difference| <= max(absolute, relative * |reference|)
    Sum,       ///< |difference| <= absolute + relative * |reference|
    RelativeL2 ///< |difference| <= relative * |reference|, L2 of all elements
  };
  Rule rule = Larger;
  double relative = 1e-3, absolute = 1e-3;
};

/// What the comparison of one data set found.
struct Comparison {
  /// Largest error: relative L2, or |value - reference| / max(1, |reference|).
  double worst = 0;
  int64_t compared = 0, mismatches = 0;
  /// Output of the first mismatch, and what differs, for messages.
  std::string output, firstMismatch;
};

/// Compares `count` elements with those of `reference`, of the same type, that
/// `isWanted` says are defined.
void compareElements(const Tensor &reference, llvm::StringRef name,
                     const void *actual, const Tolerance &tolerance,
                     llvm::function_ref<bool(int64_t)> isWanted,
                     Comparison &result);

} // namespace llmopt::check

#endif // LLMOPT_TOOLS_LLMOPT_CHECK_COMPARE_H
