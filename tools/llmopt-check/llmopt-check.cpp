//===- llmopt-check.cpp - Runs a model on test data -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/CompileFlags.h"
#include "tools/llmopt-check/Batch.h"
#include "tools/llmopt-check/Table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Threading.h"

using namespace llmopt;
using namespace llmopt::check;

static ExitCode printErrors(llvm::ArrayRef<std::string> errors, ExitCode code) {
  for (const std::string &error : errors)
    llvm::errs() << "error: " << error << "\n";
  return code;
}

namespace {

struct Flags {
  Tolerance tolerance;
  BatchOptions batch;
  unsigned threads = 0;
  std::string table, filter, json;
};

/// A directory that is removed with this object, and by the guard.
class ScratchFolder {
public:
  explicit ScratchFolder(ProcessGuard &guard) : guard(guard) {}
  ScratchFolder(const ScratchFolder &) = delete;
  ScratchFolder &operator=(const ScratchFolder &) = delete;
  ~ScratchFolder() {
    if (path.empty())
      return;
    removeTree(path.c_str());
    guard.release(path);
  }

  std::error_code create() {
    llvm::SmallString<256> made;
    if (std::error_code code =
            llvm::sys::fs::createUniqueDirectory("llmopt-check", made))
      return code;
    path = made.str().str();
    guard.protect(path);
    return {};
  }

  std::string path;

private:
  ProcessGuard &guard;
};

} // namespace

/// The models of the command line: a table below a directory, or directories.
static std::vector<ModelCase> listModels(const Flags &flags,
                                         llvm::ArrayRef<std::string> positional,
                                         std::vector<std::string> &errors) {
  std::vector<ModelCase> models;
  if (flags.table.empty()) {
    for (const std::string &directory : positional) {
      ModelCase model;
      model.name = directory;
      model.directory = directory;
      model.options.tolerance = flags.tolerance;
      models.push_back(std::move(model));
    }
  } else {
    llvm::Expected<std::vector<ModelCase>> table =
        readTable(flags.table, positional.front());
    if (table)
      models = std::move(*table);
    else
      errors.push_back(llvm::toString(table.takeError()));
  }
  llvm::erase_if(models, [&](const ModelCase &model) {
    return !llvm::StringRef(model.name).contains(flags.filter);
  });
  for (ModelCase &model : models)
    model.options.threads = flags.threads;
  if (models.empty() && errors.empty())
    errors.push_back("no model's name contains '" + flags.filter + "'");
  return models;
}

/// Checks one model in this process and prints what its data sets give.
static ExitCode checkOne(const ModelCase &model, const CompileOptions &options,
                         llvm::ArrayRef<CpuTarget> targets,
                         llvm::StringRef folder, ProcessGuard &guard) {
  if (!llvm::sys::fs::is_directory(model.directory))
    return printErrors({"'" + model.directory + "' is no directory"},
                       ExitCode::Resources);
  Outcome outcome;
  checkModel(model, options, targets, folder, guard, llvm::errs(), llvm::outs(),
             outcome);
  return outcome.exitCode;
}

static ExitCode checkMany(llvm::ArrayRef<ModelCase> models,
                          CompileOptions options,
                          llvm::ArrayRef<CpuTarget> targets, Flags &flags,
                          llvm::StringRef folder) {
  flags.batch.jobs = options.jobs
                         ? options.jobs
                         : llvm::hardware_concurrency().compute_thread_count();
  // The processes are the threads.
  options.jobs = 1;
  std::vector<BatchResult> results =
      checkBatch(models, options, targets, flags.batch, folder);
  if (!flags.json.empty()) {
    std::error_code code;
    llvm::raw_fd_ostream os(flags.json, code);
    if (code)
      return printErrors(
          {"cannot write '" + flags.json + "': " + code.message()},
          ExitCode::Resources);
    writeJson(models, results, os);
  }
  bool pass = results.size() == models.size() &&
              llvm::all_of(results, [](const BatchResult &result) {
                return result.verdict == BatchResult::Pass;
              });
  return pass ? ExitCode::Done : ExitCode::BadModel;
}

static void addFlags(FlagParser &parser, Flags &flags,
                     CompileOptions &options) {
  parser.beginGroup("Comparison");
  parser.addPositive("rtol", flags.tolerance.relative,
                     "difference relative to the reference (default 0.001)");
  parser.addPositive("atol", flags.tolerance.absolute,
                     "difference that is accepted in any case (default 0.001)");
  parser.addNumber("threads", 1, 1024, flags.threads,
                   "threads that execute a model (default: one per core)");
  parser.beginGroup("Several models");
  parser.addText("table", "FILE", flags.table,
                 "lines of model,rule,relative,absolute,lengths: check the "
                 "models of this table below MODEL_DIR");
  parser.addText("filter", "TEXT", flags.filter,
                 "check only models whose name contains this");
  parser.add({"keep-going", "", "go on after a model that does not pass",
              [&](llvm::StringRef) -> std::string {
                flags.batch.keepGoing = true;
                return "";
              }});
  parser.add({"brief", "", "print only models that do not pass",
              [&](llvm::StringRef) -> std::string {
                flags.batch.brief = true;
                return "";
              }});
  parser.addNumber("timeout", 1, 86400, flags.batch.timeout,
                   "seconds that a model may take (default 60)");
  parser.addText("json", "FILE", flags.json, "write the results as JSON");
  addModelFlags(parser, options);
  addJobsFlag(parser, options);
}

int main(int argc, char **argv) {
  ProcessGuard guard;
  CompileOptions options;
  Flags flags;
  FlagParser parser(
      "llmopt-check", "MODEL_DIR... [flags]",
      "Compiles MODEL_DIR/model.onnx, runs every test_data_set_N through it "
      "and "
      "compares the outputs.\nThe exit code is 0 only if all agree. Several "
      "models are checked in processes of their own, -j at once.");
  addFlags(parser, flags, options);
  FlagParser::Result parsed = parser.parse({argv + 1, argv + argc});
  if (parser.answer(parsed, llvm::outs()))
    return 0;

  std::vector<std::string> errors = std::move(parsed.errors);
  if (parsed.positional.empty())
    errors.push_back("expects a directory");
  if (!flags.table.empty() && parsed.positional.size() > 1)
    errors.push_back("expects one directory with -table, not " +
                     std::to_string(parsed.positional.size()));
  options.given = std::move(parsed.given);
  std::vector<CpuTarget> targets;
  std::vector<ModelCase> models;
  if (errors.empty()) {
    models = listModels(flags, parsed.positional, errors);
    options.model = parsed.positional.front();
    llvm::append_range(errors, validate(options));
    targets = resolveTargets(options, errors);
  }
  if (!errors.empty())
    return static_cast<int>(printErrors(errors, ExitCode::Usage));
  ScratchFolder scratch(guard);
  if (std::error_code code = scratch.create())
    return static_cast<int>(
        printErrors({"cannot make a temporary directory: " + code.message()},
                    ExitCode::Resources));
  bool isBatch = models.size() > 1 || !flags.table.empty();
  return static_cast<int>(
      isBatch
          ? checkMany(models, options, targets, flags, scratch.path)
          : checkOne(models.front(), options, targets, scratch.path, guard));
}
