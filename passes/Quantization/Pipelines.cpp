//===- Pipelines.cpp - llmopt-quantize and llmopt-encode --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/Pipelines.h"
#include "passes/Quantization/Passes.h"

using namespace llmopt;
using namespace mlir;

void llmopt::populateQuantizePipeline(OpPassManager &manager,
                                      const QuantizeOptions &options) {
  QuantizeWeightsPassOptions quantize;
  quantize.linears = options.linears;
  quantize.embedding = options.embedding;
  quantize.activations = options.activations;
  quantize.activationGroup = options.activationGroup;
  quantize.groupSize = options.groupSize;
  quantize.zeroPoints = options.zeroPoints;
  quantize.halfScales = options.halfScales;
  manager.addPass(createQuantizeWeightsPass(quantize));
}

void llmopt::populateEncodePipeline(OpPassManager &manager,
                                    const EncodeOptions &options) {
  EncodeWeightsPassOptions encode;
  encode.cpus.assign(options.cpus.begin(), options.cpus.end());
  encode.bf16Linears = options.bf16Linears;
  encode.bf16Tables = options.bf16Tables;
  encode.formats.assign(options.formats.begin(), options.formats.end());
  manager.addPass(createEncodeWeightsPass(encode));
}

void llmopt::registerQuantizationPipelines() {
  PassPipelineRegistration<QuantizeOptions>(
      "llmopt-quantize", "turn plain weights into encoded ones",
      populateQuantizePipeline);
  PassPipelineRegistration<EncodeOptions>(
      "llmopt-encode", "choose the layouts of encoded weights",
      populateEncodePipeline);
}
