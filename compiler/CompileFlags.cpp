//===- CompileFlags.cpp - Flags of llmopt-compile ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/CompileFlags.h"

using namespace llmopt;
using Options = CompileOptions;

/// "2:4" keeps 2 of every 4 columns.
static std::string readPattern(llvm::StringRef text,
                               Options::Pattern &pattern) {
  pattern = {};
  if (text == "unstructured")
    return "";
  auto [kept, of] = text.split(':');
  constexpr unsigned kLongest = 32;
  if (kept.getAsInteger(10, pattern.kept) || of.getAsInteger(10, pattern.of) ||
      pattern.kept == 0 || pattern.kept >= pattern.of || pattern.of > kLongest)
    return "expects unstructured or N:M with 0 < N < M <= 32, such as 2:4";
  return "";
}

static void addCompressionFlags(FlagParser &parser, CompileOptions &options) {
  parser.beginGroup("Compression");
  parser.add(
      {"O", "0|2",
       "0: round to nearest and magnitude; 2: automatic methods (default 2)",
       [&options](llvm::StringRef text) -> std::string {
         if (text != "0" && text != "2")
           return "expects 0 or 2";
         options.level = text == "0" ? 0 : 2;
         return "";
       },
       /*joined=*/true});
  parser.addChoice<Options::Quant>("quant",
                                   {{"none", Options::Quant::None},
                                    {"bf16", Options::Quant::BF16},
                                    {"int8", Options::Quant::Int8},
                                    {"int4", Options::Quant::Int4},
                                    {"int3", Options::Quant::Int3},
                                    {"int2", Options::Quant::Int2},
                                    {"nf4", Options::Quant::NF4}},
                                   options.quant,
                                   "weights of linears (default none)");
  parser.addChoice<Options::Rounding>("quant-method",
                                      {{"auto", Options::Rounding::Auto},
                                       {"rtn", Options::Rounding::Nearest},
                                       {"gptq", Options::Rounding::Gptq}},
                                      options.quantMethod,
                                      "how weights are rounded: to nearest "
                                      "(rtn), or calibrated (auto: below 8 "
                                      "bits and with calibrated sparsity)");
  parser.addNumber("group-size", 32, 1 << 16, options.groupSize,
                   "columns of a weight that share a scale, a multiple of 32 "
                   "(default: int4, int3, int2 32, nf4 64, int8 all)");
  parser.addChoice<Options::ZeroPoint>(
      "zero-point",
      {{"none", Options::ZeroPoint::None}, {"int", Options::ZeroPoint::Int}},
      options.zeroPoint,
      "zero points of groups of int4, int3 and int2 (default none)");
  parser.addChoice<Options::ScaleType>(
      "scale-type",
      {{"f16", Options::ScaleType::F16}, {"f32", Options::ScaleType::F32}},
      options.scaleType, "scales of groups (default f16)");
  parser.addChoice<Options::Activation>(
      "act",
      {{"auto", Options::Activation::Auto},
       {"none", Options::Activation::None},
       {"dynamic", Options::Activation::Dynamic}},
      options.act,
      "activations of integer linears: int8 at run time (auto, "
      "dynamic) or float (none)");
  parser.addNumber("act-group", 32, 1 << 20, options.actGroup,
                   "columns that share an activation scale, a multiple of 32");
  parser.addChoice<Options::Embedding>(
      "embedding-quant",
      {{"auto", Options::Embedding::Auto},
       {"none", Options::Embedding::None},
       {"int8", Options::Embedding::Int8},
       {"int4", Options::Embedding::Int4}},
      options.embeddingQuant,
      "embedding tables and the output head (auto: int8 with quantized "
      "weights)");
  parser.addFraction(
      "sparsity", options.sparsity,
      "fraction of zero weights in the linears of the blocks (default 0)");
  parser.add({"sparsity-pattern", "unstructured|N:M",
              "where zeros may be: anywhere, or all but N of every M columns",
              [&options](llvm::StringRef text) -> std::string {
                return readPattern(text, options.sparsityPattern);
              }});
  parser.addChoice<Options::Pruner>(
      "sparsity-method",
      {{"auto", Options::Pruner::Auto},
       {"magnitude", Options::Pruner::Magnitude},
       {"wanda", Options::Pruner::Wanda},
       {"sparsegpt", Options::Pruner::SparseGPT},
       {"alps", Options::Pruner::Alps}},
      options.sparsityMethod,
      "which weights become zero; all but magnitude are calibrated");
  parser.addList(
      "format", "REGEX:NAME[,REGEX:NAME...]", options.formats,
      "format of the int8 weights whose names match: int8, "
      "int8-bitmask, int8-2of4 or int8-gather (default: the fastest)");
  parser.add({"fold-qdq", "",
              "compute products of quantized values (QuantizeLinear, "
              "DequantizeLinear) in integers, with the model's scales",
              [&options](llvm::StringRef) -> std::string {
                options.foldQDQ = true;
                return "";
              }});
}

