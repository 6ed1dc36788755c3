//===- Pipelines.h - llmopt-quantize and llmopt-encode ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_PIPELINES_H
#define LLMOPT_PASSES_QUANTIZATION_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "passes/Quantization/Options.h"
#include <string>

namespace llmopt {

/// The names of encodings.
inline llvm::cl::ValuesClass weightQuantizationValues() {
  return llvm::cl::values(
      clEnumValN(WeightQuantization::None, "none", "float"),
      clEnumValN(WeightQuantization::Int8, "int8", "int8 with a scale per row"),
      clEnumValN(WeightQuantization::Int4, "int4",
                 "int4 with a scale per group"),
      clEnumValN(WeightQuantization::Int3, "int3",
                 "int3 with a scale per group"),
      clEnumValN(WeightQuantization::Int2, "int2",
                 "int2 with a scale per group"),
      clEnumValN(WeightQuantization::NF4, "nf4",
                 "16 values of a normal distribution with a scale per group"));
}

struct QuantizeOptions : mlir::PassPipelineOptions<QuantizeOptions> {
  Option<WeightQuantization> linears{
      *this, "linears", llvm::cl::desc("encoding of the weights of products"),
      llvm::cl::init(WeightQuantization::None), weightQuantizationValues()};
  Option<WeightQuantization> embedding{
      *this, "embedding",
      llvm::cl::desc("encoding of embedding tables and tied heads"),
      llvm::cl::init(WeightQuantization::None), weightQuantizationValues()};
  Option<ActivationQuantization> activations{
      *this, "activations",
      llvm::cl::desc("activations of products with integer weights"),
      llvm::cl::init(ActivationQuantization::Dynamic),
      llvm::cl::values(
          clEnumValN(ActivationQuantization::None, "none", "float"),
          clEnumValN(ActivationQuantization::Dynamic, "dynamic",
                     "int8, scales found at run time"))};
  Option<int64_t> activationGroup{
      *this, "activation-group",
      llvm::cl::desc("columns of the activations that share a scale, a "
                     "multiple of 32; 0: automatic"),
      llvm::cl::init(0)};
  Option<int64_t> groupSize{
      *this, "group-size",
      llvm::cl::desc("columns of the weights of products that share a scale, a "
                     "multiple of 32; 0: automatic"),
      llvm::cl::init(0)};
  Option<bool> zeroPoints{
      *this, "zero-points",
      llvm::cl::desc("groups of int4, int3 and int2 weights of products have "
                     "zero points"),
      llvm::cl::init(false)};
  Option<bool> halfScales{*this, "half-scales",
                          llvm::cl::desc("scales of groups are f16"),
                          llvm::cl::init(true)};
};

struct EncodeOptions : mlir::PassPipelineOptions<EncodeOptions> {
  ListOption<std::string> cpus{
      *this, "cpus",
      llvm::cl::desc("names as for -mcpu; the host's where empty")};
  Option<bool> bf16Linears{
      *this, "bf16-linears",
      llvm::cl::desc("plain weights of products become bf16"),
      llvm::cl::init(false)};
  Option<bool> bf16Tables{*this, "bf16-tables",
                          llvm::cl::desc("plain embedding tables become bf16"),
                          llvm::cl::init(false)};
  ListOption<std::string> formats{
      *this, "formats",
      llvm::cl::desc("REGEX:NAME: the format of int8 weights whose names "
                     "match")};
};

/// Adds the passes that turn plain weights into encoded weights without a
/// layout.
void populateQuantizePipeline(mlir::OpPassManager &manager,
                              const QuantizeOptions &options);

/// Adds the passes that leave an encoded weight with a layout at every product
/// and embedding.
void populateEncodePipeline(mlir::OpPassManager &manager,
                            const EncodeOptions &options);

/// Registers `llmopt-quantize` and `llmopt-encode`.
void registerQuantizationPipelines();

} // namespace llmopt

#endif // LLMOPT_PASSES_QUANTIZATION_PIPELINES_H
