//===- ModelCheck.cpp - Compiles a model and checks its data sets ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-check/ModelCheck.h"
#include "tools/common/PoolRunner.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include <chrono>
#include <cstring>

using namespace llmopt;
using namespace llmopt::check;

template <size_t N>
static void setText(char (&field)[N], llvm::StringRef text) {
  text = text.take_front(N - 1);
  memcpy(field, text.data(), text.size());
  field[text.size()] = 0;
}

void Outcome::setReason(llvm::StringRef text) { setText(reason, text); }
void Outcome::setOutput(llvm::StringRef text) { setText(output, text); }

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The check of one model.
class ModelChecker {
public:
  ModelChecker(const ModelCase &model, llvm::raw_ostream &diagnostics,
               llvm::raw_ostream &details, Outcome &outcome)
      : model(model), diagnostics(diagnostics), details(details),
        outcome(outcome) {}

  void run(CompileOptions &options, llvm::ArrayRef<CpuTarget> targets,
           llvm::StringRef folder, ProcessGuard &guard);

private:
  bool readData();
  void noData(llvm::StringRef reason, ExitCode code);
  bool compile(CompileOptions &options, llvm::ArrayRef<CpuTarget> targets,
               ProcessGuard &guard);
  void checkLibrary(const std::string &library);
  void checkVariant(const std::string &library, const llmopt_variant &variant);
  void checkSet(llmopt_model *shared, llmopt_model *alone,
                const llmopt_variant &variant, const DataSet &set);
  llmopt_model *open(const std::string &library, const llmopt_variant &variant,
                     unsigned threads);
  void fail(llvm::StringRef reason);

  const ModelCase &model;
  llvm::raw_ostream &diagnostics, &details;
  Outcome &outcome;
  std::vector<DataSet> sets;
  std::string badData; ///< why the data sets cannot be used
};

} // namespace

/// Notes the first failure.
void ModelChecker::fail(llvm::StringRef reason) {
  if (outcome.status == Outcome::Fail)
    return;
  outcome.status = Outcome::Fail;
  outcome.exitCode = ExitCode::BadModel;
  outcome.setReason(reason);
}

/// False if there are no data. Data that are malformed, or of a kind that is
/// not supported, are told after the compiler has had its say.
bool ModelChecker::readData() {
  llvm::Expected<std::vector<DataSet>> read =
      tools::readDataSets(model.directory);
  if (read && !read->empty()) {
    sets = std::move(*read);
    return true;
  }
  if (read) {
    noData(model.directory + ": has no test_data_set_N directory",
           ExitCode::Resources);
    return false;
  }
  bool isMissing = false;
  llvm::handleAllErrors(read.takeError(), [&](const llvm::StringError &error) {
    isMissing = error.convertToErrorCode() == std::errc::io_error;
    badData = error.getMessage();
  });
  if (isMissing)
    noData(badData, ExitCode::Resources);
  return !isMissing;
}

void ModelChecker::noData(llvm::StringRef reason, ExitCode code) {
  diagnostics << "error: " << reason << "\n";
  outcome.status = Outcome::NoData;
  outcome.exitCode = code;
  outcome.setReason(reason);
}

bool ModelChecker::compile(CompileOptions &options,
                           llvm::ArrayRef<CpuTarget> targets,
                           ProcessGuard &guard) {
  std::string text;
  llvm::raw_string_ostream os(text);
  Progress progress(os, /*terminal=*/false);
  Clock::time_point start = Clock::now();
  ExitCode code =
      compileModel(options, targets, guard, progress, tools::makePoolRunner);
  outcome.compileSeconds = secondsSince(start);
  diagnostics << text;
  if (code == ExitCode::Done)
    return true;
  outcome.status = Outcome::Refused;
  outcome.exitCode = code;
  outcome.setReason("refused without a diagnostic");
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(text).split(lines, '\n');
  for (llvm::StringRef line : lines)
    if (line.consume_front("error: ")) {
      outcome.setReason(line);
      break;
    }
  return false;
}

