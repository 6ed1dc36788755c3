//===- BenchGraph.h - Time of a graph model ---------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_BENCH_BENCHGRAPH_H
#define LLMOPT_TOOLS_LLMOPT_BENCH_BENCHGRAPH_H

#include "llmopt/Runtime.hpp"
#include "tools/testdata/TestData.h"

namespace llmopt::tools {

/// Seconds of `repetitions` executions after some that warm up, ascending.
Result<std::vector<double>>
measureGraph(Model &model, std::vector<Tensor> &inputs, unsigned repetitions);

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_LLMOPT_BENCH_BENCHGRAPH_H
