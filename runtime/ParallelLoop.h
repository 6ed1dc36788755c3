//===- ParallelLoop.h - A loop that threads may join ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_PARALLELLOOP_H
#define LLMOPT_RUNTIME_PARALLELLOOP_H

#include "runtime/Futex.h"

#include "llmopt/ModelABI.h"

#include <vector>

namespace llmopt::runtime {

/// One loop at a time, executed by its caller and by those other threads that
/// come while iterations are left: a short loop is over before a sleeping
/// thread has woken up, and does not wait for it. Every thread begins with its
/// own part of the iterations, the same for every loop of that size, so that
/// it finds in its cache what it wrote before; then it helps with other parts.
class ParallelLoop {
public:
  /// `threads` take part at most, the caller included.
  explicit ParallelLoop(uint32_t threads) : parts(threads) {}

  /// Lets threads join. `count` and `grain` are positive; pieces begin at
  /// multiples of `grain`.
  void open(llmopt_loop_body body, void *context, uint64_t count,
            uint64_t grain);
  /// The caller's share: executes iterations until none is left, and returns
  /// when all threads have left. Nobody can join after that. Wakes those that
  /// sleep at `sleepers` once it pays.
  void finish(WaitPoint &sleepers);
  /// Executes iterations as thread `thread`, if the loop is open.
  void help(uint32_t thread);

  /// Forgets threads that do not exist in a forked child.
  void reset() {
    state.store(0);
    left.reset();
  }

private:
  /// Units [next, end) that nobody has taken yet.
  struct alignas(LLMOPT_VECTOR_BYTES) Part {
    std::atomic<uint64_t> next{0};
    uint64_t end = 0;
  };

  static constexpr uint32_t kOpen = 1u << 31;

  bool join();
  void leave();
  void work(uint32_t thread);
  bool takeChunk(Part &part);
  bool takeChunk(uint32_t thread);
  void workUntilWakingPays(WaitPoint &sleepers);

  std::vector<Part> parts;
  // Constant while the loop is open or a thread is in it.
  llmopt_loop_body body = nullptr;
  void *context = nullptr;
  uint64_t count = 0;
  uint64_t grain = 1; ///< iterations of a unit
  uint64_t units = 0;
  uint64_t chunk = 1; ///< units taken at once
  /// Time that the caller has spent on loops since it last had awake threads.
  int64_t alone = 0;

  /// kOpen, and how many threads besides the caller are in the loop.
  alignas(LLMOPT_VECTOR_BYTES) std::atomic<uint32_t> state{0};
  WaitPoint left;
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_PARALLELLOOP_H
