//===- llmopt-bench.cpp - Measure prefill and decode speed ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/common/ModelFlags.h"
#include "tools/llmopt-bench/BenchGraph.h"
#include "tools/testdata/GraphInputs.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <sys/resource.h>

using namespace llvm;
using namespace llmopt::tools;

namespace {

struct Flags {
  cl::OptionCategory category{"llmopt-bench options"};
  ModelFlags model{category};
  cl::opt<std::string> path{cl::Positional, cl::Required, cl::desc("model.so"),
                            cl::cat(category)};
  cl::list<unsigned> prompts{"p", cl::CommaSeparated,
                             cl::desc("Prompt sizes (default 128)"),
                             cl::cat(category)};
  cl::list<unsigned> generations{
      "n", cl::CommaSeparated,
      cl::desc("Numbers of generated tokens (default 64)"), cl::cat(category)};
  cl::list<unsigned> depths{
      "d", cl::CommaSeparated,
      cl::desc("Numbers of tokens that the sequence holds already (default 0)"),
      cl::cat(category)};
  cl::opt<unsigned> repetitions{
      "r", cl::desc("Repetitions of each test (default 5)"), cl::init(5),
      cl::cat(category)};
  cl::list<std::string> inputs{
      "input",
      cl::desc("Input of a graph: NAME=2x3 for random elements, NAME=FILE.npy "
               "or NAME=FILE.pb"),
      cl::cat(category)};
  cl::opt<std::string> data{
      "data", cl::desc("Directory with the inputs of a graph: input_0.pb, ..."),
      cl::cat(category)};
  cl::opt<bool> json{"json", cl::desc("Print JSON"), cl::cat(category)};
};

/// One line of the result: tokens/s (of a graph: ms) of all repetitions,
/// ascending.
struct Measurement {
  std::string test; ///< "pp128" or "tg64@d512", "run" of a graph
  std::vector<double> rates;

  double median() const {
    const size_t half = rates.size() / 2;
    return rates.size() % 2 ? rates[half] : (rates[half - 1] + rates[half]) / 2;
  }
};

class Benchmark {
public:
  Benchmark(llmopt::Session &session, uint32_t vocabulary)
      : session(session), vocabulary(vocabulary) {}

  /// Makes a sequence of `count` tokens, after which all measurements start.
  llmopt::Status fill(unsigned count) {
    depth = count;
    if (llmopt::Status status = session.truncate(0, 0); !status || count == 0)
      return status;
    auto logits = session.step(0, drawTokens(count));
    if (!logits)
      return logits.error();
    return std::monostate{};
  }

  /// A prompt of `count` tokens, or `count` single tokens.
  llmopt::Result<Measurement> measure(bool prompt, unsigned count,
                                      unsigned repetitions) {
    Measurement result{(prompt ? "pp" : "tg") + std::to_string(count), {}};
    if (depth != 0)
      result.test += "@d" + std::to_string(depth);
    // The first one warms up: pages, caches, clock rate.
    for (unsigned i = 0; i <= repetitions; ++i) {
      const std::vector<int32_t> tokens = drawTokens(count);
      if (llmopt::Status status = session.truncate(0, depth); !status)
        return status.error();
      const auto start = std::chrono::steady_clock::now();
      const size_t stride = prompt ? count : 1;
      for (size_t first = 0; first < count; first += stride) {
        auto logits = session.step(0, std::span(tokens).subspan(first, stride));
        if (!logits)
          return logits.error();
      }
      const std::chrono::duration<double> seconds =
          std::chrono::steady_clock::now() - start;
      if (i > 0)
        result.rates.push_back(count / seconds.count());
    }
    std::sort(result.rates.begin(), result.rates.end());
    return result;
  }

private:
  std::vector<int32_t> drawTokens(unsigned count) {
    std::vector<int32_t> tokens(count);
    for (int32_t &token : tokens)
      token = static_cast<int32_t>(random() % vocabulary);
    return tokens;
  }

  llmopt::Session &session;
  uint32_t vocabulary;
  unsigned depth = 0;
  std::mt19937 random;
};

} // namespace

static uint64_t peakBytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) << 10;
}

