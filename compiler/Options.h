//===- Options.h - What the user asks of a compilation ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_OPTIONS_H
#define LLMOPT_COMPILER_OPTIONS_H

#include "passes/Quantization/Options.h"
#include "target/Isa.h"
#include <string>
#include <vector>

namespace llmopt {

/// Everything that decides the result of a compilation; see
/// docs/CommandLine.md.
struct CompileOptions {
  /// Encoding of the weights of linears.
  enum class Quant { None, BF16, Int8, Int4, Int3, Int2, NF4 };
  /// Zero points of the groups of weights.
  enum class ZeroPoint { None, Int };
  /// Numbers that the scales of groups are stored as.
  enum class ScaleType { F16, F32 };
  /// Arithmetic of linears with integer weights: Dynamic quantizes activations
  /// to int8 at run time, None computes in f32 on decoded weights, Auto is
  /// Dynamic.
  enum class Activation { Auto, None, Dynamic };
  /// Encoding of embedding tables and of a head that shares one; Auto is int8
  /// where the weights are quantized.
  enum class Embedding { Auto, None, Int8, Int4 };
  /// Where zeros may be: anywhere, or all but `kept` of every `of` columns.
  struct Pattern {
    unsigned kept = 0, of = 0;
    bool isGrouped() const { return of != 0; }
  };
  enum class KV { F32, BF16, Int8 };
  /// Auto is the best calibrated method; Magnitude needs no data.
  enum class Pruner { Auto, Magnitude, Wanda, SparseGPT, Alps };
  /// Auto is calibrated below 8 bits, and where pruning is.
  enum class Rounding { Auto, Nearest, Gptq };
  /// What is written; every value but Library stops after a stage.
  enum class Emit {
    Library,
    Onnx,
    LLMOpt,
    Encoded,
    Kernel,
    LLVM,
    Assembly,
    Object
  };

  std::string model; ///< path of the ONNX file; "-" is standard input
  std::string
      output; ///< path; "-" is standard output; empty: named after `emit`
  unsigned level = 2; ///< 0: no calibration; 2: automatic methods
  Quant quant = Quant::None;
  Rounding quantMethod = Rounding::Auto;
  unsigned groupSize = 0; ///< columns that share a weight scale; 0: automatic
  ScaleType scaleType = ScaleType::F16;
  ZeroPoint zeroPoint = ZeroPoint::None;
  Activation act = Activation::Auto;
  unsigned actGroup =
      0; ///< columns that share an activation scale; 0: automatic
  Embedding embeddingQuant = Embedding::Auto;
  double sparsity = 0; ///< fraction of zero weights, in [0, 1)
  Pattern sparsityPattern;
  Pruner sparsityMethod = Pruner::Auto;
  std::string calibration; ///< file of token ids; empty: the model's own
  unsigned calibrationSamples = 32;
  unsigned calibrationLength = 1024; ///< tokens of a sample
  unsigned seed = 0;
  bool foldQDQ = false; ///< products of dequantized values on integers
  std::vector<std::string> formats; ///< REGEX:NAME, see LayoutOverride.h
  std::vector<std::string> cpus = {"native"};
  unsigned maxSequence = 0; ///< tokens of a session's sequence; 0: automatic
  unsigned maxBatch = 8;    ///< sequences of a session
  bool profile = false;     ///< code counts the time of every kernel
  KV kv = KV::F32;          ///< numbers that a session's cache holds
  Emit emit = Emit::Library;
  std::string report; ///< path of the JSON report; empty: none
  unsigned jobs = 0;  ///< threads of the compiler; 0: one per core

  /// Flags that were given, without dashes: tells a default from a choice.
  std::vector<std::string> given;

  bool isGiven(llvm::StringRef flag) const;
  /// `output`, or the default name for `emit`.
  std::string outputPath() const;
  /// True if linears with integer weights quantize their activations.
  bool quantizesActivations() const {
    return hasCodes() && act != Activation::None;
  }
  /// True if weights become integers or indices of a table.
  bool hasCodes() const { return quant != Quant::None && quant != Quant::BF16; }
  /// Fraction of zeros that the flags ask for.
  double zeroRatio() const {
    return sparsityPattern.isGrouped()
               ? 1 - double(sparsityPattern.kept) / sparsityPattern.of
               : sparsity;
  }
  /// True if weights are pruned by a method that needs to know what they are
  /// multiplied with.
  bool calibratesPruning() const {
    return level > 0 && zeroRatio() > 0 && sparsityMethod != Pruner::Magnitude;
  }
  /// True if codes are chosen by a method that needs to know it.
  bool calibratesRounding() const;
  bool calibrates() const {
    return calibratesPruning() || calibratesRounding();
  }
  /// True if embedding tables become bf16, as other weights do.
  bool hasBF16Tables() const {
    return quant == Quant::BF16 && embeddingQuant == Embedding::Auto;
  }
  /// What becomes of embedding tables; not Auto.
  Embedding embeddingEncoding() const {
    if (embeddingQuant != Embedding::Auto)
      return embeddingQuant;
    return hasCodes() ? Embedding::Int8 : Embedding::None;
  }
};

/// The encoding that a value of '-quant' stands for.
WeightQuantization quantizationOf(CompileOptions::Quant quant);

/// The value of -sparsity-method that stands for it.
llvm::StringRef stringify(CompileOptions::Pruner method);
/// The value of -quant-method.
llvm::StringRef stringify(CompileOptions::Rounding method);
/// The value of -sparsity-pattern.
std::string stringify(const CompileOptions::Pattern &pattern);

/// Contradictions and values that no compilation can have, one message each,
/// lower-case and without a period. Looks at no file.
std::vector<std::string> validate(const CompileOptions &options);

/// The CPUs of `options.cpus`, best instruction set first and without
/// repetitions of equal code. Errors are appended to `errors`.
std::vector<CpuTarget> resolveTargets(const CompileOptions &options,
                                      std::vector<std::string> &errors);

/// The flags that decide the numbers of the result, in one canonical spelling:
/// "-O2 -quant=int8 -act=dynamic ...". Equal recipes give equal libraries.
std::string recipe(const CompileOptions &options);

/// Whether two paths name one file, which need not exist.
bool nameOneFile(llvm::StringRef a, llvm::StringRef b);

} // namespace llmopt

#endif // LLMOPT_COMPILER_OPTIONS_H
