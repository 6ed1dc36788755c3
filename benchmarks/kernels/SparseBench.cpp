//===- SparseBench.cpp - Sparse against dense formats -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Times one product in every int8 format and int4, in turn, and prints all
// samples with what the cost model predicts, as JSON: one line for each shape,
// level of the memory, number of threads and fraction of zeros.
// benchmarks/sparse calls it.
//
//===----------------------------------------------------------------------===//

#include "benchmarks/kernels/LinearBench.h"
#include "benchmarks/kernels/LinearRun.h"
#include "compiler/FlagParser.h"
#include "target/CostModel.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace llmopt;

namespace {

struct SparseOptions {
  std::string shapes = "1024x1024", zeros = "60", levels = "memory",
              threads = "2", cpu = "native";
  unsigned rounds = 51, rows = 1;
};

/// One thing that is measured: a kernel, or reading the bytes of the dense one.
struct Contestant {
  std::string name;
  PackedFormat format;
  bool reads = false;
};

/// What all contestants of a line share.
struct Case {
  WeightShape shape;
  Residency level;
  int64_t threads, rows;
  double zeros;
};

class Bench {
public:
  Bench(const CpuTarget &target, const KernelLibrary &kernels,
        const KernelLibrary &yardsticks)
      : target(target), kernels(kernels),
        read(yardsticks.get<ReadFunction>("read")),
        hertz(peakProductsPerSecond(yardsticks)) {}

  void run(const Case &each, int64_t rounds);

private:
  struct Entry {
    Contestant contestant;
    std::unique_ptr<LinearRun> run;
    std::unique_ptr<HugeBuffer> pool;
    int64_t copies = 0;
    std::vector<double> samples;
  };

  Entry prepare(const Contestant &contestant, const Case &each) const;
  double time(SpinTeam &team, Entry &entry, Residency level, int64_t round);
  double pass(SpinTeam &team, Entry &entry, int64_t copy);
  MachineModel measuredMachine(const std::vector<Entry> &entries,
                               const Case &each) const;
  std::string choose(const std::vector<Entry> &entries, const Case &each) const;
  void print(const std::vector<Entry> &entries, const Case &each) const;

  const CpuTarget &target;
  const KernelLibrary &kernels;
  ReadFunction read;
  double hertz;
};

/// Weights of this size in all are in the last cache, and no longer in the
/// second one.
constexpr int64_t kLastCacheBytes = 4 << 20;
/// More than the last cache has, together with the other contestants.
constexpr int64_t kMemoryBytes = 64 << 20;

std::vector<Contestant> contestantsOf(double zeros) {
  PackedFormat int4(PackedLayout::Int4Groups, 128, ScaleType::F16);
  std::vector<Contestant> all = {{"read", PackedLayout::Int8, true},
                                 {"int8", PackedLayout::Int8},
                                 {"int8 again", PackedLayout::Int8},
                                 {"int4", int4},
                                 {"int8-bitmask", PackedLayout::Int8Bitmask},
                                 {"int8-gather", PackedLayout::Int8Gather}};
  if (zeros == 0.5)
    all.push_back({"int8-2of4", PackedLayout::Int8TwoOfFour});
  return all;
}

} // namespace

Bench::Entry Bench::prepare(const Contestant &contestant,
                            const Case &each) const {
  LinearKernelKey key{contestant.format, 64,
                      each.rows == 1 ? RowRange::Decode : RowRange::Prefill,
                      Epilogue::Store, target.isa};
  Entry entry;
  entry.contestant = contestant;
  entry.run = std::make_unique<LinearRun>(
      key, each.shape, kernels.get<LinearFunction>(kernelName(key)), each.rows,
      each.zeros);
  int64_t bytes = entry.run->bytes();
  if (each.level != Residency::SecondCache)
    bytes = std::max(bytes, each.level == Residency::Memory ? kMemoryBytes
                                                            : kLastCacheBytes);
  entry.pool = std::make_unique<HugeBuffer>(bytes);
  // Huge pages are larger than what was asked for.
  entry.copies = std::max<int64_t>(1, bytes / entry.run->bytes());
  entry.run->fill(*entry.pool);
  return entry;
}

