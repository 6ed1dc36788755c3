//===- llmopt-run.cpp - Continue a sequence of token ids --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/TokenFile.h"
#include "llmopt/Generation.hpp"
#include "tools/common/ModelFlags.h"
#include "tools/llmopt-run/RunGraph.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>

using namespace llvm;
using namespace llmopt::tools;

namespace {

struct Flags {
  cl::OptionCategory category{"llmopt-run options"};
  ModelFlags model{category};
  cl::opt<std::string> path{cl::Positional, cl::Required, cl::desc("model.so"),
                            cl::cat(category)};
  cl::opt<std::string> tokens{"tokens",
                              cl::desc("Prompt: token ids separated by commas"),
                              cl::cat(category)};
  cl::opt<std::string> tokenFile{
      "token-file",
      cl::desc("Prompt: .npy, .bin or text file of token ids, - for "
               "standard input"),
      cl::cat(category)};
  cl::opt<unsigned> count{"n", cl::desc("Tokens to generate (default 64)"),
                          cl::init(64), cl::cat(category)};
  cl::list<int> stop{"stop", cl::CommaSeparated,
                     cl::desc("Token ids that end the generation"),
                     cl::cat(category)};
  cl::opt<double> temperature{"temperature",
                              cl::desc("0 (default): the most likely token"),
                              cl::init(0), cl::cat(category)};
  cl::opt<unsigned> topK{"top-k",
                         cl::desc("Draw from the K most likely (0: all)"),
                         cl::init(0), cl::cat(category)};
  cl::opt<double> topP{
      "top-p", cl::desc("Draw from the fewest tokens of this probability"),
      cl::init(1), cl::cat(category)};
  cl::opt<uint64_t> seed{"seed", cl::desc("Seed of the draw (default 0)"),
                         cl::init(0), cl::cat(category)};
  cl::opt<unsigned> beams{
      "beams", cl::desc("Print the N likeliest texts that beam search finds"),
      cl::init(1), cl::cat(category)};
  cl::opt<double> lengthPenalty{
      "length-penalty",
      cl::desc("Power of the length that divides a text's log probability"),
      cl::init(1), cl::cat(category)};
  cl::list<std::string> inputs{
      "input",
      cl::desc("Input of a graph: NAME=FILE.npy, NAME=FILE.pb or NAME=2x3 for "
               "random elements"),
      cl::cat(category)};
  cl::opt<std::string> data{
      "data", cl::desc("Directory with the inputs of a graph: input_0.pb, ..."),
      cl::cat(category)};
  cl::opt<std::string> outputs{
      "output-dir", cl::desc("Directory for the outputs of a graph: NAME.npy"),
      cl::cat(category)};
  cl::opt<bool> timing{"time", cl::desc("Print tokens/s on standard error"),
                       cl::cat(category)};
};

/// Tokens per second of the parts of a run.
class Clock {
public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(start, now))
        .count();
  }

private:
  std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
};

} // namespace

static int checkFlags(const Flags &flags) {
  if (!flags.inputs.empty() || !flags.data.empty() || !flags.outputs.empty())
    return complain("-input, -data and -output-dir are for graphs, but the "
                    "model is a decoder: give it tokens",
                    kUsage);
  if (flags.tokens.empty() == flags.tokenFile.empty())
    return complain("give the prompt with either -tokens or -token-file",
                    kUsage);
  if (flags.temperature < 0)
    return complain("-temperature must be at least 0", kUsage);
  if (!(flags.topP > 0 && flags.topP <= 1))
    return complain("-top-p must be in (0, 1]", kUsage);
  if (flags.beams == 0)
    return complain("-beams must be at least 1", kUsage);
  if (flags.beams > 1 && flags.temperature > 0)
    return complain("-beams searches and -temperature draws: give one of them",
                    kUsage);
  return kDone;
}

static void printRates(size_t promptTokens, double promptSeconds,
                       size_t generated, double seconds) {
  errs() << format(
      "prompt: %zu tokens, %.1f tokens/s; generated: %zu tokens, %.1f "
      "tokens/s\n",
      promptTokens, promptTokens / promptSeconds, generated,
      generated > 1 ? (generated - 1) / seconds : 0.0);
}

