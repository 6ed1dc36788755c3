//===- Pipelines.h - The stages select, bufferize and expand ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_PIPELINES_H
#define LLMOPT_PASSES_LOWERING_PIPELINES_H

#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "target/Isa.h"

namespace llmopt {

struct SelectOptions : mlir::PassPipelineOptions<SelectOptions> {
  Option<KVFormat> kv{
      *this, "kv", llvm::cl::desc("numbers that the cache holds"),
      llvm::cl::init(KVFormat::F32),
      llvm::cl::values(clEnumValN(KVFormat::F32, "f32", "floats"),
                       clEnumValN(KVFormat::BF16, "bf16", "bfloat16"),
                       clEnumValN(KVFormat::Int8, "int8",
                                  "int8 with a scale per token and head"))};
};

/// `llmopt-select`: `@main` with the ONNX signature becomes `@forward` over
/// rows, and products that share their activations become one.
void populateSelectPipeline(mlir::OpPassManager &manager,
                            const SelectOptions &options);

/// `llmopt-bufferize`: `@forward` on tensors becomes kernel operations on
/// planned buffers with verified barriers.
void populateBufferizePipeline(mlir::OpPassManager &manager);

struct ExpandOptions : mlir::PassPipelineOptions<ExpandOptions> {
  Option<Isa> isa{
      *this, "isa", llvm::cl::desc("instruction set of the kernels"),
      llvm::cl::init(Isa::Avx2),
      llvm::cl::values(clEnumValN(Isa::Avx2, "avx2", "256-bit vectors"),
                       clEnumValN(Isa::Avx512Vnni, "avx512vnni",
                                  "512-bit vectors with integer products"))};
  Option<bool> profile{
      *this, "profile",
      llvm::cl::desc("count the time of every kernel (decoders)"),
      llvm::cl::init(false)};
};

/// `llmopt-expand-kernels`: `@forward` becomes `@forward(%call: !llvm.ptr,
/// %thread: i32)`, the llmopt_entry of the model ABI, which calls generated
/// kernels. Its attributes `kernel.arena_bytes_per_row` and
/// `kernel.scratch_bytes` (passes/Lowering/LoweringAttributes.h) say what it
/// needs.
void populateExpandPipeline(mlir::OpPassManager &manager,
                            const ExpandOptions &options);

/// `llmopt-place-graph`: the constants of a graph get their place among the
/// packed weights.
void populatePlaceGraphPipeline(mlir::OpPassManager &manager);

/// `llmopt-expand-graph`: `@main` of ONNX nodes becomes `@graph(%call:
/// !llvm.ptr)`, the llmopt_graph_entry of the model ABI. Its attribute
/// `kernel.output_types` says what it computes.
void populateExpandGraphPipeline(mlir::OpPassManager &manager,
                                 const ExpandOptions &options);

/// Makes the pipelines known by name, for llmopt-opt.
void registerLoweringPipelines();

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_PIPELINES_H