void ModelChecker::run(CompileOptions &options,
                       llvm::ArrayRef<CpuTarget> targets,
                       llvm::StringRef folder, ProcessGuard &guard) {
  if (!model.compileOnly && !readData())
    return;
  llvm::SmallString<256> path(model.directory), library(folder);
  llvm::sys::path::append(path, "model.onnx");
  llvm::sys::path::append(library, "model.so");
  options.model = path.str().str();
  options.output = library.str().str();
  if (!compile(options, targets, guard))
    return;
  if (!badData.empty())
    return noData(badData, ExitCode::BadModel);
  outcome.stage = Outcome::Running;
  Clock::time_point start = Clock::now();
  checkLibrary(options.output);
  outcome.runSeconds = secondsSince(start);
  if (outcome.status == Outcome::Started)
    outcome.status = Outcome::Pass;
}

//===----------------------------------------------------------------------===//
// Data sets
//===----------------------------------------------------------------------===//

/// Opens the library; every variant runs all data sets.
void ModelChecker::checkLibrary(const std::string &library) {
  llmopt_model *open = nullptr;
  if (llmopt_open(library.c_str(), nullptr, &open)) {
    diagnostics << "error: " << llmopt_last_error() << "\n";
    return fail(llmopt_last_error());
  }
  llvm::scope_exit close([&] { llmopt_close(open); });
  if (model.compileOnly)
    return;
  const llmopt_model_descriptor &descriptor = *llmopt_info(open)->descriptor;
  for (uint32_t i = 0; i < descriptor.variant_count; ++i)
    checkVariant(library, descriptor.variants[i]);
}

/// Null, after a message, where the variant cannot be opened.
llmopt_model *ModelChecker::open(const std::string &library,
                                 const llmopt_variant &variant,
                                 unsigned threads) {
  llmopt_open_options options = {};
  options.struct_size = sizeof(options);
  options.isa = variant.cpu;
  options.threads = threads;
  llmopt_model *result = nullptr;
  llmopt_status status = llmopt_open(library.c_str(), &options, &result);
  if (status == LLMOPT_UNSUPPORTED_CPU) {
    details << variant.cpu << ": skipped, this machine cannot run it\n";
  } else if (status) {
    details << variant.cpu << ": " << llmopt_last_error() << "\n";
    fail(llmopt_last_error());
  }
  return result;
}

void ModelChecker::checkVariant(const std::string &library,
                                const llmopt_variant &variant) {
  llmopt_model *shared = open(library, variant, model.options.threads);
  llvm::scope_exit closeShared([&] { llmopt_close(shared); });
  llmopt_model *alone = shared ? open(library, variant, 1) : nullptr;
  llvm::scope_exit closeAlone([&] { llmopt_close(alone); });
  if (shared && alone)
    for (const DataSet &set : sets)
      checkSet(shared, alone, variant, set);
}

void ModelChecker::checkSet(llmopt_model *shared, llmopt_model *alone,
                            const llmopt_variant &variant, const DataSet &set) {
  llvm::Expected<Comparison> result =
      checkDataSet(shared, alone, set, model.options);
  details << variant.cpu << " (" << variant.isa << ") " << set.name << ": ";
  if (!result) {
    std::string reason = llvm::toString(result.takeError());
    details << "failed: " << reason << "\n";
    return fail(set.name + ": " + reason);
  }
  outcome.worst = std::max(outcome.worst, result->worst);
  details << (result->mismatches ? "differs" : "agrees")
          << llvm::format(", largest difference %.3g", result->worst) << " in "
          << result->compared << " values\n";
  if (!result->mismatches)
    return;
  details << "  " << result->mismatches
          << " out of tolerance, the first: " << result->firstMismatch << "\n";
  if (outcome.status != Outcome::Fail)
    outcome.setOutput(result->output);
  fail(set.name + ": " + std::to_string(result->mismatches) + " of " +
       std::to_string(result->compared) +
       " values out of tolerance, the first: " + result->firstMismatch);
}

void llmopt::check::checkModel(const ModelCase &model, CompileOptions options,
                               llvm::ArrayRef<CpuTarget> targets,
                               llvm::StringRef folder, ProcessGuard &guard,
                               llvm::raw_ostream &diagnostics,
                               llvm::raw_ostream &details, Outcome &outcome) {
  ModelChecker(model, diagnostics, details, outcome)
      .run(options, targets, folder, guard);
}
