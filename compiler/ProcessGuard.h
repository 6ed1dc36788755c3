//===- ProcessGuard.h - Clean ends of the process ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_PROCESSGUARD_H
#define LLMOPT_COMPILER_PROCESSGUARD_H

#include "llvm/ADT/StringRef.h"
#include <memory>
#include <mutex>
#include <pthread.h>
#include <string>
#include <vector>

namespace llmopt {

/// Removes what is half written when the process is interrupted, runs out of
/// memory or has an internal error.
///
/// Signals that interrupt are blocked in all threads and taken by a thread of
/// their own, which may do whatever a signal handler may not. It removes the
/// registered directories and ends the process: after an interruption with 128
/// and the signal's number, as shells report it; without memory with
/// ExitCode::Resources; after a crash with ExitCode::BadModel. The last two
/// print a line on standard error.
///
/// One object for a process, to be made by `main` before any thread is.
class ProcessGuard {
public:
  ProcessGuard();
  ~ProcessGuard();
  ProcessGuard(const ProcessGuard &) = delete;
  ProcessGuard &operator=(const ProcessGuard &) = delete;

  /// Registers a directory to be removed with everything in it.
  void protect(llvm::StringRef directory);
  /// Takes back protect.
  void release(llvm::StringRef directory);

private:
  static void *watch(void *self);
  void cleanUp();

  std::mutex mutex;
  std::vector<std::string> directories;
  /// Given back to the system when memory has run out, for the clean-up.
  std::unique_ptr<char[]> reserve;
  pthread_t watcher;
};

/// Removes a directory with everything in it. Allocates nothing with new.
void removeTree(const char *directory);

} // namespace llmopt

#endif // LLMOPT_COMPILER_PROCESSGUARD_H
