//===- FakeModel.cpp - A model small enough to be checked by hand ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Built several times: FAKE_PADDING is the llmopt_padding, FAKE_DEFECT makes
// the descriptor wrong in one respect.
//
//===----------------------------------------------------------------------===//

#include "FakeModel.h"

#include <cstring>

using namespace fake;

namespace {

enum Defect { None, Alien, WrongSize, NoVariant, Inconsistent };

/// Bytes of the activations of a row: one float, in a slot of its own.
constexpr uint64_t kSlotBytes = 64;

float *slotOf(const llmopt_call &call, uint32_t row) {
  return reinterpret_cast<float *>(call.arena + row * kSlotBytes);
}

/// Page and slot of token `t` of a segment: keys or values of a layer and head.
struct Cell {
  float *keys, *values;
  uint32_t slot;

  Cell(const llmopt_segment &segment, uint32_t t, uint32_t layer, uint32_t head)
      : keys(reinterpret_cast<float *>(segment.pages[t / LLMOPT_PAGE_TOKENS] +
                                       llmopt_page_offset(LLMOPT_KV_F32,
                                                          kKVHeads, kHeadDim,
                                                          layer, head))),
        values(keys + kHeadDim * LLMOPT_PAGE_TOKENS),
        slot(t % LLMOPT_PAGE_TOKENS) {}

  float &key(uint32_t d) const { return keys[d * LLMOPT_PAGE_TOKENS + slot]; }
  float &value(uint32_t d) const { return values[slot * kHeadDim + d]; }
};

void writeCache(const llmopt_call &call, const llmopt_segment &segment,
                uint32_t i, uint32_t layer) {
  const uint32_t row = segment.first_row + i;
  for (uint32_t head = 0; head < kKVHeads; ++head)
    for (uint32_t d = 0; d < kHeadDim; ++d) {
      const Cell cell(segment, segment.past + i, layer, head);
      cell.key(d) =
          keyAt(call.tokens[row], call.positions[row], layer, head, d);
      cell.value(d) =
          valueAt(call.tokens[row], call.positions[row], layer, head, d);
    }
}

void attend(const llmopt_call &call, const llmopt_segment &segment, uint32_t i,
            uint32_t layer) {
  float sum = 0;
  for (uint32_t t = 0; t <= segment.past + i; ++t) {
    if (segment.key_mask && !segment.key_mask[t])
      continue;
    for (uint32_t head = 0; head < kKVHeads; ++head)
      for (uint32_t d = 0; d < kHeadDim; ++d) {
        const Cell cell(segment, t, layer, head);
        sum += mix(cell.key(d), cell.value(d), layer);
      }
  }
  float *hidden = slotOf(call, segment.first_row + i);
  *hidden = layer ? *hidden + sum : sum;
}

template <typename Body>
void forEachRow(const llmopt_call &call, uint32_t thread, Body body) {
  for (uint32_t s = 0; s < call.segment_count; ++s)
    for (uint32_t i = 0; i < call.segments[s].rows; ++i)
      if ((call.segments[s].first_row + i) % call.threads == thread)
        body(call.segments[s], i);
}

void forward(llmopt_call *call, uint32_t thread) {
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    forEachRow(*call, thread, [&](const llmopt_segment &segment, uint32_t i) {
      writeCache(*call, segment, i, layer);
    });
    call->barrier(call, thread);
    // Another thread than the one that wrote computes the row.
    forEachRow(*call, (thread + layer) % call->threads,
               [&](const llmopt_segment &segment, uint32_t i) {
                 attend(*call, segment, i, layer);
               });
    call->barrier(call, thread);
  }
  const auto *weights = reinterpret_cast<const float *>(call->weights);
  for (uint32_t i = thread; i < call->logit_rows; i += call->threads) {
    const uint32_t row = call->logit_row_index[i];
    for (uint32_t entry = 0; entry < kVocabulary; ++entry)
      call->logits[i * llmopt_logit_stride(kVocabulary) + entry] =
          weights[entry] / weightAt(entry) *
          logitAt(*slotOf(*call, row), call->tokens[row], call->positions[row],
                  entry);
  }
}

constexpr int64_t kAny = LLMOPT_DYNAMIC;
constexpr int kDefect = FAKE_DEFECT;
constexpr int kPadding = FAKE_PADDING;

