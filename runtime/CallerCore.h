//===- CallerCore.h - Keeps the core of a caller for it ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_CALLERCORE_H
#define LLMOPT_RUNTIME_CALLERCORE_H

#include <cstdint>
#include <optional>

#include <sched.h>

namespace llmopt::runtime {

/// Where the workers of a pool may run: not on the core of their caller.
///
/// The system wakes a thread on the core of the one that wakes it if the other
/// cores look busy, as they do while and shortly after another program runs.
/// Two threads that wait for each other there sleep half of the time each, so
/// that the core never looks overloaded, and they stay: everything takes twice
/// as long. Where there are many more cores than threads this does not happen.
class CallerCore {
public:
  /// Before the workers of a pool of `threads` threads start, which inherit the
  /// cores of the calling thread.
  void start(uint32_t threads);

  /// Where the workers may run from now on, if the calling thread is on another
  /// core than the caller before.
  std::optional<cpu_set_t> coresOfWorkers();

private:
  bool isActive = false;
  int core = -1; ///< of the last caller
  cpu_set_t allowed;
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_CALLERCORE_H
