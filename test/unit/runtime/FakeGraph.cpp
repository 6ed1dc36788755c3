//===- FakeGraph.cpp - A graph model small enough to check by hand --------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Built several times: FAKE_DEFECT makes the descriptor wrong in one respect.
//
//===----------------------------------------------------------------------===//

#include "FakeGraph.h"

#include <atomic>
#include <cstring>

using namespace fake;

namespace {

enum Defect { None, WithRole, WithSize, WithForward, BadType, UnknownKind };
constexpr int kDefect = FAKE_DEFECT;

struct Context {
  llmopt_graph_call *call;
  const float *x;
  const uint8_t *keep;
  float *y;
};

void scaleRows(void *context, uint64_t begin, uint64_t end) {
  const auto &loop = *static_cast<const Context *>(context);
  const auto *weights = reinterpret_cast<const float *>(loop.call->weights);
  for (uint64_t i = begin * kColumns; i < end * kColumns; ++i)
    loop.y[i] = loop.keep[i / kColumns]
                    ? loop.x[i] * weights[i / kColumns % kVocabulary]
                    : 0;
}

void failLast(void *context, uint64_t, uint64_t end) {
  const auto &loop = *static_cast<const Context *>(context);
  if (end == 1000)
    __atomic_store_n(&loop.call->loop_error, kLoopMessage, __ATOMIC_RELAXED);
}

/// Blocks of many sizes, of which several are live at any time.
void recycle(llmopt_graph_call *call) {
  constexpr uint32_t kLive = 8;
  uint8_t *live[kLive] = {};
  uint64_t sizes[kLive] = {};
  for (uint32_t i = 0; i < 200; ++i) {
    const uint32_t slot = i % kLive;
    for (uint64_t j = 0; j < sizes[slot]; j += 61)
      if (live[slot][j] != uint8_t(slot))
        call->fail(call, "a live block has been overwritten");
    call->release(call, live[slot]);
    sizes[slot] = uint64_t{1} << (i * 7 % 23);
    live[slot] = static_cast<uint8_t *>(call->allocate(call, sizes[slot]));
    if (reinterpret_cast<uintptr_t>(live[slot]) % LLMOPT_VECTOR_BYTES)
      call->fail(call, "a block is not aligned");
    memset(live[slot], int(slot), sizes[slot] + LLMOPT_VECTOR_BYTES);
  }
}

void misbehave(llmopt_graph_call *call, Context &loop, int64_t mode) {
  switch (mode) {
  case Fail:
    call->fail(call, kFailMessage);
    break;
  case LoopError:
    call->parallel(call, failLast, &loop, 1000, 10);
    call->fail(call, "a loop with an error has returned");
    break;
  case HugeMemory:
    for (;;)
      call->allocate(call, uint64_t{1} << 36);
  case NegativeMemory:
    call->allocate(call, uint64_t(-8));
    call->fail(call, "a negative size was allocated");
    break;
  case Recycle:
    recycle(call);
    break;
  default:
    break;
  }
}

void graph(llmopt_graph_call *call) {
  const int64_t rows = call->inputs[0].dims[0];
  const int64_t mode = *static_cast<const int64_t *>(call->inputs[2].data);
  Context loop = {call, static_cast<const float *>(call->inputs[0].data),
                  static_cast<const uint8_t *>(call->inputs[1].data), nullptr};
  if (call->inputs[1].dims[0] != rows)
    call->fail(call, "node 'where': x and keep have different lengths");
  misbehave(call, loop, mode);
  loop.y = static_cast<float *>(
      call->allocate(call, uint64_t(rows) * kColumns * sizeof(float)));
  call->parallel(call, scaleRows, &loop, uint64_t(rows), 16);
  static std::atomic<int> calls{0};
  if (mode == CountThreads)
    loop.y[0] = float(call->threads);
  if (mode == CountCalls)
    loop.y[0] = float(++calls);
  call->outputs[0].data = loop.y;
  call->outputs[0].dims[0] = rows;
  call->outputs[0].dims[1] = kColumns;
  if (mode == NoOutput)
    return;
  if (mode == LateFail)
    call->fail(call, kFailMessage);
  void *count =
      mode == SharedOutput ? loop.y : call->allocate(call, sizeof(int64_t));
  memcpy(count, &rows, sizeof(rows));
  call->outputs[1].data = count;
}

void forward(llmopt_call *, uint32_t) {}

constexpr int64_t kAny = LLMOPT_DYNAMIC;

const llmopt_tensor_descriptor inputs[] = {
    {"x",
     kDefect == BadType ? 99 : LLMOPT_F32,
     kDefect == WithRole ? LLMOPT_ROLE_TOKENS : LLMOPT_ROLE_NONE,
     0,
     2,
     {kAny, kColumns}},
    {"keep", LLMOPT_BOOL, LLMOPT_ROLE_NONE, 0, 1, {kAny}},
    {"mode", LLMOPT_I64, LLMOPT_ROLE_NONE, 0, 0, {}},
};
const llmopt_tensor_descriptor outputs[] = {
    {"y", LLMOPT_F32, LLMOPT_ROLE_NONE, 0, 2, {kAny, kColumns}},
    {"rows", LLMOPT_I64, LLMOPT_ROLE_NONE, 0, 0, {}},
};
const llmopt_variant variants[] = {{"generic", "plain", 0, 0, 0,
                                    kDefect == WithForward ? forward : nullptr,
                                    graph}};
const llmopt_weight_descriptor weights[] = {
    {"head", "f32", kVocabulary, 1, 0, kWeightsBytes, 0, 0}};

llmopt_model_descriptor describe() {
  llmopt_model_descriptor model = {};
  model.abi_version = LLMOPT_ABI_VERSION;
  model.struct_bytes = sizeof(model);
  memcpy(model.build_id, kBuildId, sizeof(kBuildId));
  model.producer = "llmopt test";
  model.model_name = "fake graph";
  model.weights_bytes = kWeightsBytes;
  model.parameters = kVocabulary;
  model.kind = kDefect == UnknownKind ? 7 : LLMOPT_KIND_GRAPH;
  model.vocabulary = kDefect == WithSize ? 5 : 0;
  model.input_count = 3;
  model.output_count = 2;
  model.weight_count = 1;
  model.variant_count = 1;
  model.inputs = inputs;
  model.outputs = outputs;
  model.weights = weights;
  model.variants = variants;
  return model;
}

} // namespace

extern "C" const llmopt_model_descriptor llmopt_model = describe();