constexpr llmopt_tensor_descriptor cacheTensor(const char *name,
                                               llmopt_role role, int layer) {
  return {name, LLMOPT_F32, role, layer, 4, {kAny, kKVHeads, kAny, kHeadDim}};
}

// Without padding: 32-bit tokens, no mask, no past, no present.
const llmopt_tensor_descriptor inputs[] = {
    {"input_ids",
     kPadding == LLMOPT_PADDING_NONE ? LLMOPT_I32 : LLMOPT_I64,
     LLMOPT_ROLE_TOKENS,
     0,
     2,
     {kAny, kAny}},
    {"attention_mask", LLMOPT_I64, LLMOPT_ROLE_MASK, 0, 2, {kAny, kAny}},
    cacheTensor("past.0.key", LLMOPT_ROLE_KEY, 0),
    cacheTensor("past.0.value", LLMOPT_ROLE_VALUE, 0),
    cacheTensor("past.1.key", LLMOPT_ROLE_KEY, 1),
    cacheTensor("past.1.value", LLMOPT_ROLE_VALUE, 1),
    {"position_ids", LLMOPT_I64, LLMOPT_ROLE_POSITIONS, 0, 2, {kAny, kAny}},
};
const llmopt_tensor_descriptor outputs[] = {
    {"logits", LLMOPT_F32, LLMOPT_ROLE_LOGITS, 0, 3, {kAny, kAny, kVocabulary}},
    cacheTensor("present.0.key", LLMOPT_ROLE_KEY, 0),
    cacheTensor("present.0.value", LLMOPT_ROLE_VALUE, 0),
    cacheTensor("present.1.key", LLMOPT_ROLE_KEY, 1),
    cacheTensor("present.1.value", LLMOPT_ROLE_VALUE, 1),
};
constexpr uint32_t kInputs = kPadding == LLMOPT_PADDING_LEFT    ? 7
                             : kPadding == LLMOPT_PADDING_RIGHT ? 6
                                                                : 1;
constexpr uint32_t kOutputs = kPadding == LLMOPT_PADDING_NONE ? 1 : 5;

constexpr uint64_t kUnknownFeature = uint64_t{1} << 40;
const llmopt_variant variants[] = {
    {"future", "future", kUnknownFeature, kSlotBytes, 64, forward, nullptr},
    {"generic", "plain",
     kDefect == Alien ? LLMOPT_CPU_AVX2 | kUnknownFeature : 0, kSlotBytes, 64,
     forward, nullptr},
};

uint64_t headChecksum() {
  float head[kVocabulary];
  for (uint32_t i = 0; i < kVocabulary; ++i)
    head[i] = weightAt(i);
  return llmopt_checksum(head, sizeof(head));
}

const llmopt_weight_descriptor weights[] = {
    {"head", "f32", kVocabulary, 1, 0, kWeightsBytes, 0, headChecksum()}};

llmopt_model_descriptor describe() {
  llmopt_model_descriptor model = {};
  model.abi_version = LLMOPT_ABI_VERSION;
  model.struct_bytes = sizeof(model) + (kDefect == WrongSize ? 8 : 0);
  memcpy(model.build_id, kBuildId, sizeof(kBuildId));
  model.producer = "llmopt test";
  model.model_name = "fake";
  model.weights_bytes = kWeightsBytes;
  model.parameters = kVocabulary;
  model.kind = LLMOPT_KIND_DECODER;
  model.layers = kLayers;
  model.heads = kKVHeads * 2;
  model.kv_heads = kKVHeads;
  model.head_dim = kHeadDim;
  model.vocabulary = kVocabulary;
  model.max_positions = kMaxPositions;
  model.max_sequence =
      kDefect == Inconsistent ? kMaxPositions + 1 : kMaxSequence;
  model.max_batch = kMaxBatch;
  model.padding = kPadding;
  model.input_count = kInputs;
  model.output_count = kOutputs;
  model.weight_count = 1;
  model.variant_count = kDefect == NoVariant ? 0 : 2;
  model.inputs = inputs;
  model.outputs = outputs;
  model.weights = weights;
  model.variants = variants;
  if (kPadding == LLMOPT_PADDING_LEFT)
    model.report = R"({"layers": [{"name": "head", "kernel": "sum"}]})";
  return model;
}

} // namespace

extern "C" const llmopt_model_descriptor llmopt_model = describe();
