//===- LinearBench.h - Micro-benchmark of the linear kernels ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_BENCHMARKS_KERNELS_LINEARBENCH_H
#define LLMOPT_BENCHMARKS_KERNELS_LINEARBENCH_H

#include "benchmarks/kernels/BenchSupport.h"
#include "benchmarks/kernels/KernelLibrary.h"

namespace llmopt {

struct BenchOptions {
  std::string filter;         ///< only kernels whose name contains this
  std::string cpu = "native"; ///< CPU to compile for
  unsigned maxThreads = 2;
  unsigned rows = 0; ///< of kernels that are not for one row; 0: the usual ones
  double seconds = 0.15; ///< time for one figure
  double zeros = 0.6;    ///< fraction of zeros for bitmasks
};

/// Adds the functions that the kernels are compared with: reading bytes, and
/// multiplying without reading.
void addYardsticks(mlir::ModuleOp module, Isa isa);

/// Reads bytes, of the yardsticks.
using ReadFunction = void (*)(const void *bytes, int64_t count, float *sink);

/// Vectors that one core multiplies per second, one a cycle.
double peakProductsPerSecond(const KernelLibrary &yardsticks);

/// Prints the times of a kernel on several shapes. A kernel for few rows is
/// compared with reading its weight, which lies in a cache or in one of the
/// copies that fill `pool`; others with their multiply instruction.
void benchLinear(const KernelLibrary &library, const KernelLibrary &yardsticks,
                 const LinearKernelKey &key, const HugeBuffer &pool,
                 const BenchOptions &options);

} // namespace llmopt

#endif // LLMOPT_BENCHMARKS_KERNELS_LINEARBENCH_H
