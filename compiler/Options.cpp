//===- Options.cpp - What the user asks of a compilation --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Options.h"
#include "target/LayoutOverride.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llmopt;
using llvm::StringRef;

bool CompileOptions::isGiven(StringRef flag) const {
  return llvm::is_contained(given, flag);
}

std::string CompileOptions::outputPath() const {
  if (!output.empty())
    return output;
  switch (emit) {
  case CompileOptions::Emit::Library:
    return "model.so";
  case CompileOptions::Emit::Onnx:
  case CompileOptions::Emit::LLMOpt:
  case CompileOptions::Emit::Encoded:
  case CompileOptions::Emit::Kernel:
    return "model.mlir";
  case CompileOptions::Emit::LLVM:
    return "model.ll";
  case CompileOptions::Emit::Assembly:
    return "model.s";
  case CompileOptions::Emit::Object:
    return "model.o";
  }
  llvm_unreachable("unknown emit kind");
}

//===----------------------------------------------------------------------===//
// Validation
//===----------------------------------------------------------------------===//

WeightQuantization llmopt::quantizationOf(CompileOptions::Quant quant) {
  switch (quant) {
  case CompileOptions::Quant::None:
  case CompileOptions::Quant::BF16: // a format of plain weights
    return WeightQuantization::None;
  case CompileOptions::Quant::Int8:
    return WeightQuantization::Int8;
  case CompileOptions::Quant::Int4:
    return WeightQuantization::Int4;
  case CompileOptions::Quant::Int3:
    return WeightQuantization::Int3;
  case CompileOptions::Quant::Int2:
    return WeightQuantization::Int2;
  case CompileOptions::Quant::NF4:
    return WeightQuantization::NF4;
  }
  llvm_unreachable("unknown encoding");
}

/// Columns that share a scale of a linear's weight; 0: all.
static int64_t weightGroup(const CompileOptions &options) {
  if (options.groupSize)
    return options.groupSize;
  return defaultGroup(quantizationOf(options.quant));
}

static void checkGroups(const CompileOptions &options,
                        std::vector<std::string> &errors) {
  if (options.isGiven("group-size") && !options.hasCodes())
    errors.push_back("'-group-size' needs quantized weights, such as "
                     "'-quant=int4'");
  bool hasGroups = weightGroup(options) != 0 ||
                   options.embeddingQuant == CompileOptions::Embedding::Int4;
  if (options.isGiven("scale-type") && !hasGroups)
    errors.push_back("'-scale-type' needs weights with groups, such as "
                     "'-quant=int4'");
  if (options.embeddingQuant == CompileOptions::Embedding::Int4 &&
      options.actGroup &&
      defaultGroup(WeightQuantization::Int4) % options.actGroup)
    errors.push_back("'-act-group' must divide the groups of "
                     "'-embedding-quant=int4', which have 32 columns");
  if (options.zeroPoint == CompileOptions::ZeroPoint::Int &&
      !takesZeroPoints(quantizationOf(options.quant)))
    errors.push_back("'-zero-point=int' needs '-quant=int4', int3 or int2");
  if (options.groupSize % 32 != 0)
    errors.push_back("'-group-size' must be a multiple of 32, not " +
                     std::to_string(options.groupSize));
  int64_t group = weightGroup(options);
  if (options.actGroup && group % options.actGroup != 0)
    errors.push_back("'-act-group' must divide the group size of the weights, "
                     "but " +
                     std::to_string(group) + " is no multiple of " +
                     std::to_string(options.actGroup));
}

StringRef llmopt::stringify(CompileOptions::Pruner method) {
  switch (method) {
  case CompileOptions::Pruner::Auto:
    return "auto";
  case CompileOptions::Pruner::Magnitude:
    return "magnitude";
  case CompileOptions::Pruner::Wanda:
    return "wanda";
  case CompileOptions::Pruner::SparseGPT:
    return "sparsegpt";
  case CompileOptions::Pruner::Alps:
    return "alps";
  }
  llvm_unreachable("unknown method");
}

