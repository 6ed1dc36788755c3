//===- AttentionBench.h - Micro-benchmark of attention ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_BENCHMARKS_KERNELS_ATTENTIONBENCH_H
#define LLMOPT_BENCHMARKS_KERNELS_ATTENTIONBENCH_H

#include "benchmarks/kernels/BenchSupport.h"
#include "benchmarks/kernels/KernelLibrary.h"

namespace llmopt {

/// Prints the times of decoding one token and of 128 new tokens, for short and
/// long caches, with 1 to `maxThreads` threads; `seconds` for each figure.
void benchAttention(const KernelLibrary &library, const AttentionKernelKey &key,
                    int64_t maxThreads, double seconds);

} // namespace llmopt

#endif // LLMOPT_BENCHMARKS_KERNELS_ATTENTIONBENCH_H
