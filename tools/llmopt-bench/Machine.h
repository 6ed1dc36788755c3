//===- Machine.h - Limits of the machine ------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_BENCH_MACHINE_H
#define LLMOPT_TOOLS_LLMOPT_BENCH_MACHINE_H

#include "tools/llmopt-bench/MachineLoops.h"

#include "llvm/Support/MemAlloc.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace llmopt::tools {

/// What some threads reach together.
struct MachineFigures {
  unsigned threads = 0;
  double readBytes = 0;               ///< per second, from memory
  double f32 = 0, int8 = 0, bf16 = 0; ///< operations per second; 0: not there
  double forkJoin = 0;                ///< seconds from one meeting to the next
};

/// Measures the limits of the machine. Threads exist only while something is
/// measured.
class Machine {
public:
  Machine();

  /// Bytes per second that `threads` threads read from memory, each a stream
  /// of its own: the upper quartile of many short pieces.
  double measureRead(unsigned threads);
  MachineFigures measure(unsigned threads);

private:
  double measurePeak(PeakLoop loop, unsigned threads);

  struct Release {
    void operator()(uint8_t *memory) const;
  };
  std::unique_ptr<uint8_t, Release> pool;
};

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_LLMOPT_BENCH_MACHINE_H
