//===- ThreadPool.cpp - Threads that execute an entry together --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ThreadPool.h"

#include "runtime/Error.h"
#include "runtime/FloatEnvironment.h"

#include <cstring>
#include <sched.h>
#include <signal.h>

namespace llmopt::runtime {

namespace {
struct GeneratedRun {
  llmopt_entry entry;
  llmopt_call *call;
};
} // namespace

//===----------------------------------------------------------------------===//
// Barrier
//===----------------------------------------------------------------------===//

void Barrier::arriveAndWait() {
  const uint32_t seen = phase.load(std::memory_order_relaxed);
  if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
    arrived.store(0, std::memory_order_relaxed);
    phase.store(seen + 1);
    released.notifyAll();
    return;
  }
  released.wait([&] { return phase.load() != seen; });
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

ThreadPool::ThreadPool(uint32_t threads, std::span<const uint32_t> affinity)
    : threadCount(threads ? threads : 1),
      affinity(affinity.begin(), affinity.end()), owner(getpid()),
      loop(threadCount) {
  barrier.setThreads(threadCount);
}

ThreadPool::~ThreadPool() {
  if (owner.load() == getpid())
    stopWorkers();
}

llmopt_status ThreadPool::run(Function newFunction, void *newContext) {
  adoptAfterFork();
  takeTurn();
  if (const llmopt_status status = startWorkers()) {
    endTurn();
    return status;
  }
  leaveCoreToCaller();
  function = newFunction;
  context = newContext;
  unfinished.store(threadCount - 1, std::memory_order_relaxed);
  // Nobody else writes it: this thread has the turn.
  runEpoch.store(epoch.load() + 1);
  epoch.fetch_add(1);
  started.notifyAll();
  newFunction(newContext, 0);
  finished.wait([&] { return unfinished.load() == 0; });
  endTurn();
  return LLMOPT_OK;
}

llmopt_status ThreadPool::run(llmopt_entry entry, llmopt_call &call) {
  GeneratedRun generated = {entry, &call};
  call.threads = threadCount;
  call.runtime_state = &barrier;
  call.barrier = [](llmopt_call *call, uint32_t) {
    static_cast<Barrier *>(call->runtime_state)->arriveAndWait();
  };
  const Function body = [](void *context, uint32_t thread) {
    const DefaultFloatEnvironment environment;
    const auto *run = static_cast<const GeneratedRun *>(context);
    run->entry(run->call, thread);
  };
  return run(body, &generated);
}

llmopt_status ThreadPool::prepareLoops() {
  adoptAfterFork();
  takeTurn();
  const llmopt_status status = startWorkers();
  endTurn();
  return status;
}

void ThreadPool::runLoop(llmopt_loop_body body, void *loopContext,
                         uint64_t count, uint64_t grain) {
  if (count == 0)
    return;
  if (threadCount == 1 || count <= grain) {
    body(loopContext, 0, count);
    return;
  }
  takeTurn();
  leaveCoreToCaller();
  loop.open(body, loopContext, count, grain ? grain : 1);
  epoch.fetch_add(1);
  loop.finish(started);
  endTurn();
}

void ThreadPool::takeTurn() {
  const uint32_t ticket = nextTicket.fetch_add(1);
  turn.wait([&] { return serving.load() == ticket; });
}

void ThreadPool::endTurn() {
  serving.fetch_add(1);
  turn.notifyAll();
}

//===----------------------------------------------------------------------===//
// Workers
//===----------------------------------------------------------------------===//

void *ThreadPool::workerMain(void *argument) {
  const auto *worker = static_cast<const Worker *>(argument);
  ThreadPool &pool = *worker->pool;
  uint32_t seen = 0;
  for (;;) {
    pool.started.wait([&] { return pool.epoch.load() != seen; });
    seen = pool.epoch.load();
    if (pool.stopping)
      return nullptr;
    if (pool.runEpoch.load() != seen) {
      pool.loop.help(worker->thread);
      continue;
    }
    pool.function(pool.context, worker->thread);
    if (pool.unfinished.fetch_sub(1) == 1)
      pool.finished.notifyAll();
  }
}

void ThreadPool::bindToCPU(pthread_attr_t &attributes, uint32_t thread) const {
  if (affinity.empty())
    return;
  const uint32_t cpu = affinity[thread % affinity.size()];
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
}

llmopt_status ThreadPool::startWorkers() {
  if (workers.size() == threadCount - 1)
    return LLMOPT_OK;
  epoch.store(0);
  runEpoch.store(0);
  stopping = false;
  // Where the user has bound the threads they stay.
  callerCore.start(affinity.empty() ? threadCount : 1);
  workers.resize(threadCount - 1);
  // Signals are the program's business: none shall be handled on these threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  uint32_t count = 0;
  for (; count < workers.size() && !error; ++count) {
    Worker &worker = workers[count];
    worker = {this, count + 1, {}};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    bindToCPU(attributes, worker.thread);
    error = pthread_create(&worker.handle, &attributes, workerMain, &worker);
    pthread_attr_destroy(&attributes);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!error)
    return LLMOPT_OK;
  workers.resize(count - 1);
  stopWorkers();
  return fail(
      LLMOPT_OUT_OF_RESOURCES,
      "cannot start thread %u of %u: %s; open the model with fewer threads or "
      "another affinity",
      count, threadCount, strerror(error));
}

/// The caller has the turn.
void ThreadPool::leaveCoreToCaller() {
  const std::optional<cpu_set_t> others = callerCore.coresOfWorkers();
  if (!others)
    return;
  for (const Worker &worker : workers)
    pthread_setaffinity_np(worker.handle, sizeof(*others), &*others);
}

void ThreadPool::stopWorkers() {
  if (workers.empty())
    return;
  stopping = true;
  epoch.fetch_add(1);
  started.notifyAll();
  for (const Worker &worker : workers)
    pthread_join(worker.handle, nullptr);
  workers.clear();
}

/// In a forked child neither the workers nor the threads that waited for a turn
/// exist: the first thread that gets here starts from a clean state.
void ThreadPool::adoptAfterFork() {
  const int self = getpid();
  int current = owner.load();
  while (current != self) {
    if (current == -self) {
      pauseCore();
      current = owner.load();
      continue;
    }
    if (!owner.compare_exchange_strong(current, -self))
      continue;
    workers.clear();
    serving.store(nextTicket.load());
    turn.reset();
    started.reset();
    finished.reset();
    barrier.reset();
    loop.reset();
    owner.store(self);
    return;
  }
}

} // namespace llmopt::runtime
