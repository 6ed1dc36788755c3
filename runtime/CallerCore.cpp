//===- CallerCore.cpp - Keeps the core of a caller for it -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/CallerCore.h"

namespace llmopt::runtime {

void CallerCore::start(uint32_t threads) {
  core = -1;
  isActive = false;
  if (threads < 2 || sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
    return;
  const auto cores = static_cast<uint32_t>(CPU_COUNT(&allowed));
  isActive = cores >= threads && cores < 2 * threads;
}

std::optional<cpu_set_t> CallerCore::coresOfWorkers() {
  if (!isActive)
    return std::nullopt;
  const int now = sched_getcpu();
  if (now == core || now < 0 || now >= CPU_SETSIZE)
    return std::nullopt;
  core = now;
  cpu_set_t others = allowed;
  CPU_CLR(now, &others);
  return others;
}

} // namespace llmopt::runtime