StringRef llmopt::stringify(CompileOptions::Rounding method) {
  switch (method) {
  case CompileOptions::Rounding::Auto:
    return "auto";
  case CompileOptions::Rounding::Nearest:
    return "rtn";
  case CompileOptions::Rounding::Gptq:
    return "gptq";
  }
  llvm_unreachable("unknown method");
}

std::string llmopt::stringify(const CompileOptions::Pattern &pattern) {
  if (!pattern.isGrouped())
    return "unstructured";
  return std::to_string(pattern.kept) + ":" + std::to_string(pattern.of);
}

bool CompileOptions::calibratesRounding() const {
  if (level == 0 || !hasCodes() || quantMethod == Rounding::Nearest)
    return false;
  return quantMethod == Rounding::Gptq || quant != Quant::Int8 ||
         calibratesPruning();
}

static void checkCalibration(const CompileOptions &options,
                             std::vector<std::string> &errors) {
  for (StringRef flag : {"calib", "calib-samples", "calib-seqlen", "seed"})
    if (options.isGiven(flag) && !options.calibrates())
      errors.push_back("'-" + flag.str() +
                       "' needs a method that is calibrated, without '-O0': "
                       "'-sparsity' above 0 other than by magnitude, or "
                       "'-quant' of less than 8 bits other than rtn");
  StringRef file = options.calibration;
  if (!file.empty() && !file.ends_with(".npy") && !file.ends_with(".bin") &&
      !file.ends_with(".jsonl"))
    errors.push_back("'-calib' expects a file of token ids that ends with "
                     ".npy, .bin or .jsonl, not '" +
                     options.calibration + "'");
}

static void checkSparsity(const CompileOptions &options,
                          std::vector<std::string> &errors) {
  if (options.isGiven("sparsity-method") && options.zeroRatio() == 0)
    errors.push_back("'-sparsity-method' needs '-sparsity' above 0");
  const CompileOptions::Pattern &pattern = options.sparsityPattern;
  if (options.isGiven("sparsity-pattern") && options.zeroRatio() == 0)
    errors.push_back("'-sparsity-pattern=unstructured' needs '-sparsity' "
                     "above 0");
  if (options.isGiven("sparsity") && pattern.isGrouped() &&
      std::abs(options.sparsity - options.zeroRatio()) > 1e-9)
    errors.push_back(
        "'-sparsity-pattern=" + stringify(pattern) + "' makes " +
        llvm::formatv("{0}", llvm::format("%.4g", options.zeroRatio())).str() +
        " of the weights zero; leave '-sparsity' out");
}

/// Flags that say how to do what another flag did not ask for.
static void checkCompression(const CompileOptions &options,
                             std::vector<std::string> &errors) {
  checkSparsity(options, errors);
  if (options.isGiven("quant-method") && !options.hasCodes())
    errors.push_back("'-quant-method' needs quantized weights, such as "
                     "'-quant=int4'");
  if (options.level == 0 &&
      options.quantMethod == CompileOptions::Rounding::Gptq)
    errors.push_back("'-O0' calibrates nothing, but '-quant-method=gptq' "
                     "needs calibration");
  if (options.level == 0 &&
      options.sparsityMethod != CompileOptions::Pruner::Auto &&
      options.sparsityMethod != CompileOptions::Pruner::Magnitude)
    errors.push_back("'-O0' calibrates nothing, but '-sparsity-method=" +
                     stringify(options.sparsityMethod).str() +
                     "' needs calibration");
  if (!options.hasCodes() && options.act == CompileOptions::Activation::Dynamic)
    errors.push_back(
        "'-act=dynamic' needs integer weights, such as '-quant=int8'");
  if (options.isGiven("act") &&
      options.act == CompileOptions::Activation::None && !options.hasCodes())
    errors.push_back(
        options.quant == CompileOptions::Quant::BF16
            ? "'-act=none' has no effect with '-quant=bf16'; leave it out"
            : "'-act=none' has no effect without '-quant'; leave it out");
  if (options.isGiven("act-group") && !options.quantizesActivations())
    errors.push_back(
        "'-act-group' needs quantized activations: '-quant=int8' without "
        "'-act=none'");
  checkGroups(options, errors);
  if (options.actGroup % 32 != 0)
    errors.push_back("'-act-group' must be a multiple of 32, not " +
                     std::to_string(options.actGroup));
}