static void printText(const llmopt_model_info &info,
                      const std::vector<Measurement> &results,
                      const char *unit) {
  outs() << format(
      "%s: %.1f MiB of weights, %.1f M parameters, %s, %u threads\n", info.name,
      info.weights_bytes / 1048576.0, info.parameters / 1e6,
      info.variant_reason, info.threads);
  outs() << "test              median        min        max  " << unit << '\n';
  for (const Measurement &result : results)
    outs() << format("%-13s %10.3f %10.3f %10.3f\n", result.test.c_str(),
                     result.median(), result.rates.front(),
                     result.rates.back());
  outs() << format("peak memory %.1f MiB\n", peakBytes() / 1048576.0);
}

static void printJSON(const llmopt_model_info &info,
                      const std::vector<Measurement> &results, StringRef unit) {
  json::Array tests;
  for (const Measurement &result : results)
    tests.push_back(json::Object{{"test", result.test},
                                 {"median", result.median()},
                                 {"min", result.rates.front()},
                                 {"max", result.rates.back()},
                                 {unit, json::Array(result.rates)}});
  outs() << json::Value(json::Object{{"model", info.name},
                                     {"isa", info.isa},
                                     {"cpu", info.cpu},
                                     {"threads", info.threads},
                                     {"weights_bytes", info.weights_bytes},
                                     {"parameters", info.parameters},
                                     {"tests", std::move(tests)},
                                     {"peak_rss_bytes", peakBytes()}})
         << '\n';
}

static int checkFlags(Flags &flags) {
  if (!flags.inputs.empty() || !flags.data.empty())
    return complain("-input and -data are for graphs, but the model is a "
                    "decoder: use -p and -n",
                    kUsage);
  if (flags.prompts.empty() && flags.generations.empty()) {
    flags.prompts.push_back(128);
    flags.generations.push_back(64);
  }
  if (flags.depths.empty())
    flags.depths.push_back(0);
  for (const std::vector<unsigned> *sizes :
       {&flags.prompts, &flags.generations})
    for (const unsigned size : *sizes)
      if (size == 0)
        return complain("sizes of -p and -n must be at least 1", kUsage);
  return kDone;
}

/// Times executions of a graph: milliseconds instead of tokens/s.
static int benchGraph(Flags &flags, llmopt::Model &model) {
  if (!flags.prompts.empty() || !flags.generations.empty() ||
      !flags.depths.empty())
    return complain(
        "-p, -n and -d are for decoders, but the model is a graph: use "
        "-input=NAME=2x3 or -data",
        kUsage);
  const std::vector<std::string> specs(flags.inputs.begin(),
                                       flags.inputs.end());
  Expected<std::vector<Tensor>> inputs =
      makeGraphInputs(model.info(), specs, flags.data);
  if (!inputs)
    return complain(toString(inputs.takeError()), kUsage);
  auto seconds = measureGraph(model, *inputs, flags.repetitions);
  if (!seconds)
    return complain(seconds.error());
  Measurement result{"run", {}};
  for (const double time : *seconds)
    result.rates.push_back(time * 1e3);
  flags.json ? printJSON(model.info(), {result}, "milliseconds")
             : printText(model.info(), {result}, "milliseconds");
  return kDone;
}

int main(int argc, char **argv) {
  Flags flags;
  if (const int code =
          parseFlags(argc, argv, flags.category,
                     "Measures prefill (pp) and decode (tg) speed, or the "
                     "time of a graph\n"))
    return code;
  if (flags.repetitions == 0)
    return complain("-r must be at least 1", kUsage);
  llmopt::Result<llmopt::Model> model = flags.model.open(flags.path);
  if (!model)
    return complain(model.error());
  if (model->info().kind == LLMOPT_KIND_GRAPH)
    return benchGraph(flags, *model);
  if (const int code = checkFlags(flags))
    return code;
  llmopt::Result<llmopt::Session> session =
      model->createSession({.maxBatch = 1});
  if (!session)
    return complain(session.error());
  Benchmark benchmark(*session, model->info().vocabulary);
  std::vector<Measurement> results;
  for (const unsigned depth : flags.depths) {
    if (llmopt::Status status = benchmark.fill(depth); !status)
      return complain(status.error());
    for (const bool prompt : {true, false})
      for (const unsigned count : prompt ? flags.prompts : flags.generations) {
        auto result = benchmark.measure(prompt, count, flags.repetitions);
        if (!result)
          return complain(result.error());
        results.push_back(*result);
      }
  }
  flags.json ? printJSON(model->info(), results, "tokens_per_s")
             : printText(model->info(), results, "tokens/s");
  return kDone;
}
