//===- llmopt-eval.cpp - Perplexity and agreement with another model ------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/TokenFile.h"
#include "tools/common/ModelFlags.h"
#include "tools/llmopt-eval/Prediction.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>
#include <optional>

using namespace llvm;
using namespace llmopt::tools;

namespace {

struct Flags {
  cl::OptionCategory category{"llmopt-eval options"};
  ModelFlags model{category};
  cl::opt<std::string> path{cl::Positional, cl::Required, cl::desc("model.so"),
                            cl::cat(category)};
  cl::opt<std::string> tokens{cl::Positional, cl::Required,
                              cl::desc("tokens.{npy,bin,txt}"),
                              cl::cat(category)};
  cl::opt<unsigned> window{"window",
                           cl::desc("Tokens of a window (default 1024)"),
                           cl::init(1024), cl::cat(category)};
  cl::opt<unsigned> windows{"windows",
                            cl::desc("Windows from the start (default 8)"),
                            cl::init(8), cl::cat(category)};
  cl::opt<std::string> reference{
      "reference",
      cl::desc("Second library: print KL divergence from it and how often "
               "both have the same most likely token"),
      cl::cat(category)};
  cl::opt<bool> json{"json", cl::desc("Print JSON"), cl::cat(category)};
};

/// An open model and its only sequence.
struct Evaluated {
  llmopt::Model model;
  llmopt::Session session;
};

} // namespace

/// Every token of a window but the first is predicted from those before it.
/// Logits are taken in pieces, which bounds their memory.
static llmopt::Status addWindow(std::span<const int32_t> window,
                                Evaluated &evaluated, Evaluated *reference,
                                Prediction &sums) {
  constexpr size_t kPiece = 128;
  const size_t vocabulary = evaluated.model.info().vocabulary;
  for (Evaluated *each : {&evaluated, reference})
    if (each)
      if (llmopt::Status status = each->session.truncate(0, 0); !status)
        return status;
  for (size_t first = 0; first + 1 < window.size(); first += kPiece) {
    const size_t count = std::min(kPiece, window.size() - 1 - first);
    const std::span<const int32_t> piece = window.subspan(first, count);
    auto logits = evaluated.session.step(0, piece, LLMOPT_WANT_ALL);
    if (!logits)
      return logits.error();
    std::span<const float> other;
    if (reference) {
      auto expected = reference->session.step(0, piece, LLMOPT_WANT_ALL);
      if (!expected)
        return expected.error();
      other = *expected;
    }
    for (size_t i = 0; i < count; ++i) {
      const auto row = logits->subspan(i * vocabulary, vocabulary);
      const int32_t target = window[first + i + 1];
      if (reference)
        sums.add(row, other.subspan(i * vocabulary, vocabulary), target);
      else
        sums.add(row, target);
    }
  }
  return std::monostate{};
}

static llmopt::Result<Evaluated> open(const Flags &flags,
                                      const std::string &path) {
  llmopt::Result<llmopt::Model> model = flags.model.openDecoder(path);
  if (!model)
    return model.error();
  llmopt::Result<llmopt::Session> session =
      model->createSession({.maxBatch = 1, .maxRows = 128});
  if (!session)
    return session.error();
  return Evaluated{std::move(*model), std::move(*session)};
}

static void print(const Flags &flags, const Prediction &sums) {
  const double count = static_cast<double>(sums.count);
  json::Object result{{"tokens", sums.count},
                      {"perplexity", std::exp(sums.loss / count)}};
  if (!flags.reference.empty()) {
    result["reference_perplexity"] = std::exp(sums.referenceLoss / count);
    result["kl_divergence"] = sums.divergence / count;
    result["top1_agreement"] = static_cast<double>(sums.sameBest) / count;
  }
  if (flags.json) {
    outs() << json::Value(std::move(result)) << '\n';
    return;
  }
  for (const char *key : {"tokens", "perplexity", "reference_perplexity",
                          "kl_divergence", "top1_agreement"})
    if (const json::Value *value = result.get(key))
      outs() << format("%-20s %.6g\n", key, *value->getAsNumber());
}

int main(int argc, char **argv) {
  Flags flags;
  if (const int code = parseFlags(argc, argv, flags.category,
                                  "Measures how well a model predicts\n"))
    return code;
  if (flags.window < 2 || flags.windows == 0)
    return complain("-window must be at least 2, -windows at least 1", kUsage);
  llmopt::Result<Evaluated> evaluated = open(flags, flags.path);
  if (!evaluated)
    return complain(evaluated.error());
  std::optional<Evaluated> reference;
  if (!flags.reference.empty()) {
    llmopt::Result<Evaluated> opened = open(flags, flags.reference);
    if (!opened)
      return complain(opened.error());
    reference = std::move(*opened);
  }
  const uint32_t vocabulary = evaluated->model.info().vocabulary;
  if (reference && reference->model.info().vocabulary != vocabulary)
    return complain("the models have vocabularies of " + Twine(vocabulary) +
                        " and " + Twine(reference->model.info().vocabulary),
                    kBadModel);
  Expected<std::vector<int32_t>> tokens =
      llmopt::readTokenFile(flags.tokens, vocabulary);
  if (!tokens)
    return complain(toString(tokens.takeError()), kResources);
  if (tokens->size() < uint64_t{flags.window} * flags.windows)
    return complain("the file has " + Twine(tokens->size()) + " tokens, " +
                        Twine(flags.windows) + " windows of " +
                        Twine(flags.window) +
                        " need more; reduce -windows or -window",
                    kUsage);
  Prediction sums;
  for (size_t i = 0; i < flags.windows; ++i) {
    const auto window =
        std::span(*tokens).subspan(i * flags.window, flags.window);
    if (llmopt::Status status = addWindow(
            window, *evaluated, reference ? &*reference : nullptr, sums);
        !status)
      return complain(status.error());
  }
  print(flags, sums);
  return kDone;
}
