//===- BenchSupport.h - Memory, threads and timing of the micro-benchmark -===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_BENCHMARKS_KERNELS_BENCHSUPPORT_H
#define LLMOPT_BENCHMARKS_KERNELS_BENCHSUPPORT_H

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace llmopt {

/// Anonymous memory in huge pages where the system grants them.
class HugeBuffer {
public:
  explicit HugeBuffer(int64_t bytes);
  ~HugeBuffer();
  HugeBuffer(const HugeBuffer &) = delete;
  HugeBuffer &operator=(const HugeBuffer &) = delete;

  uint8_t *data() const { return memory; }
  int64_t size() const { return bytes; }

private:
  uint8_t *memory;
  int64_t bytes;
};

/// Threads that wait by spinning, each bound to a CPU of its own; the caller is
/// thread 0.
class SpinTeam {
public:
  using Work = std::function<void(int64_t thread)>;

  explicit SpinTeam(int64_t threads);
  ~SpinTeam();
  int64_t size() const { return static_cast<int64_t>(workers.size()) + 1; }

  /// Runs work(thread) on every thread and returns the seconds until all are
  /// done.
  double run(const Work &work);
  /// The same, but returns the largest CPU time of a thread: not disturbed by
  /// others that use the machine, and too coarse for less than some
  /// microseconds.
  double runCpuTime(const Work &work);

private:
  void serve(int64_t thread);

  std::atomic<int64_t> round{0}, done{0};
  std::atomic<bool> quit{false};
  const Work *current = nullptr;
  std::vector<std::thread> workers;
};

/// The value below which `fraction` of the samples lie.
double quantile(std::vector<double> samples, double fraction);

} // namespace llmopt

#endif // LLMOPT_BENCHMARKS_KERNELS_BENCHSUPPORT_H
