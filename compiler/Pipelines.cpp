//===- Pipelines.cpp - The stages of a compilation as passes ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Pipelines.h"
#include "compiler/CodeGen.h"
#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/ONNX/ONNXDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Import/Pipelines.h"
#include "passes/Lowering/Pipelines.h"
#include "passes/Quantization/Pipelines.h"
#include "passes/Sparsity/Pipelines.h"
#include <algorithm>

using namespace llmopt;
using namespace mlir;

StringRef llmopt::stringify(Stage stage) {
  switch (stage) {
  case Stage::Import:
    return "import";
  case Stage::Sparsify:
    return "sparsify";
  case Stage::Calibrate:
    return "calibrate";
  case Stage::Quantize:
    return "quantize";
  case Stage::Encode:
    return "encode";
  case Stage::Select:
    return "select";
  case Stage::Bufferize:
    return "bufferize";
  }
  llvm_unreachable("unknown stage");
}

std::vector<Stage> llmopt::stagesOf(const CompileOptions &options) {
  using Emit = CompileOptions::Emit;
  if (options.emit == Emit::Onnx)
    return {};
  std::vector<Stage> stages = {Stage::Import};
  if (options.emit == Emit::LLMOpt)
    return stages;
  if (options.calibrates())
    stages.push_back(Stage::Calibrate);
  else if (options.zeroRatio() > 0)
    stages.push_back(Stage::Sparsify);
  stages.insert(stages.end(), {Stage::Quantize, Stage::Encode});
  if (options.emit != Emit::Encoded)
    stages.insert(stages.end(), {Stage::Select, Stage::Bufferize});
  return stages;
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

static void buildImport(OpPassManager &manager, const CompileOptions &options) {
  ImportPipelineOptions import;
  import.maxPositions =
      std::max<int64_t>(import.maxPositions, options.maxSequence);
  import.allowGraph = true;
  populateImportPipeline(manager, import);
}

static void buildSparsify(OpPassManager &manager,
                          const CompileOptions &options) {
  SparsifyOptions sparsify;
  sparsify.ratio = options.sparsity;
  sparsify.kept = options.sparsityPattern.kept;
  sparsify.of = options.sparsityPattern.of;
  populateSparsifyPipeline(manager, sparsify);
}

static WeightQuantization
tableQuantization(CompileOptions::Embedding embedding) {
  switch (embedding) {
  case CompileOptions::Embedding::Auto:
  case CompileOptions::Embedding::None:
    return WeightQuantization::None;
  case CompileOptions::Embedding::Int8:
    return WeightQuantization::Int8;
  case CompileOptions::Embedding::Int4:
    return WeightQuantization::Int4;
  }
  llvm_unreachable("unknown encoding");
}

static void buildQuantize(OpPassManager &manager,
                          const CompileOptions &options) {
  QuantizeOptions quantize;
  quantize.linears = quantizationOf(options.quant);
  quantize.groupSize = options.groupSize;
  quantize.halfScales = options.scaleType == CompileOptions::ScaleType::F16;
  quantize.zeroPoints = options.zeroPoint == CompileOptions::ZeroPoint::Int;
  quantize.embedding = tableQuantization(options.embeddingEncoding());
  if (!options.quantizesActivations())
    quantize.activations = ActivationQuantization::None;
  if (options.actGroup)
    quantize.activationGroup = options.actGroup;
  populateQuantizePipeline(manager, quantize);
}

static void buildEncode(OpPassManager &manager, const CompileOptions &options) {
  EncodeOptions encode;
  encode.cpus = options.cpus;
  encode.bf16Linears = options.quant == CompileOptions::Quant::BF16;
  encode.bf16Tables = options.hasBF16Tables();
  encode.formats = options.formats;
  populateEncodePipeline(manager, encode);
}

static void buildSelect(OpPassManager &manager, const CompileOptions &options) {
  SelectOptions select;
  select.kv = options.kv == CompileOptions::KV::BF16   ? KVFormat::BF16
              : options.kv == CompileOptions::KV::Int8 ? KVFormat::Int8
                                                       : KVFormat::F32;
  populateSelectPipeline(manager, select);
}

void llmopt::buildStage(OpPassManager &manager, Stage stage,
                        const CompileOptions &options) {
  switch (stage) {
  case Stage::Import:
    return buildImport(manager, options);
  case Stage::Sparsify:
  case Stage::Calibrate:
    return buildSparsify(manager, options);
  case Stage::Quantize:
    return buildQuantize(manager, options);
  case Stage::Encode:
    return buildEncode(manager, options);
  case Stage::Select:
    return buildSelect(manager, options);
  case Stage::Bufferize:
    return populateBufferizePipeline(manager);
  }
}

void llmopt::registerCompilerDialects(DialectRegistry &registry) {
  registry.insert<LLMOptDialect, kernel::KernelDialect, onnx::ONNXDialect,
                  tensor::TensorDialect>();
  registerCodeGenDialects(registry);
}