/// The path without ".", ".." and repeated separators, from the root on.
static std::string normalised(StringRef file) {
  llvm::SmallString<256> result(file);
  if (llvm::sys::fs::make_absolute(result))
    return file.str();
  llvm::sys::path::remove_dots(result, /*remove_dot_dot=*/true);
  return result.str().str();
}

bool llmopt::nameOneFile(StringRef a, StringRef b) {
  bool equivalent;
  if (!llvm::sys::fs::equivalent(a, b, equivalent))
    return equivalent;
  return normalised(a) == normalised(b);
}

static void checkFiles(const CompileOptions &options,
                       std::vector<std::string> &errors) {
  if (options.model.empty())
    errors.push_back("no model given; name an .onnx file");
  std::string output = options.outputPath();
  if (options.emit == CompileOptions::Emit::Library && output == "-")
    errors.push_back(
        "a library cannot be written to standard output; use '-o FILE'");
  if (!options.report.empty()) {
    if (options.emit != CompileOptions::Emit::Library)
      errors.push_back(
          "'-report' needs a whole compilation; leave '-emit' out");
    if (nameOneFile(options.report, options.model))
      errors.push_back("the report '" + options.report +
                       "' is the model itself");
    if (llvm::sys::path::extension(options.report) != ".json")
      errors.push_back(
          "'-report' expects a file name that ends with .json, not '" +
          options.report + "'");
    if (nameOneFile(options.report, output))
      errors.push_back("'-report' and '-o' name the same file '" + output +
                       "'");
  }
  if (output != "-" && nameOneFile(output, options.model))
    errors.push_back("the output '" + output + "' is the model itself");
}

static void checkFormats(const CompileOptions &options,
                         std::vector<std::string> &errors) {
  for (const std::string &text : options.formats) {
    std::string error;
    if (!parseLayoutOverride(text, error))
      errors.push_back("'-format' " + error);
  }
  if (!options.formats.empty() && options.quant != CompileOptions::Quant::Int8)
    errors.push_back("'-format' chooses among the formats of int8 weights; it "
                     "needs '-quant=int8'");
}

std::vector<std::string> llmopt::validate(const CompileOptions &options) {
  std::vector<std::string> errors;
  checkFiles(options, errors);
  checkCompression(options, errors);
  checkCalibration(options, errors);
  checkFormats(options, errors);
  bool isCode = options.emit == CompileOptions::Emit::LLVM ||
                options.emit == CompileOptions::Emit::Assembly ||
                options.emit == CompileOptions::Emit::Object;
  if (isCode && options.cpus.size() > 1)
    errors.push_back("'-emit' of code needs one CPU, but '-mcpu' names " +
                     std::to_string(options.cpus.size()));
  if (options.isGiven("mcpu") && (options.emit == CompileOptions::Emit::Onnx ||
                                  options.emit == CompileOptions::Emit::LLMOpt))
    errors.push_back("'-mcpu' has no effect on this '-emit'; leave it out");
  return errors;
}

