//===- Machine.cpp - Limits of the machine ----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-bench/Machine.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <sys/mman.h>
#include <thread>

namespace llmopt::tools {

namespace {

constexpr uint64_t kPoolBytes = 256 << 20; ///< larger than any cache
constexpr uint64_t kPieceBytes = 2 << 20;  ///< of one thread; a huge page

/// Where spinning threads meet again and again.
class Meeting {
public:
  explicit Meeting(unsigned threads) : threads(threads) {}

  void wait() {
    const unsigned seen = phase.load(std::memory_order_relaxed);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
      arrived.store(0, std::memory_order_relaxed);
      phase.store(seen + 1, std::memory_order_release);
      return;
    }
    // Where other programs compete for the cores, who is awaited may not run.
    constexpr unsigned kSpins = 1 << 14;
    for (unsigned i = 0; phase.load(std::memory_order_acquire) == seen; ++i)
      if (i >= kSpins)
        std::this_thread::yield();
  }

private:
  const unsigned threads;
  alignas(64) std::atomic<unsigned> arrived{0};
  alignas(64) std::atomic<unsigned> phase{0};
};

} // namespace

static double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

/// Lets `threads` threads execute work(thread, piece) for all pieces, one after
/// the other together; the seconds of each piece, ascending.
static std::vector<double>
timePieces(unsigned threads, unsigned pieces,
           llvm::function_ref<void(unsigned thread, unsigned piece)> work) {
  Meeting meeting(threads);
  std::vector<double> seconds(pieces);
  const auto execute = [&](unsigned thread) {
    for (unsigned piece = 0; piece < pieces; ++piece) {
      meeting.wait();
      const auto start = std::chrono::steady_clock::now();
      work(thread, piece);
      meeting.wait();
      if (thread == 0)
        seconds[piece] = secondsSince(start);
    }
  };
  std::vector<std::thread> others;
  for (unsigned thread = 1; thread < threads; ++thread)
    others.emplace_back(execute, thread);
  execute(0);
  for (std::thread &other : others)
    other.join();
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

void Machine::Release::operator()(uint8_t *memory) const {
  munmap(memory, kPoolBytes);
}

Machine::Machine() {
  void *memory = mmap(nullptr, kPoolBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    llvm::report_bad_alloc_error("no memory to measure the machine with");
  madvise(memory, kPoolBytes, MADV_HUGEPAGE);
  pool.reset(static_cast<uint8_t *>(memory));
  // Pages that were never written are all the same one.
  memset(pool.get(), 1, kPoolBytes);
}

double Machine::measureRead(unsigned threads) {
  const ReadLoop read = readLoop();
  const uint64_t step = threads * kPieceBytes;
  const auto pieces =
      static_cast<unsigned>(std::max<uint64_t>(1, kPoolBytes / step));
  const std::vector<double> seconds =
      timePieces(threads, pieces, [&](unsigned thread, unsigned piece) {
        const uint64_t offset = (piece * step + thread * kPieceBytes);
        read(pool.get() + offset % kPoolBytes, kPieceBytes);
      });
  return static_cast<double>(step) / seconds[seconds.size() / 4];
}

double Machine::measurePeak(PeakLoop loop, unsigned threads) {
  constexpr unsigned kPieces = 100;
  if (!loop)
    return 0;
  uint64_t operations = 0;
  const std::vector<double> seconds =
      timePieces(threads, kPieces, [&](unsigned thread, unsigned) {
        const uint64_t done = loop();
        if (thread == 0)
          operations = done;
      });
  return static_cast<double>(operations * threads) / seconds.front();
}

MachineFigures Machine::measure(unsigned threads) {
  constexpr unsigned kMeetings = 1000;
  MachineFigures figures;
  figures.threads = threads;
  figures.readBytes = measureRead(threads);
  figures.f32 = measurePeak(f32Loop(), threads);
  figures.int8 = measurePeak(int8Loop(), threads);
  figures.bf16 = measurePeak(bf16Loop(), threads);
  figures.forkJoin =
      timePieces(threads, kMeetings, [](unsigned, unsigned) {})[kMeetings / 2];
  return figures;
}

} // namespace llmopt::tools
