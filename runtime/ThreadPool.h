//===- ThreadPool.h - Threads that execute an entry together ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_THREADPOOL_H
#define LLMOPT_RUNTIME_THREADPOOL_H

#include "runtime/CallerCore.h"
#include "runtime/Futex.h"
#include "runtime/ParallelLoop.h"

#include "llmopt/Runtime.h"

#include <span>
#include <vector>

#include <pthread.h>

namespace llmopt::runtime {

/// Meeting point of `threads` threads, usable again and again.
class Barrier {
public:
  void setThreads(uint32_t count) { threads = count; }
  void arriveAndWait();
  /// Forgets arrivals of threads that do not exist in a forked child.
  void reset() {
    arrived.store(0);
    released.reset();
  }

private:
  uint32_t threads = 1;
  alignas(LLMOPT_VECTOR_BYTES) std::atomic<uint32_t> arrived{0};
  alignas(LLMOPT_VECTOR_BYTES) std::atomic<uint32_t> phase{0};
  WaitPoint released;
};

/// A fixed number of threads. The caller of run is thread 0; the others sleep
/// between runs and loops, spinning at most kSpinNanoseconds before. Concurrent
/// runs take turns in the order of their arrival. Works in a forked child: the
/// threads are started again by its first run.
class ThreadPool {
public:
  /// Body of a run, executed once by each thread.
  using Function = void (*)(void *context, uint32_t thread);

  /// Threads start with the first run. `affinity` may be empty; see
  /// llmopt_open_options.
  ThreadPool(uint32_t threads, std::span<const uint32_t> affinity);
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;
  ~ThreadPool();

  uint32_t threads() const { return threadCount; }

  /// Executes `function(context, t)` for t = 0..threads-1 at the same time.
  /// Fails if a thread cannot be started; nothing has been executed then.
  llmopt_status run(Function function, void *context);

  /// Executes generated code; sets the fields threads, barrier and
  /// runtime_state of `call`.
  llmopt_status run(llmopt_entry entry, llmopt_call &call);

  /// Makes loops possible in this process. Fails if a thread cannot be started.
  llmopt_status prepareLoops();

  /// Executes `body` for all iterations [0, count) on the caller and those
  /// threads that come in time; see llmopt_graph_call.parallel. After
  /// prepareLoops(); not from within a body.
  void runLoop(llmopt_loop_body body, void *context, uint64_t count,
               uint64_t grain);

private:
  struct Worker {
    ThreadPool *pool;
    uint32_t thread;
    pthread_t handle;
  };

  void adoptAfterFork();
  void takeTurn();
  void endTurn();
  llmopt_status startWorkers();
  void stopWorkers();
  void leaveCoreToCaller();
  void bindToCPU(pthread_attr_t &attributes, uint32_t thread) const;
  static void *workerMain(void *worker);

  const uint32_t threadCount;
  const std::vector<uint32_t> affinity;
  std::vector<Worker> workers;
  /// Process that the threads and the queue belong to; negative while a child
  /// takes over.
  std::atomic<int> owner;

  std::atomic<uint32_t> nextTicket{0}, serving{0};
  WaitPoint turn;

  Function function = nullptr;
  void *context = nullptr;
  std::atomic<bool> stopping{false};
  ParallelLoop loop;
  CallerCore callerCore;
  /// Counts runs and loops. Workers may miss loops, but no run: it ends when
  /// all of them have executed it.
  alignas(LLMOPT_VECTOR_BYTES) std::atomic<uint32_t> epoch{0};
  /// The last epoch that is a run.
  std::atomic<uint32_t> runEpoch{0};
  WaitPoint started;
  alignas(LLMOPT_VECTOR_BYTES) std::atomic<uint32_t> unfinished{0};
  WaitPoint finished;
  Barrier barrier;
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_THREADPOOL_H
