//===- ModelFlags.cpp - Flags and exit codes of the tools that open models ===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/common/ModelFlags.h"

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

int parseFlags(int argc, char **argv, cl::OptionCategory &category,
               const char *overview) {
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter(
      [](raw_ostream &os) { os << "llmopt " LLMOPT_VERSION "\n"; });
  return cl::ParseCommandLineOptions(argc, argv, overview, &errs()) ? kDone
                                                                    : kUsage;
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

} // namespace llmopt::tools
