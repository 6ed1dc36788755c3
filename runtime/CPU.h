//===- CPU.h - What the processor and the system can do ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_CPU_H
#define LLMOPT_RUNTIME_CPU_H

#include "llmopt/ModelABI.h"

#include <cstddef>
#include <cstdint>

namespace llmopt::runtime {

/// llmopt_cpu_feature bits that this processor has and whose registers the
/// operating system saves.
uint64_t detectCPUFeatures();

/// Writes the names of the bits of `features` to `text`, separated by commas;
/// unknown bits as a hexadecimal number. Always terminated.
void describeFeatures(uint64_t features, char *text, size_t capacity);

/// Cores that this process may use: CPUs of its affinity mask, hardware threads
/// of one core counted once. At least 1.
uint32_t availableCores();

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_CPU_H
