//===- AttentionBench.cpp - Micro-benchmark of attention --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "benchmarks/kernels/AttentionBench.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

namespace llmopt {

namespace {

/// One sequence with a cache that is filled up to `past`, in one layer.
class AttentionRun {
public:
  AttentionRun(const AttentionKernelKey &key, AttentionFunction function,
               int64_t past, int64_t rows)
      : key(key), function(function), past(past), rows(rows),
        pageBytes(llmopt_page_bytes(key.kv, 1, key.kvHeads, key.headDim)),
        cache((past + rows + 63) / 64 * pageBytes),
        stride((key.heads + 2 * key.kvHeads) * key.headDim),
        qkv(rows * stride * 4), y(rows * key.heads * key.headDim * 4),
        scratch(kMaxThreads * scratchBytes(key)) {
    fill(cache, 0.01f);
    fill(qkv, 0.02f);
    for (int64_t page = 0; page < (past + rows + 63) / 64; ++page)
      table.push_back(reinterpret_cast<uint8_t *>(cache.data()) +
                      page * pageBytes);
    segment.rows = rows;
    segment.past = past;
    segment.pages = table.data();
    call.rows = rows;
    call.segment_count = 1;
    call.segments = &segment;
  }

  void operator()(int64_t thread, int64_t threads) {
    function(&call, reinterpret_cast<const float *>(qkv.data()), stride,
             reinterpret_cast<float *>(y.data()), key.heads * key.headDim,
             /*layer=*/0, thread, threads,
             scratch.data() + thread * scratchBytes(key));
  }

  /// Multiplications and additions of the two products.
  double operations() const {
    double pairs = rows * (past + (rows + 1) / 2.0);
    return 4 * pairs * key.heads * key.headDim;
  }
  /// Bytes of the keys and values that are read.
  double cacheBytes() const {
    return 8.0 * (past + rows) * key.kvHeads * key.headDim;
  }

private:
  static constexpr int64_t kMaxThreads = 8;
  static void fill(const HugeBuffer &buffer, float value) {
    std::fill_n(reinterpret_cast<float *>(buffer.data()), buffer.size() / 4,
                value);
  }

  AttentionKernelKey key;
  AttentionFunction function;
  int64_t past, rows, pageBytes;
  HugeBuffer cache;
  int64_t stride;
  HugeBuffer qkv, y, scratch;
  std::vector<uint8_t *> table;
  llmopt_segment segment = {};
  llmopt_call call = {};
};

} // namespace

void benchAttention(const KernelLibrary &library, const AttentionKernelKey &key,
                    int64_t maxThreads, double seconds) {
  std::string name = kernelName(key);
  llvm::outs() << name << "\n";
  struct Load {
    int64_t past, rows;
  };
  for (Load load : {Load{127, 1}, Load{1023, 1}, Load{8191, 1}, Load{0, 128},
                    Load{512, 128}, Load{1536, 512}}) {
    AttentionRun run(key, library.get<AttentionFunction>(name), load.past,
                     load.rows);
    llvm::outs() << llvm::format("  %4d new of %-4d", int(load.rows),
                                 int(load.past + load.rows));
    for (int64_t threads = 1; threads <= maxThreads; ++threads) {
      SpinTeam team(threads);
      std::vector<double> samples;
      for (double used = 0; samples.size() < 10 || used < seconds;) {
        samples.push_back(
            team.run([&](int64_t thread) { run(thread, threads); }));
        used += samples.back();
      }
      double time = quantile(samples, 0.05);
      llvm::outs() << llvm::format(
          "  %dT %9.1f us %6.1f Gop/s %6.1f GB/s", int(threads), time * 1e6,
          run.operations() / time * 1e-9, run.cacheBytes() / time * 1e-9);
    }
    llvm::outs() << "\n";
  }
}

} // namespace llmopt