/// Prints tokens as they come. Ends at a stop token, at -n or when the context
/// is full.
static int generate(const Flags &flags, llmopt::Session &session,
                    ArrayRef<int32_t> prompt) {
  llmopt::GenerationSettings settings;
  settings.maxTokens = flags.count;
  settings.stop.assign(flags.stop.begin(), flags.stop.end());
  settings.sampler = {flags.temperature, flags.topK, flags.topP, flags.seed};
  Clock clock;
  double promptSeconds = 0;
  size_t printed = 0;
  auto print = [&](int32_t token) {
    if (printed == 0)
      promptSeconds = clock.lap();
    outs() << (printed++ ? " " : "") << token;
    outs().flush();
    return true;
  };
  llmopt::Result<llmopt::Generation> generation =
      llmopt::generate(session, 0, prompt, settings, print);
  if (!generation)
    return complain(generation.error());
  outs() << '\n';
  if (generation->reason == llmopt::StopReason::ContextFull)
    errs() << "note: the context is full\n";
  if (flags.timing)
    printRates(prompt.size(), promptSeconds, printed, clock.lap());
  return kDone;
}

/// Prints one text per line, the best first.
static int searchTexts(const Flags &flags, llmopt::Session &session,
                       ArrayRef<int32_t> prompt) {
  llmopt::BeamSettings settings;
  settings.beams = flags.beams;
  settings.maxTokens = flags.count;
  settings.stop.assign(flags.stop.begin(), flags.stop.end());
  settings.lengthPenalty = flags.lengthPenalty;
  Clock clock;
  double promptSeconds = 0;
  auto onPrompt = [&] { promptSeconds = clock.lap(); };
  llmopt::Result<std::vector<llmopt::Hypothesis>> found =
      llmopt::searchBeams(session, prompt, settings, onPrompt);
  if (!found)
    return complain(found.error());
  const double seconds = clock.lap();
  size_t longest = 0;
  for (const llmopt::Hypothesis &hypothesis : *found) {
    outs() << format("%.6f", hypothesis.score);
    for (const int32_t token : hypothesis.tokens)
      outs() << ' ' << token;
    outs() << '\n';
    longest = std::max(longest, hypothesis.tokens.size());
  }
  if (flags.timing)
    printRates(prompt.size(), promptSeconds, longest, seconds);
  return kDone;
}

static int runOnce(const Flags &flags, llmopt::Model &model) {
  if (!flags.tokens.empty() || !flags.tokenFile.empty())
    return complain("the model is a graph and takes no tokens: give it "
                    "-input=NAME=VALUE or -data",
                    kUsage);
  const std::vector<std::string> inputs(flags.inputs.begin(),
                                        flags.inputs.end());
  return runGraph(model, {inputs, flags.data, flags.outputs});
}

int main(int argc, char **argv) {
  Flags flags;
  if (const int code = parseFlags(argc, argv, flags.category,
                                  "Continues a sequence of token ids, or "
                                  "executes a graph once\n"))
    return code;
  llmopt::Result<llmopt::Model> model = flags.model.open(flags.path);
  if (!model)
    return complain(model.error());
  if (model->info().kind == LLMOPT_KIND_GRAPH)
    return runOnce(flags, *model);
  if (const int code = checkFlags(flags))
    return code;
  Expected<std::vector<int32_t>> tokens =
      flags.tokenFile.empty()
          ? llmopt::parseTokens(flags.tokens)
          : llmopt::readTokenFile(flags.tokenFile, model->info().vocabulary);
  if (!tokens)
    return complain(toString(tokens.takeError()),
                    flags.tokenFile.empty() ? kUsage : kResources);
  if (tokens->empty())
    return complain("the prompt has no tokens", kUsage);
  llmopt::Result<llmopt::Session> session =
      model->createSession({.maxBatch = flags.beams});
  if (!session)
    return complain(session.error());
  return flags.beams > 1 ? searchTexts(flags, *session, *tokens)
                         : generate(flags, *session, *tokens);
}
