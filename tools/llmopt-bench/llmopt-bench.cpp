//===- llmopt-bench.cpp - Measure prefill and decode speed ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/common/ModelFlags.h"
#include "tools/llmopt-bench/BenchGraph.h"
#include "tools/llmopt-bench/BenchReport.h"
#include "tools/testdata/GraphInputs.h"

#include <optional>
#include <thread>

using namespace llvm;
using namespace llmopt::tools;

namespace {

struct Flags {
  cl::OptionCategory category{"llmopt-bench options"};
  ModelFlags model{category};
  cl::opt<std::string> path{cl::Positional, cl::desc("model.so"),
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
  cl::opt<bool> machine{
      "machine",
      cl::desc("Measure the machine's limits, alone or in turn with a decoder"),
      cl::cat(category)};
  cl::opt<bool> profile{
      "profile",
      cl::desc("Print the time of every kernel of a decoder; the library must "
               "be compiled with -profile"),
      cl::cat(category)};
  cl::opt<bool> json{"json", cl::desc("Print JSON"), cl::cat(category)};
};

} // namespace

static int print(const Flags &flags, const BenchReport &report) {
  flags.json ? printJSON(report) : printText(report);
  return kDone;
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
  if (flags.machine || flags.profile)
    return complain("-machine and -profile are for decoders, but the model is "
                    "a graph",
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
  Measurement result;
  result.test = "run";
  for (const double time : *seconds)
    result.rates.push_back(time * 1e3);
  BenchReport report{&model.info(), "milliseconds", {result}, {}};
  return print(flags, report);
}

/// Times prompts and single tokens at all depths.
static int benchDecoder(Flags &flags, llmopt::Model &model) {
  if (const int code = checkFlags(flags))
    return code;
  const llmopt_model_info &info = model.info();
  if (flags.profile && !info.variant->has_time_stamps)
    return complain("the library has no time stamps for -profile: compile it "
                    "with -profile",
                    kUsage);
  llmopt::Result<llmopt::Session> session =
      model.createSession({.maxBatch = 1});
  if (!session)
    return complain(session.error());
  std::optional<Machine> machine;
  if (flags.machine)
    machine.emplace();
  DecoderBench bench(*session, info, machine ? &*machine : nullptr,
                     flags.profile);
  BenchReport report{&info, "tokens/s", {}, {}};
  for (const unsigned depth : flags.depths) {
    if (llmopt::Status status = bench.fill(depth); !status)
      return complain(status.error());
    for (const bool prompt : {true, false})
      for (const unsigned count : prompt ? flags.prompts : flags.generations) {
        auto result = bench.measure(prompt, count, flags.repetitions);
        if (!result)
          return complain(result.error());
        report.tests.push_back(std::move(*result));
      }
  }
  if (bench.figures())
    report.machine.push_back(*bench.figures());
  return print(flags, report);
}

/// Measures one thread, and all that a model would have.
static int benchMachine(Flags &flags) {
  const unsigned threads = flags.model.threadCount()
                               ? flags.model.threadCount()
                               : std::thread::hardware_concurrency();
  Machine machine;
  BenchReport report;
  report.machine.push_back(machine.measure(1));
  if (threads > 1)
    report.machine.push_back(machine.measure(threads));
  return print(flags, report);
}

int main(int argc, char **argv) {
  Flags flags;
  if (const int code =
          parseFlags(argc, argv, flags.category,
                     "Measures prefill (pp) and decode (tg) speed, the "
                     "time of a graph, or the machine\n"))
    return code;
  if (flags.repetitions == 0)
    return complain("-r must be at least 1", kUsage);
  if (flags.path.empty() && flags.machine && !flags.profile)
    return benchMachine(flags);
  if (flags.path.empty())
    return complain("no model given; name a library, or use -machine alone",
                    kUsage);
  llmopt::Result<llmopt::Model> model = flags.model.open(flags.path);
  if (!model)
    return complain(model.error());
  return model->info().kind == LLMOPT_KIND_GRAPH ? benchGraph(flags, *model)
                                                 : benchDecoder(flags, *model);
}