double Bench::pass(SpinTeam &team, Entry &entry, int64_t copy) {
  int64_t bytes = entry.run->bytes();
  const uint8_t *weight = entry.pool->data() + copy * bytes;
  int64_t threads = team.size(), part = bytes / threads / 64 * 64;
  return team.run([&](int64_t thread) {
    alignas(64) float sink[16];
    if (entry.contestant.reads)
      read(weight + thread * part, part, sink);
    else
      (*entry.run)(weight, thread, threads);
  });
}

double Bench::time(SpinTeam &team, Entry &entry, Residency level,
                   int64_t round) {
  // Others have emptied the caches: fill them again.
  if (level != Residency::Memory)
    for (int64_t copy = 0; copy < entry.copies; ++copy)
      pass(team, entry, copy);
  return pass(team, entry, round % entry.copies);
}

MachineModel Bench::measuredMachine(const std::vector<Entry> &entries,
                                    const Case &each) const {
  MachineModel machine = machineModel(target.llvmCpu);
  machine.hertz = hertz;
  const Entry &reader = entries.front();
  machine.bandwidth[static_cast<int>(each.level)] =
      reader.run->bytes() / quantile(reader.samples, 0.5) / each.threads;
  return machine;
}

/// What the compiler would choose for a model that lies on this level.
std::string Bench::choose(const std::vector<Entry> &entries,
                          const Case &each) const {
  const MachineModel &machine = machineModel(target.llvmCpu);
  std::vector<LayoutCandidate> candidates;
  for (const Entry &entry : entries) {
    const Contestant &contestant = entry.contestant;
    bool isFirst = candidates.empty() || isSparse(contestant.format.layout);
    if (!contestant.reads && !contestant.format.hasGroups() && isFirst)
      candidates.push_back({contestant.format.layout, entry.run->bytes()});
  }
  int64_t modelBytes =
      each.level == Residency::SecondCache ? machine.secondCacheBytes / 2
      : each.level == Residency::LastCache ? machine.lastCacheBytes / 2
                                           : machine.lastCacheBytes * 2;
  LayoutChoice choice = chooseLayout(candidates, each.shape.rows,
                                     each.shape.columns, modelBytes, target);
  return stringify(choice.layout);
}

void Bench::print(const std::vector<Entry> &entries, const Case &each) const {
  MachineModel measured = measuredMachine(entries, each);
  llvm::json::Object formats;
  for (const Entry &entry : entries) {
    auto predict = [&](const MachineModel &machine) {
      return 1e6 / each.threads *
             linearSeconds(entry.contestant.format, each.shape.rows,
                           each.shape.columns, entry.run->bytes(), target.isa,
                           machine, each.level);
    };
    llvm::json::Object format{{"bytes", entry.run->bytes()}};
    if (!entry.contestant.reads && each.rows == 1) {
      format["predicted_us"] = predict(measured);
      format["table_us"] = predict(machineModel(target.llvmCpu));
    }
    llvm::json::Array samples;
    for (double sample : entry.samples)
      samples.push_back(sample * 1e6);
    format["us"] = std::move(samples);
    formats[entry.contestant.name] = std::move(format);
  }
  llvm::outs() << llvm::json::Value(
                      llvm::json::Object{{"rows", each.shape.rows},
                                         {"columns", each.shape.columns},
                                         {"level", stringify(each.level)},
                                         {"threads", each.threads},
                                         {"activations", each.rows},
                                         {"zeros", each.zeros},
                                         {"hertz", hertz},
                                         {"chosen", choose(entries, each)},
                                         {"formats", std::move(formats)}})
               << "\n";
  llvm::outs().flush();
}

void Bench::run(const Case &each, int64_t rounds) {
  std::vector<Entry> entries;
  for (const Contestant &contestant : contestantsOf(each.zeros))
    entries.push_back(prepare(contestant, each));
  SpinTeam team(each.threads);
  for (int64_t round = -1; round < rounds; ++round)
    for (size_t i = 0; i < entries.size(); ++i) {
      // Every round begins with another one.
      Entry &entry = entries[(i + round + 1) % entries.size()];
      double seconds = time(team, entry, each.level, round + 1);
      if (round >= 0)
        entry.samples.push_back(seconds);
    }
  print(entries, each);
}

//===----------------------------------------------------------------------===//
// Command line
//===----------------------------------------------------------------------===//

