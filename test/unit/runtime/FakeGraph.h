//===- FakeGraph.h - A graph model small enough to check by hand ----------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Shared by FakeGraph.cpp, which computes it through the model ABI, and by the
// tests. Inputs: x f32 [?, 4], keep bool [?], mode int64 []. Outputs: y f32
// [rows, 4], x times a weight where `keep` is set, else 0; rows int64 [].
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TEST_UNIT_RUNTIME_FAKEGRAPH_H
#define LLMOPT_TEST_UNIT_RUNTIME_FAKEGRAPH_H

#include "FakeModel.h"

namespace fake {

constexpr int64_t kColumns = 4;

/// What the model does instead of, or besides, computing.
enum Mode : int64_t {
  Plain,          // 0 and 1: tools draw integers that nobody gives
  Fail = 2,       ///< calls `fail`
  LoopError,      ///< one iteration of a loop sets loop_error
  HugeMemory,     ///< asks for more memory than there is
  NegativeMemory, ///< asks for a negative size
  SharedOutput,   ///< gives the same memory to both outputs
  NoOutput,       ///< leaves an output without data
  Recycle,        ///< allocates and releases many blocks, writes all of them
  CountThreads,   ///< y begins with the number of threads
  CountCalls,     ///< y begins with the number of calls so far
  LateFail,       ///< fails after it has allocated the outputs
};

constexpr char kFailMessage[] = "node 'gather_3': index 7 is out of range";
constexpr char kLoopMessage[] = "node 'div_1': division by zero";

} // namespace fake

#endif // LLMOPT_TEST_UNIT_RUNTIME_FAKEGRAPH_H
