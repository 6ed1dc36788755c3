//===- Futex.h - Spin for a moment, then sleep ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_FUTEX_H
#define LLMOPT_RUNTIME_FUTEX_H

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace llmopt::runtime {

/// Longest time that a waiting thread keeps its core busy. Threads that stream
/// weights at different speeds, and callers that sample between steps, keep the
/// others waiting for tens of microseconds: were it 20 us, the sleeps would
/// cost 2 to 4 per cent of decoding.
constexpr int32_t kSpinNanoseconds = 100'000;
/// The same after a wait that was longer: where cores are short, whoever is
/// awaited may need this one. With another program on one of two cores decoding
/// is 1.2 times as fast as with a limit of 20 us and 2.3 times as with 100 us.
constexpr int32_t kShortSpinNanoseconds = 10'000;

inline void pauseCore() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#endif
}

inline int64_t nowNanoseconds() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
}

/// Event count: threads wait until a condition over other atomics holds;
/// whoever makes it true calls notifyAll. Costs the notifier one load if nobody
/// sleeps.
class WaitPoint {
public:
  /// Returns once `condition()` is true; it is evaluated with acquire loads.
  template <typename Condition> void wait(Condition condition) {
    const int32_t limit = spinLimit.load(std::memory_order_relaxed);
    if (spin(condition, limit)) {
      if (limit < kSpinNanoseconds)
        spinLimit.store(std::min(2 * limit, kSpinNanoseconds),
                        std::memory_order_relaxed);
      return;
    }
    spinLimit.store(kShortSpinNanoseconds, std::memory_order_relaxed);
    sleepers.fetch_add(1);
    for (;;) {
      const uint32_t seen = generation.load();
      if (condition())
        break;
      syscall(SYS_futex, &generation, FUTEX_WAIT_PRIVATE, seen, nullptr,
              nullptr, 0);
    }
    sleepers.fetch_sub(1);
  }

  /// Wakes all waiting threads to look at their condition, which must have been
  /// made true by a sequentially consistent store.
  void notifyAll() {
    if (sleepers.load() == 0)
      return;
    generation.fetch_add(1);
    syscall(SYS_futex, &generation, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr,
            nullptr, 0);
  }

  /// True if notifyAll has somebody to wake, which takes a system call.
  bool hasSleepers() const { return sleepers.load() != 0; }

  /// Forgets sleepers that do not exist in a forked child.
  void reset() { sleepers.store(0); }

private:
  template <typename Condition>
  static bool spin(Condition condition, int32_t nanoseconds) {
    // Most waits end in the first batch and never read the clock.
    constexpr unsigned kPausesPerClock = 32;
    for (int64_t end = 0;;) {
      for (unsigned i = 0; i < kPausesPerClock; ++i) {
        if (condition())
          return true;
        pauseCore();
      }
      const int64_t now = nowNanoseconds();
      if (end == 0)
        end = now + nanoseconds;
      else if (now >= end)
        return false;
    }
  }

  std::atomic<uint32_t> generation{0};
  std::atomic<uint32_t> sleepers{0};
  std::atomic<int32_t> spinLimit{kSpinNanoseconds};
};
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t),
              "used as a futex");

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_FUTEX_H
