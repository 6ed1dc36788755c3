//===- ParallelLoop.cpp - A loop that threads may join ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ParallelLoop.h"

#include "runtime/FloatEnvironment.h"

#include <algorithm>

namespace llmopt::runtime {

void ParallelLoop::open(llmopt_loop_body newBody, void *newContext,
                        uint64_t newCount, uint64_t newGrain) {
  // Small enough that threads end at about the same time, large enough that
  // taking a piece costs nothing.
  constexpr uint64_t kChunksPerPart = 8;
  body = newBody;
  context = newContext;
  count = newCount;
  grain = newGrain;
  units = (count - 1) / grain + 1;
  const uint64_t perPart = (units - 1) / parts.size() + 1;
  chunk = (perPart - 1) / kChunksPerPart + 1;
  uint64_t begin = 0;
  for (Part &part : parts) {
    part.next.store(begin, std::memory_order_relaxed);
    begin = std::min(units, begin + perPart);
    part.end = begin;
  }
  state.store(kOpen);
}

void ParallelLoop::finish() {
  work(0);
  if (state.fetch_and(~kOpen) != kOpen)
    left.wait([this] { return state.load() == 0; });
}

void ParallelLoop::help(uint32_t thread) {
  if (!join())
    return;
  const DefaultFloatEnvironment environment;
  work(thread);
  leave();
}

bool ParallelLoop::join() {
  uint32_t seen = state.load();
  while (seen & kOpen)
    if (state.compare_exchange_weak(seen, seen + 1))
      return true;
  return false;
}

void ParallelLoop::leave() {
  if (state.fetch_sub(1) == 1)
    left.notifyAll();
}

void ParallelLoop::work(uint32_t thread) {
  for (size_t i = 0; i < parts.size(); ++i)
    workOn(parts[(thread + i) % parts.size()]);
}

void ParallelLoop::workOn(Part &part) {
  while (part.next.load(std::memory_order_relaxed) < part.end) {
    const uint64_t begin =
        part.next.fetch_add(chunk, std::memory_order_relaxed);
    if (begin >= part.end)
      return;
    const uint64_t end = std::min(part.end, begin + chunk);
    // The last unit may have fewer than `grain` iterations.
    body(context, begin * grain, end == units ? count : end * grain);
  }
}

} // namespace llmopt::runtime