static void addCalibrationFlags(FlagParser &parser, CompileOptions &options) {
  parser.beginGroup("Calibration");
  parser.addText("calib", "FILE", options.calibration,
                 "token ids, .npy, .bin or .jsonl (default: the model samples "
                 "its own)");
  parser.addNumber("calib-samples", 1, 1 << 16, options.calibrationSamples,
                   "samples (default 32)");
  parser.addNumber("calib-seqlen", 1, 1 << 16, options.calibrationLength,
                   "tokens of a sample (default 1024)");
  parser.addNumber("seed", 0, UINT32_MAX, options.seed,
                   "for the choice of samples and sampling (default 0)");
}

void llmopt::addModelFlags(FlagParser &parser, CompileOptions &options) {
  addCompressionFlags(parser, options);
  addCalibrationFlags(parser, options);
  parser.beginGroup("Target");
  parser.addList(
      "mcpu", "NAME[,NAME...]", options.cpus,
      "CPUs to generate code for: native (default), znver4, x86-64-v3, ...");
  parser.addNumber("max-seq", 1, 1 << 20, options.maxSequence,
                   "tokens of one sequence of a session (default: all "
                   "positions of the model)");
  parser.addNumber("max-batch", 1, 1024, options.maxBatch,
                   "sequences of a session (default 8)");
  parser.add({"profile", "",
              "count the time of every kernel, for llmopt-bench -profile",
              [&options](llvm::StringRef) -> std::string {
                options.profile = true;
                return "";
              }});
  parser.addChoice<Options::KV>(
      "kv",
      {{"f32", Options::KV::F32},
       {"bf16", Options::KV::BF16},
       {"int8", Options::KV::Int8}},
      options.kv, "numbers that the cache of a session holds (default f32)");
}

void llmopt::addOutputFlags(FlagParser &parser, CompileOptions &options) {
  parser.beginGroup("Output");
  parser.addText("o", "FILE", options.output,
                 "output (default model.so, or model with the suffix of "
                 "-emit); - is standard "
                 "output");
  parser.addChoice<Options::Emit>("emit",
                                  {{"so", Options::Emit::Library},
                                   {"onnx", Options::Emit::Onnx},
                                   {"llmopt", Options::Emit::LLMOpt},
                                   {"encoded", Options::Emit::Encoded},
                                   {"kernel", Options::Emit::Kernel},
                                   {"llvm", Options::Emit::LLVM},
                                   {"asm", Options::Emit::Assembly},
                                   {"obj", Options::Emit::Object}},
                                  options.emit,
                                  "stop after a stage (default so)");
  parser.addText("report", "FILE.json", options.report,
                 "write what became of every layer, sizes and times");
}

void llmopt::addJobsFlag(FlagParser &parser, CompileOptions &options) {
  parser.addNumber("j", 1, 1024, options.jobs,
                   "threads of the compiler (default: all cores)",
                   /*joined=*/true);
}