std::vector<CpuTarget>
llmopt::resolveTargets(const CompileOptions &options,
                       std::vector<std::string> &errors) {
  std::vector<CpuTarget> targets;
  for (const std::string &name : options.cpus) {
    std::string error;
    std::optional<CpuTarget> target = resolveCpu(name, error);
    if (!target) {
      errors.push_back("'-mcpu': " + error);
      continue;
    }
    bool repeated = llvm::any_of(targets, [&](const CpuTarget &other) {
      return other.llvmCpu == target->llvmCpu && other.isa == target->isa;
    });
    if (repeated) {
      errors.push_back("'-mcpu' names '" + target->llvmCpu +
                       "' more than once");
      continue;
    }
    // The runtime takes the first variant that the machine can execute.
    auto place = llvm::upper_bound(
        targets, *target, [](const CpuTarget &a, const CpuTarget &b) {
          return static_cast<int>(a.isa) > static_cast<int>(b.isa);
        });
    targets.insert(place, std::move(*target));
  }
  return targets;
}

//===----------------------------------------------------------------------===//
// Recipe
//===----------------------------------------------------------------------===//

static StringRef quantName(CompileOptions::Quant quant) {
  switch (quant) {
  case CompileOptions::Quant::None:
    return "none";
  case CompileOptions::Quant::BF16:
    return "bf16";
  case CompileOptions::Quant::Int8:
    return "int8";
  case CompileOptions::Quant::Int4:
    return "int4";
  case CompileOptions::Quant::Int3:
    return "int3";
  case CompileOptions::Quant::Int2:
    return "int2";
  case CompileOptions::Quant::NF4:
    return "nf4";
  }
  llvm_unreachable("unknown encoding");
}

static StringRef embeddingName(CompileOptions::Embedding embedding) {
  switch (embedding) {
  case CompileOptions::Embedding::Auto:
    return "auto";
  case CompileOptions::Embedding::None:
    return "none";
  case CompileOptions::Embedding::Int8:
    return "int8";
  case CompileOptions::Embedding::Int4:
    return "int4";
  }
  llvm_unreachable("unknown encoding");
}

std::string llmopt::recipe(const CompileOptions &options) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "-O" << options.level;
  os << " -quant=" << quantName(options.quant);
  if (int64_t group = weightGroup(options))
    os << " -group-size=" << group << " -scale-type="
       << (options.scaleType == CompileOptions::ScaleType::F16 ? "f16" : "f32");
  if (options.zeroPoint == CompileOptions::ZeroPoint::Int)
    os << " -zero-point=int";
  if (options.hasCodes())
    os << " -act=" << (options.quantizesActivations() ? "dynamic" : "none");
  if (options.actGroup)
    os << " -act-group=" << options.actGroup;
  os << " -embedding-quant="
     << (options.hasBF16Tables() ? "bf16"
                                 : embeddingName(options.embeddingEncoding()));
  if (options.hasCodes())
    os << " -quant-method="
       << stringify(options.calibratesRounding()
                        ? options.quantMethod
                        : CompileOptions::Rounding::Nearest);
  if (options.zeroRatio() > 0)
    os << " -sparsity=" << llvm::format("%.17g", options.zeroRatio())
       << " -sparsity-pattern=" << stringify(options.sparsityPattern)
       << " -sparsity-method="
       << stringify(options.calibratesPruning()
                        ? options.sparsityMethod
                        : CompileOptions::Pruner::Magnitude);
  if (options.calibrates())
    os << " -calib=" << (options.calibration.empty() ? "self" : "file")
       << " -calib-samples=" << options.calibrationSamples
       << " -calib-seqlen=" << options.calibrationLength
       << " -seed=" << options.seed;
  if (options.foldQDQ)
    os << " -fold-qdq";
  if (!options.formats.empty())
    os << " -format=" << llvm::join(options.formats, ",");
  if (options.maxSequence)
    os << " -max-seq=" << options.maxSequence;
  os << " -max-batch=" << options.maxBatch;
  if (options.profile)
    os << " -profile";
  if (options.kv != CompileOptions::KV::F32)
    os << " -kv=" << (options.kv == CompileOptions::KV::BF16 ? "bf16" : "int8");
  return text;
}
