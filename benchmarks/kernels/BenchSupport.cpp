//===- BenchSupport.cpp - Memory, threads and timing of the benchmark -----===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "benchmarks/kernels/BenchSupport.h"
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

namespace llmopt {

namespace {

constexpr int64_t kHugePage = 2 << 20;

void bindToCpu(int64_t cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu % std::thread::hardware_concurrency(), &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

} // namespace

HugeBuffer::HugeBuffer(int64_t size)
    : bytes((size + kHugePage - 1) / kHugePage * kHugePage) {
  memory = static_cast<uint8_t *>(std::aligned_alloc(kHugePage, bytes));
  if (!memory)
    std::abort();
  madvise(memory, bytes, MADV_HUGEPAGE);
  std::memset(memory, 1, bytes);
}

HugeBuffer::~HugeBuffer() { std::free(memory); }

SpinTeam::SpinTeam(int64_t threads) {
  bindToCpu(0);
  for (int64_t thread = 1; thread < threads; ++thread)
    workers.emplace_back([this, thread] { serve(thread); });
}

SpinTeam::~SpinTeam() {
  quit = true;
  for (std::thread &worker : workers)
    worker.join();
}

void SpinTeam::serve(int64_t thread) {
  bindToCpu(thread);
  for (int64_t seen = 0;; ++seen) {
    while (round.load(std::memory_order_acquire) == seen)
      if (quit)
        return;
    (*current)(thread);
    done.fetch_add(1, std::memory_order_release);
  }
}

double SpinTeam::run(const Work &work) {
  current = &work;
  done = 0;
  auto start = std::chrono::steady_clock::now();
  round.fetch_add(1, std::memory_order_release);
  work(0);
  while (done.load(std::memory_order_acquire) + 1 != size()) {
  }
  std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - start;
  return elapsed.count();
}

double SpinTeam::runCpuTime(const Work &work) {
  auto now = [] {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec + 1e-9 * time.tv_nsec;
  };
  std::vector<double> used(size());
  run([&](int64_t thread) {
    double start = now();
    work(thread);
    used[thread] = now() - start;
  });
  return *std::max_element(used.begin(), used.end());
}

double quantile(std::vector<double> samples, double fraction) {
  std::sort(samples.begin(), samples.end());
  return samples[static_cast<size_t>(fraction * (samples.size() - 1))];
}

} // namespace llmopt
