//===- llmopt-check.cpp - Runs a model on test data -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/CompileFlags.h"
#include "compiler/Driver.h"
#include "tools/llmopt-check/Check.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"

using namespace llmopt;
using namespace llmopt::check;

static ExitCode printErrors(llvm::ArrayRef<std::string> errors, ExitCode code) {
  for (const std::string &error : errors)
    llvm::errs() << "error: " << error << "\n";
  return code;
}

static ExitCode printDataError(llvm::Error error) {
  ExitCode code = ExitCode::BadModel;
  llvm::handleAllErrors(std::move(error), [&](const llvm::StringError &reason) {
    if (reason.convertToErrorCode() == std::errc::io_error)
      code = ExitCode::Resources;
    printErrors({reason.getMessage()}, code);
  });
  return code;
}

/// Runs all data sets with one variant of the library. Returns false if one
/// disagrees.
static bool checkVariant(const char *library, const llmopt_variant &variant,
                         const std::vector<DataSet> &sets,
                         const Tolerance &tolerance) {
  llmopt_open_options options = {};
  options.struct_size = sizeof(options);
  options.isa = variant.cpu;
  llmopt_model *model = nullptr;
  llmopt_status status = llmopt_open(library, &options, &model);
  if (status == LLMOPT_UNSUPPORTED_CPU) {
    llvm::outs() << variant.cpu << ": skipped, this machine cannot run it\n";
    return true;
  }
  if (status) {
    llvm::outs() << variant.cpu << ": " << llmopt_last_error() << "\n";
    return false;
  }
  llvm::scope_exit close([&] { llmopt_close(model); });
  bool agree = true;
  for (const DataSet &set : sets) {
    llvm::outs() << variant.cpu << " (" << variant.isa << ") " << set.name
                 << ": ";
    llvm::Expected<Comparison> result = checkDataSet(model, set, tolerance);
    if (!result) {
      llvm::outs() << "failed: " << llvm::toString(result.takeError()) << "\n";
      agree = false;
      continue;
    }
    llvm::outs() << (result->mismatches ? "differs" : "agrees")
                 << llvm::format(", largest difference %.3g", result->worst)
                 << " in " << result->compared << " values\n";
    if (result->mismatches) {
      llvm::outs() << "  " << result->mismatches
                   << " out of tolerance, the first: " << result->firstMismatch
                   << "\n";
      agree = false;
    }
  }
  return agree;
}

/// Runs all data sets with all variants.
static ExitCode checkLibrary(const std::string &library,
                             const std::vector<DataSet> &sets,
                             const Tolerance &tolerance) {
  llmopt_model *model = nullptr;
  if (llmopt_open(library.c_str(), nullptr, &model))
    return printErrors({llmopt_last_error()}, ExitCode::BadModel);
  llvm::scope_exit close([&] { llmopt_close(model); });
  const llmopt_model_descriptor &descriptor = *llmopt_info(model)->descriptor;
  bool agree = true;
  for (uint32_t i = 0; i < descriptor.variant_count; ++i)
    agree &=
        checkVariant(library.c_str(), descriptor.variants[i], sets, tolerance);
  return agree ? ExitCode::Done : ExitCode::BadModel;
}

static ExitCode checkModel(llvm::StringRef directory, CompileOptions &options,
                           llvm::ArrayRef<CpuTarget> targets,
                           const Tolerance &tolerance, ProcessGuard &guard) {
  if (!llvm::sys::fs::is_directory(directory))
    return printErrors({"'" + directory.str() + "' is no directory"},
                       ExitCode::Resources);
  llvm::SmallString<256> model(directory), scratch;
  llvm::sys::path::append(model, "model.onnx");
  options.model = model.str().str();
  llvm::Expected<std::vector<DataSet>> sets = readDataSets(directory);
  if (!sets)
    return printDataError(sets.takeError());

  if (std::error_code code =
          llvm::sys::fs::createUniqueDirectory("llmopt-check", scratch))
    return printErrors({"cannot make a temporary directory: " + code.message()},
                       ExitCode::Resources);
  std::string folder = scratch.str().str();
  guard.protect(folder);
  llvm::scope_exit remove([&] {
    removeTree(folder.c_str());
    guard.release(folder);
  });
  llvm::sys::path::append(scratch, "model.so");
  options.output = scratch.str().str();
  Progress progress(llvm::errs(), llvm::errs().is_displayed());
  if (ExitCode code = compileModel(options, targets, guard, progress);
      code != ExitCode::Done)
    return code;
  return checkLibrary(options.output, *sets, tolerance);
}

int main(int argc, char **argv) {
  ProcessGuard guard;
  CompileOptions options;
  Tolerance tolerance;
  FlagParser parser(
      "llmopt-check", "MODEL_DIR [flags]",
      "Compiles MODEL_DIR/model.onnx, runs every test_data_set_N through it "
      "and "
      "compares the outputs.\nThe exit code is 0 only if all agree.");
  parser.beginGroup("Comparison");
  parser.addPositive("rtol", tolerance.relative,
                     "difference relative to the reference (default 0.001)");
  parser.addPositive("atol", tolerance.absolute,
                     "difference that is accepted in any case (default 0.001)");
  addModelFlags(parser, options);
  addJobsFlag(parser, options);
  FlagParser::Result flags = parser.parse({argv + 1, argv + argc});
  if (parser.answer(flags, llvm::outs()))
    return 0;

  std::vector<std::string> errors = std::move(flags.errors);
  if (flags.positional.size() != 1)
    errors.push_back("expects one directory, not " +
                     std::to_string(flags.positional.size()));
  options.given = std::move(flags.given);
  std::vector<CpuTarget> targets;
  if (errors.empty()) {
    options.model = flags.positional.front();
    errors = validate(options);
    targets = resolveTargets(options, errors);
  }
  if (!errors.empty())
    return static_cast<int>(printErrors(errors, ExitCode::Usage));
  return static_cast<int>(
      checkModel(flags.positional.front(), options, targets, tolerance, guard));
}
