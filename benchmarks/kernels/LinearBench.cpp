//===- LinearBench.cpp - Micro-benchmark of the linear kernels --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "benchmarks/kernels/LinearBench.h"
#include "passes/Lowering/Kernels/KernelFunction.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>
#include <random>

namespace llmopt {

namespace {

struct Shape {
  int64_t rows, columns;
};
constexpr Shape kShapes[] = {
    {576, 576}, {1536, 576}, {576, 1536}, {49152, 576}, {4096, 4096}};
constexpr int64_t kPrefillRows = 128;

using ReadFunction = void (*)(const void *bytes, int64_t count, float *sink);
using PeakFunction = void (*)(int64_t rounds, float *sink);

/// Independent products per round of the peak functions.
constexpr int64_t kPeakProducts = 6;

/// A packed weight of a layout with groups, with random codes.
std::vector<uint8_t> packGroupedWeight(const PackedFormat &format,
                                       Shape shape) {
  auto [rows, columns] = shape;
  std::mt19937 random(1);
  std::vector<int8_t> codes(rows * columns);
  bool isSigned = !format.zeroPoints && !format.table;
  for (int8_t &code : codes)
    code = static_cast<int8_t>(random() % 15 - (isSigned ? 7 : 0));
  int64_t groups = rows * ((columns + format.group - 1) / format.group);
  std::vector<float> scales(groups, 0.01f);
  std::vector<uint8_t> points(format.zeroPoints ? groups : 0, 7);
  std::vector<float> table;
  for (int64_t i = 0; format.table && i < kTableEntries; ++i)
    table.push_back(0.1f * float(i - 7));
  std::vector<uint8_t> packed(densePackedBytes(format, rows, columns));
  packGroups(format, {codes, scales, points, table}, rows, columns, packed);
  return packed;
}

/// Random codes of a weight with this fraction of zeros; two of four for the
/// layout that needs it.
std::vector<int8_t> drawCodes(PackedLayout layout, Shape shape, double zeros) {
  std::mt19937 random(1);
  std::vector<int8_t> codes(shape.rows * shape.columns);
  for (int8_t &code : codes)
    code = isSparse(layout) && random() < zeros * 4294967296.0
               ? 0
               : static_cast<int8_t>(random() % 127 + 1);
  for (size_t i = 0; layout == PackedLayout::Int8TwoOfFour && i < codes.size();
       i += 4)
    for (size_t first = random() % 4, j = 0; j < 4; ++j)
      codes[i + j] =
          (first + j) % 4 < 2 ? 0 : std::max<int8_t>(codes[i + j], 1);
  return codes;
}

/// Random bytes of a packed weight.
std::vector<uint8_t> packWeight(const PackedFormat &format, Shape shape,
                                double zeros) {
  if (format.hasGroups())
    return packGroupedWeight(format, shape);
  auto [rows, columns] = shape;
  std::vector<int8_t> codes = drawCodes(format.layout, shape, zeros);
  std::vector<uint8_t> packed(
      packedCodesBytes(format.layout, codes, rows, columns));
  std::vector<float> values(codes.begin(), codes.end());
  if (format.layout == PackedLayout::F32)
    packF32(values, rows, columns, packed);
  else if (format.layout == PackedLayout::BF16)
    packBF16(values, rows, columns, packed);
  else
    packCodes(format.layout, codes, std::vector<float>(rows, 0.01f), rows,
              columns, packed);
  return packed;
}

/// One kernel on one shape with everything that its calls need.
class LinearRun {
public:
  LinearRun(const LinearKernelKey &key, Shape shape, LinearFunction function,
            const BenchOptions &options)
      : function(function), shape(shape),
        packed(packWeight(key.format, shape, options.zeros)),
        stride((packed.size() + 63) / 64 * 64),
        rows(rowCount(key.rows, options)),
        xStride(key.group ? QuantizedRow{shape.columns, key.group}.bytes()
                          : shape.columns * 4),
        x(rows * xStride), y(rows * panelCount(shape.rows) * 64),
        scratchStride((scratchBytes(key, shape.columns) + 127) / 64 * 64),
        scratch(scratchStride * 8) {
    // Harmless as floats, codes and scales alike.
    std::fill_n(reinterpret_cast<float *>(x.data()), x.size() / 4, 1.0f);
  }

  static int64_t rowCount(RowRange range, const BenchOptions &options) {
    if (range == RowRange::Decode)
      return 1;
    int64_t usual = range == RowRange::Small ? 4 : kPrefillRows;
    return options.rows ? options.rows : usual;
  }
  /// Whether reading the weight may take longer than the products.
  bool readsMatter() const { return rows <= 6; }
  int64_t bytes() const { return stride; }
  double operations() const { return 2.0 * rows * shape.rows * shape.columns; }
  /// Fills the memory with copies of the weight, returns their number.
  int64_t fill(const HugeBuffer &pool) const {
    int64_t copies = std::max<int64_t>(1, pool.size() / stride);
    for (int64_t i = 0; i < copies; ++i)
      std::memcpy(pool.data() + i * stride, packed.data(), packed.size());
    return copies;
  }
  void operator()(const uint8_t *weight, int64_t thread, int64_t threads) {
    function(x.data(), xStride, weight, reinterpret_cast<float *>(y.data()),
             panelCount(shape.rows) * 16, rows, panelCount(shape.rows),
             shape.columns, thread, threads,
             scratch.data() + thread * scratchStride);
  }

private:
  LinearFunction function;
  Shape shape;
  std::vector<uint8_t> packed;
  int64_t stride, rows, xStride;
  HugeBuffer x, y;
  int64_t scratchStride;
  HugeBuffer scratch;
};

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
  for (Shape shape : kShapes) {
    LinearRun run(key, shape, library.get<LinearFunction>(name), options);
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
