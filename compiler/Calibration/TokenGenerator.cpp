//===- TokenGenerator.cpp - Samples that a model makes itself ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Calibration/TokenGenerator.h"
#include "compiler/Calibration/PartExecutor.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Threading.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Lowering/Pipelines.h"
#include "passes/Quantization/Pipelines.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <random>

using namespace llmopt;
using namespace mlir;

namespace {

/// Sequences that are generated at once: the cache of a token takes more
/// memory than its activations.
constexpr uint32_t kBatch = 16;

/// Sequences in progress, a row of a call each.
class Batch {
public:
  Batch(DecoderAttr decoder, uint32_t sequences, uint32_t length);

  /// Computes the predictions for the tokens at `position`.
  llvm::Error step(CodeRunner &runner, const PartCode &code,
                   const uint8_t *weights, uint32_t position);

  /// The logits of a sequence.
  ArrayRef<float> logits(uint32_t sequence) const {
    return {reinterpret_cast<const float *>(logitBytes.data()) +
                sequence * llmopt_logit_stride(vocabulary),
            vocabulary};
  }
  std::vector<int64_t> tokens; ///< of the current position

private:
  uint32_t vocabulary, capacity;
  AlignedBytes pages, logitBytes, arena, scratch;
  std::vector<uint8_t *> pageTable;
  std::vector<llmopt_segment> segments;
  std::vector<int32_t> positions;
  std::vector<uint32_t> allRows;
};

} // namespace

Batch::Batch(DecoderAttr decoder, uint32_t sequences, uint32_t length)
    : tokens(sequences), vocabulary(decoder.getVocabulary()),
      capacity(llvm::alignTo(sequences, LLMOPT_PANEL_ROWS)),
      positions(sequences) {
  size_t pageBytes =
      llmopt_page_bytes(LLMOPT_KV_F32, decoder.getLayers(),
                        decoder.getKvHeads(), decoder.getHeadDim());
  size_t pagesEach = llvm::divideCeil(length, LLMOPT_PAGE_TOKENS);
  pages = AlignedBytes(sequences * pagesEach * pageBytes);
  logitBytes = AlignedBytes(size_t(capacity) * llmopt_logit_stride(vocabulary) *
                            sizeof(float));
  for (size_t i = 0; i < sequences * pagesEach; ++i)
    pageTable.push_back(pages.data() + i * pageBytes);
  for (uint32_t i = 0; i < sequences; ++i) {
    llmopt_segment segment = {};
    segment.first_row = i;
    segment.rows = 1;
    segment.pages = pageTable.data() + i * pagesEach;
    segments.push_back(segment);
    allRows.push_back(i);
  }
}

llvm::Error Batch::step(CodeRunner &runner, const PartCode &code,
                        const uint8_t *weights, uint32_t position) {
  if (!arena.data()) {
    arena = AlignedBytes(code.arenaBytesPerRow * capacity);
    scratch = AlignedBytes(code.scratchBytes * runner.threads());
  }
  for (llmopt_segment &segment : segments)
    segment.past = position;
  llvm::fill(positions, position);
  llmopt_call call = {};
  call.rows = call.logit_rows = call.segment_count = tokens.size();
  call.capacity = capacity;
  call.tokens = tokens.data();
  call.positions = positions.data();
  call.segments = segments.data();
  call.logit_row_index = allRows.data();
  call.logits = reinterpret_cast<float *>(logitBytes.data());
  call.arena = arena.data();
  call.scratch = scratch.data();
  call.weights = weights;
  return runner.run(code.entry, call);
}

//===----------------------------------------------------------------------===//
// Drawing
//===----------------------------------------------------------------------===//

/// A token drawn with the probabilities that logits stand for; -1 if none of
/// them is a number.
static int64_t drawToken(ArrayRef<float> logits, std::mt19937_64 &random) {
  float highest = -std::numeric_limits<float>::infinity();
  for (float logit : logits)
    highest = logit > highest ? logit : highest;
  if (!std::isfinite(highest))
    return -1;
  double sum = 0;
  for (float logit : logits)
    if (logit == logit)
      sum += std::exp(logit - highest);
  constexpr double kUnit = 1.0 / (uint64_t{1} << 53);
  double point = static_cast<double>(random() >> 11) * kUnit * sum;
  int64_t last = 0;
  for (auto [token, logit] : llvm::enumerate(logits)) {
    if (logit != logit)
      continue;
    last = token;
    point -= std::exp(logit - highest);
    if (point < 0)
      break;
  }
  return last;
}

/// The model with int8 weights, as kernels.
static FailureOr<OwningOpRef<ModuleOp>> lower(ModuleOp module) {
  OwningOpRef<ModuleOp> copy = module.clone();
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  QuantizeOptions quantize;
  quantize.linears = quantize.embedding = WeightQuantization::Int8;
  populateQuantizePipeline(manager, quantize);
  populateEncodePipeline(manager, EncodeOptions());
  populateSelectPipeline(manager, SelectOptions());
  populateBufferizePipeline(manager);
  if (failed(manager.run(*copy)))
    return failure();
  return std::move(copy);
}

/// Draws the next tokens of all sequences; false if a prediction is no number.
static bool drawTokens(MLIRContext *context, Batch &batch,
                       MutableArrayRef<std::mt19937_64> randoms) {
  parallelFor(context, 0, batch.tokens.size(), [&](size_t i) {
    batch.tokens[i] = drawToken(batch.logits(i), randoms[i]);
  });
  return !llvm::is_contained(batch.tokens, -1);
}

FailureOr<CalibrationSamples>
llmopt::generateSamples(ModuleOp module, const SampleRequest &request,
                        CodeRunner &runner, PartCompiler &compiler,
                        llvm::function_ref<void(double done)> progress) {
  FailureOr<OwningOpRef<ModuleOp>> kernels = lower(module);
  if (failed(kernels))
    return failure();
  auto decoder = (**kernels)->getAttrOfType<DecoderAttr>(kDecoderAttrName);
  FailureOr<const PartCode *> code = compiler.compile(**kernels);
  FailureOr<AlignedBytes> weights = packForExecution(**kernels);
  if (failed(code) || failed(weights))
    return failure();

  CalibrationSamples samples;
  samples.length = request.length;
  samples.tokens.resize(size_t(request.count) * request.length);
  for (uint32_t first = 0; first < request.count; first += kBatch) {
    uint32_t count = std::min(kBatch, request.count - first);
    Batch batch(decoder, count, request.length);
    std::vector<std::mt19937_64> randoms;
    for (uint32_t i = 0; i < count; ++i) {
      // Sequences do not depend on the batch that they are in.
      std::seed_seq seed{uint32_t(request.seed), first + i};
      randoms.emplace_back(seed);
      batch.tokens[i] = randoms[i]() % decoder.getVocabulary();
    }
    for (uint32_t position = 0; position < request.length; ++position) {
      for (uint32_t i = 0; i < count; ++i)
        samples.tokens[size_t(first + i) * request.length + position] =
            batch.tokens[i];
      if (position + 1 == request.length)
        break;
      if (llvm::Error error =
              batch.step(runner, **code, weights->data(), position))
        return module.emitError("calibration cannot execute the model: ")
               << llvm::toString(std::move(error));
      if (!drawTokens(module.getContext(), batch, randoms))
        return module.emitError("the model predicts no numbers, so that "
                                "calibration cannot sample from it");
      progress((first + count * (position + 1.0) / request.length) /
               request.count);
    }
  }
  return std::move(samples);
}
