//===- Profile.cpp - Times of kernels ---------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Profile.h"

#include "runtime/Error.h"
#include "runtime/Futex.h"

namespace llmopt::runtime {

static uint64_t readTicks() {
#ifdef __x86_64__
  return __builtin_ia32_rdtsc();
#else
  return static_cast<uint64_t>(nowNanoseconds());
#endif
}

void Profile::create(const llmopt_variant &variant, uint32_t threads) {
  if (variant.has_time_stamps)
    counters.assign(size_t{threads} * variant.kernel_count, {});
  firstTick = readTicks();
  firstNanosecond = nowNanoseconds();
}

double Profile::secondsPerTick() const {
  // Shorter distances would be measured badly.
  constexpr int64_t kLeastNanoseconds = 10'000'000;
  int64_t now = nowNanoseconds();
  while (now - firstNanosecond < kLeastNanoseconds)
    now = nowNanoseconds();
  return 1e-9 * static_cast<double>(now - firstNanosecond) /
         static_cast<double>(readTicks() - firstTick);
}

llmopt_status Profile::take(std::span<llmopt_kernel_time> times) {
  if (counters.empty())
    return fail(LLMOPT_INVALID_ARGUMENT,
                "the library has no time stamps; compile it with -profile");
  if (times.size() != counters.size())
    return fail(LLMOPT_INVALID_ARGUMENT,
                "there is room for %zu times, but the kernels of all threads "
                "have %zu",
                times.size(), counters.size());
  const double unit = secondsPerTick();
  for (size_t i = 0; i < counters.size(); ++i) {
    times[i] = {counters[i].calls,
                static_cast<double>(counters[i].ticks) * unit};
    counters[i] = {};
  }
  return LLMOPT_OK;
}

} // namespace llmopt::runtime
