//===- LinearBench.cpp - Micro-benchmark of the linear kernels --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "benchmarks/kernels/LinearBench.h"
#include "benchmarks/kernels/LinearRun.h"
#include "passes/Lowering/Kernels/KernelFunction.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

namespace llmopt {

namespace {

constexpr WeightShape kShapes[] = {
    {576, 576}, {1536, 576}, {576, 1536}, {49152, 576}, {4096, 4096}};

using PeakFunction = void (*)(int64_t rounds, float *sink);

/// Independent products per round of the peak functions.
constexpr int64_t kPeakProducts = 6;

int64_t rowCount(RowRange range, const BenchOptions &options) {
  constexpr int64_t prefillRows = 128;
  if (range == RowRange::Decode)
    return 1;
  int64_t usual = range == RowRange::Small ? 4 : prefillRows;
  return options.rows ? options.rows : usual;
}

/// Seconds per pass over a copy: of the kernel, and of reading the same bytes.
struct Timing {
  double kernel, read;
};

/// Times kernel and reader in turn over the copies until the time is used up.
/// The first quartile leaves out what other users of the machine take.
Timing timeCopies(SpinTeam &team, LinearRun &run, ReadFunction read,
                  const HugeBuffer &pool, int64_t copies, double seconds) {
  std::vector<double> kernel, reading;
  int64_t threads = team.size();
  int64_t part = run.bytes() / threads / 64 * 64;
  double used = 0;
  for (int64_t i = 0; used < seconds || i < copies || i < 20; ++i) {
    const uint8_t *weight = pool.data() + i % copies * run.bytes();
    bool readTurn = i % 2 != 0;
    if (i > 40 && used > 4 * seconds)
      break;
    double time = team.run([&](int64_t thread) {
      alignas(64) float sink[16];
      if (readTurn)
        read(weight + thread * part, part, sink);
      else
        run(weight, thread, threads);
    });
    (readTurn ? reading : kernel).push_back(time);
    used += time;
  }
  double fraction = copies == 1 ? 0.05 : 0.25;
  return {quantile(kernel, fraction),
          reading.empty() ? 0 : quantile(reading, fraction)};
}

/// Seconds of one prefill call; the weight stays where the caches keep it.
double timePrefill(SpinTeam &team, LinearRun &run, const HugeBuffer &pool,
                   double seconds) {
  std::vector<double> samples;
  double used = 0;
  while (samples.size() < 4 || used < seconds) {
    samples.push_back(team.runCpuTime(
        [&](int64_t thread) { run(pool.data(), thread, team.size()); }));
    used += samples.back();
  }
  return quantile(samples, 0.05);
}

void printDecode(const Timing &timing, int64_t bytes, const char *place,
                 int64_t threads) {
  llvm::outs() << llvm::format("  %s %dT %8.1f us %6.1f GB/s %4.0f%%", place,
                               int(threads), timing.kernel * 1e6,
                               bytes / timing.kernel * 1e-9,
                               100 * timing.read / timing.kernel);
}

/// Seconds of one round of a peak function on one thread.
double peakSeconds(PeakFunction peak) {
  alignas(64) float sink[16 * kPeakProducts] = {};
  SpinTeam team(1);
  std::vector<double> samples;
  constexpr int64_t rounds = 20000;
  for (int i = 0; i < 40; ++i)
    samples.push_back(team.runCpuTime([&](int64_t) { peak(rounds, sink); }));
  return quantile(samples, 0) / rounds;
}

} // namespace

double peakProductsPerSecond(const KernelLibrary &yardsticks) {
  return kPeakProducts / peakSeconds(yardsticks.get<PeakFunction>("peak_int8"));
}

void addYardsticks(mlir::ModuleOp module, Isa isa) {
  constexpr int64_t unroll = 8;
  exportFunction(getOrCreateFunction(
      module, "read", "pip", isa, [](KernelBuilder &k, mlir::ValueRange args) {
        Values sums(unroll, k.constant(k.ints(), 0));
        sums = k.loop(args[1], unroll * kVectorBytes, sums,
                      [&](mlir::Value offset, mlir::ValueRange in) {
                        Values next(in);
                        for (int64_t i = 0; i < unroll; ++i)
                          next[i] = k.bitXor(
                              next[i], k.load(k.ints(), k.at(args[0], offset),
                                              i * kVectorBytes));
                        return next;
                      });
        for (int64_t i = 1; i < unroll; ++i)
          sums[0] = k.bitXor(sums[0], sums[i]);
        k.store(sums[0], args[2]);
      }));
  for (bool integers : {false, true})
    exportFunction(getOrCreateFunction(
        module, integers ? "peak_int8" : "peak_f32", "ip", isa,
        [&](KernelBuilder &k, mlir::ValueRange args) {
          mlir::VectorType type = integers ? k.ints() : k.floats();
          mlir::Value x = k.load(type, args[1]);
          mlir::Value w = k.load(integers ? k.bytes() : type, args[1], 64);
          Values sums(kPeakProducts, x);
          sums =
              k.loop(args[0], 1, sums, [&](mlir::Value, mlir::ValueRange in) {
                Values next(in);
                for (mlir::Value &sum : next)
                  sum = integers ? k.dot(sum, w, x) : k.fma(w, x, sum);
                return next;
              });
          for (int64_t i = 0; i < kPeakProducts; ++i)
            k.store(sums[i], args[1], i * kVectorBytes);
        }));
}

void benchLinear(const KernelLibrary &library, const KernelLibrary &yardsticks,
                 const LinearKernelKey &key, const HugeBuffer &pool,
                 const BenchOptions &options) {
  std::string name = kernelName(key);
  llvm::outs() << name << "\n";
  auto read = yardsticks.get<ReadFunction>("read");
  double peak = peakSeconds(
      yardsticks.get<PeakFunction>(key.group ? "peak_int8" : "peak_f32"));
  double rate = kPeakProducts * 16 * 2 * (key.group ? 4 : 1) / peak;
  for (WeightShape shape : kShapes) {
    LinearRun run(key, shape, library.get<LinearFunction>(name),
                  rowCount(key.rows, options), options.zeros);
    int64_t copies = run.fill(pool);
    llvm::outs() << llvm::format("  %5dx%-5d", int(shape.rows),
                                 int(shape.columns));
    for (int64_t threads = 1; threads <= options.maxThreads; ++threads) {
      SpinTeam team(threads);
      if (!run.readsMatter()) {
        double time = timePrefill(team, run, pool, options.seconds);
        llvm::outs() << llvm::format(
            "  %dT %9.1f us %7.1f Gop/s %4.0f%%", int(threads), time * 1e6,
            run.operations() / time * 1e-9,
            100 * run.operations() / time / rate / threads);
        continue;
      }
      printDecode(timeCopies(team, run, read, pool, 1, options.seconds),
                  run.bytes(), "again", threads);
      printDecode(timeCopies(team, run, read, pool, copies, options.seconds),
                  run.bytes(), "memory", threads);
    }
    llvm::outs() << "\n";
    llvm::outs().flush();
  }
}

} // namespace llmopt