namespace {

std::optional<WeightShape> parseShape(llvm::StringRef text) {
  auto [rows, columns] = text.split('x');
  WeightShape shape;
  if (rows.getAsInteger(10, shape.rows) ||
      columns.getAsInteger(10, shape.columns) || shape.rows < 16 ||
      shape.columns < 32)
    return std::nullopt;
  return shape;
}

std::optional<Residency> parseLevel(llvm::StringRef text) {
  for (Residency level :
       {Residency::SecondCache, Residency::LastCache, Residency::Memory})
    if (text == stringify(level))
      return level;
  return std::nullopt;
}

std::optional<int64_t> parseNumber(llvm::StringRef text, int64_t most) {
  int64_t value;
  if (text.getAsInteger(10, value) || value < 0 || value > most)
    return std::nullopt;
  return value;
}

/// The parts of a list, or none and a message where one is wrong.
template <typename Parse>
auto parseList(llvm::StringRef what, llvm::StringRef text, Parse parse)
    -> std::vector<typename decltype(parse(text))::value_type> {
  std::vector<typename decltype(parse(text))::value_type> values;
  for (llvm::StringRef part : llvm::split(text, ',')) {
    auto value = parse(part);
    if (!value) {
      llvm::errs() << "error: -" << what << " has the wrong value '" << part
                   << "'\n";
      return {};
    }
    values.push_back(*value);
  }
  return values;
}

/// All cases, shapes outermost; none where an option is wrong.
std::vector<Case> casesOf(const SparseOptions &options) {
  auto shapes = parseList("shapes", options.shapes, parseShape);
  auto levels = parseList("levels", options.levels, parseLevel);
  auto number = [](int64_t most) {
    return [most](llvm::StringRef text) { return parseNumber(text, most); };
  };
  auto threads = parseList("threads", options.threads, number(8));
  auto zeros = parseList("zeros", options.zeros, number(99));
  std::vector<Case> cases;
  for (WeightShape shape : shapes)
    for (Residency level : levels)
      for (int64_t count : threads)
        for (int64_t percent : zeros)
          cases.push_back({shape, level, std::max<int64_t>(1, count),
                           options.rows, percent / 100.0});
  return cases;
}

/// Parses the command line. Returns the exit code if the program is to end.
std::optional<int> parseOptions(int argc, char **argv, SparseOptions &options) {
  FlagParser parser("llmopt-sparse-bench", "[flags]",
                    "Times sparse and dense kernels in turn; prints JSON.");
  parser.beginGroup("Cases");
  parser.addText("shapes", "NxK,...", options.shapes, "weights");
  parser.addText("levels", "l2|l3|memory,...", options.levels,
                 "where the weights lie");
  parser.addText("threads", "N,...", options.threads, "threads");
  parser.addText("zeros", "PERCENT,...", options.zeros, "zeros in 100 codes");
  parser.addNumber("rows", 1, 512, options.rows, "rows of activations");
  parser.beginGroup("Measurements");
  parser.addNumber("rounds", 1, 10000, options.rounds,
                   "samples of each contestant");
  parser.addText("mcpu", "CPU", options.cpu, "CPU to compile for");
  FlagParser::Result flags = parser.parse({argv + 1, argv + argc});
  for (const std::string &error : flags.errors)
    llvm::errs() << "error: " << error << "\n";
  for (const std::string &argument : flags.positional)
    llvm::errs() << "error: unexpected argument '" << argument << "'\n";
  if (!flags.errors.empty() || !flags.positional.empty())
    return 2;
  if (parser.answer(flags, llvm::outs()))
    return 0;
  return std::nullopt;
}

} // namespace

int main(int argc, char **argv) {
  SparseOptions options;
  if (std::optional<int> code = parseOptions(argc, argv, options))
    return *code;
  std::vector<Case> cases = casesOf(options);
  if (cases.empty())
    return 2;
  std::string error;
  std::optional<CpuTarget> target = resolveCpu(options.cpu, error);
  if (!target) {
    llvm::errs() << "error: " << error << "\n";
    return 2;
  }
  auto kernels = KernelLibrary::build(*target);
  auto yardsticks = KernelLibrary::build(*target, [&](mlir::ModuleOp module) {
    addYardsticks(module, target->isa);
  });
  if (!kernels || !yardsticks)
    return 1;
  Bench bench(*target, *kernels, *yardsticks);
  for (const Case &each : cases)
    bench.run(each, options.rounds);
  return 0;
}
