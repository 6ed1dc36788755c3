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
#include <bit>

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

void ParallelLoop::finish(WaitPoint &sleepers) {
  if (sleepers.hasSleepers())
    workUntilWakingPays(sleepers);
  else
    alone = 0;
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
  while (takeChunk(thread)) {
  }
}

/// The thread's own part first.
bool ParallelLoop::takeChunk(uint32_t thread) {
  for (size_t i = 0; i < parts.size(); ++i)
    if (takeChunk(parts[(thread + i) % parts.size()]))
      return true;
  return false;
}

bool ParallelLoop::takeChunk(Part &part) {
  if (part.next.load(std::memory_order_relaxed) >= part.end)
    return false;
  const uint64_t begin = part.next.fetch_add(chunk, std::memory_order_relaxed);
  if (begin >= part.end)
    return false;
  const uint64_t end = std::min(part.end, begin + chunk);
  // The last unit may have fewer than `grain` iterations.
  body(context, begin * grain, end == units ? count : end * grain);
  return true;
}

/// To wake a thread costs the caller some microseconds, and the thread begins
/// some later: more than most loops take. What has been done so far says how
/// long the rest takes. Many short loops, of which none is worth it, are worth
/// it together: threads that are awake stay so for a moment.
void ParallelLoop::workUntilWakingPays(WaitPoint &sleepers) {
  constexpr int64_t kWorthwhile = 40'000, kAloneForLong = 100'000;
  const int64_t start = nowNanoseconds();
  const uint64_t chunks = (units - 1) / chunk + 1;
  int64_t time = 0;
  for (uint64_t done = 1; takeChunk(0); ++done) {
    // The clock is read a few times only: most loops are shorter than that.
    if (!std::has_single_bit(done))
      continue;
    time = nowNanoseconds() - start;
    const uint64_t left = chunks > done ? chunks - done : 0;
    if (alone + time < kAloneForLong &&
        static_cast<uint64_t>(time) * left < kWorthwhile * done)
      continue;
    alone = 0;
    return sleepers.notifyAll();
  }
  alone += time;
}

} // namespace llmopt::runtime
