//===- MachineLoops.h - Loops that reach the machine's limits ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_BENCH_MACHINELOOPS_H
#define LLMOPT_TOOLS_LLMOPT_BENCH_MACHINELOOPS_H

#include <cstdint>

namespace llmopt::tools {

/// Reads `bytes` (a multiple of 1024) in order, with the widest vectors.
using ReadLoop = void (*)(const uint8_t *data, uint64_t bytes);

/// Executes independent multiply-adds and returns how many multiplications and
/// additions they were.
using PeakLoop = uint64_t (*)();

/// The read loop for this CPU.
ReadLoop readLoop();

// The loops for this CPU, null where it lacks the instruction.
PeakLoop f32Loop();  ///< fused multiply-add
PeakLoop int8Loop(); ///< VPDPBUSD
PeakLoop bf16Loop(); ///< VDPBF16PS

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_LLMOPT_BENCH_MACHINELOOPS_H
