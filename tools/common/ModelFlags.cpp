//===- ModelFlags.cpp - Flags and exit codes of the tools that open models ===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/common/ModelFlags.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/WithColor.h"

using namespace llvm;

namespace llmopt::tools {

int complain(const Twine &message, ExitCode code) {
  WithColor::error(errs()) << message << '\n';
  return code;
}

int complain(const Error &error) {
  const bool resources = error.status == LLMOPT_CANNOT_READ ||
                         error.status == LLMOPT_OUT_OF_RESOURCES;
  return complain(error.message, resources ? kResources : kBadModel);
}

/// LLVM's message about a wrong flag, as one line in the style of all tools:
/// "PROGRAM: Unknown command line argument '-x'.  Try: ..." ==> "unknown
/// command line argument '-x'".
static std::string usageError(StringRef messages, StringRef program) {
  StringRef line = messages.trim().split('\n').first;
  line.consume_front(program);
  line.consume_front(": ");
  std::string text = line.split(".  Try").first.rtrim(".!").str();
  if (!text.empty())
    text[0] = toLower(text[0]);
  return text;
}

int parseFlags(int argc, char **argv, cl::OptionCategory &category,
               const char *overview) {
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter(
      [](raw_ostream &os) { os << "llmopt " LLMOPT_VERSION "\n"; });
  std::string messages;
  raw_string_ostream os(messages);
  if (cl::ParseCommandLineOptions(argc, argv, overview, &os))
    return kDone;
  // LLVM prints errors of values itself.
  if (messages.empty())
    return kUsage;
  StringRef program = sys::path::filename(argv[0]);
  return complain(
      usageError(messages, program) + "; see '" + program + " --help'", kUsage);
}

ModelFlags::ModelFlags(cl::OptionCategory &category)
    : threads("threads", cl::desc("Threads of the model (0: one per core)"),
              cl::init(0), cl::cat(category)),
      isa("isa",
          cl::desc(
              "Variant to execute, by isa or CPU name (default: the best)"),
          cl::cat(category)),
      weights(
          "weights", cl::desc("Where the weights live:"),
          cl::init(LLMOPT_WEIGHTS_AUTO), cl::cat(category),
          cl::values(clEnumValN(LLMOPT_WEIGHTS_AUTO, "auto",
                                "copied if memory allows"),
                     clEnumValN(LLMOPT_WEIGHTS_MAP, "map", "the mapped file"),
                     clEnumValN(LLMOPT_WEIGHTS_COPY, "copy",
                                "copied to huge pages"))) {}

Result<Model> ModelFlags::open(const std::string &path) const {
  OpenOptions options;
  options.isa = isa;
  options.threads = threads;
  options.weights = weights;
  return Model::open(path, options);
}

Result<Model> ModelFlags::openDecoder(const std::string &path) const {
  Result<Model> model = open(path);
  if (model && model->info().kind == LLMOPT_KIND_GRAPH)
    return Error{LLMOPT_INVALID_ARGUMENT,
                 "'" + path +
                     "' is a graph and has no sequences of tokens; llmopt-run "
                     "and llmopt-bench execute it"};
  return model;
}

} // namespace llmopt::tools
