//===- AttentionParts.cpp - Attention of one row in parts -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One row has only as many tasks as kv heads. AttentionParts splits the pages
// that it sees, how depends on their number alone, and writes for every head
// and part
//
//   f32 maximum, f32 sum, padding to a vector, f32 output[head_dim padded]
//
// relative to the maximum; MergeParts brings parts together in their order.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/AttentionEmitters.h"

using namespace mlir;

namespace llmopt {

int64_t attentionParts(int64_t kvHeads) {
  constexpr int64_t kTasks = 24;
  return llvm::divideCeil(kTasks, kvHeads);
}

int64_t partsFloats(int64_t heads, int64_t headDim, int64_t parts) {
  return heads * parts * (kLanes + int64_t(llvm::alignTo(headDim, kLanes)));
}

PageSplit splitPages(KernelBuilder &k, const AttentionKernelKey &key,
                     const SegmentValues &segment) {
  Value keys = k.add(segment.past, 1);
  Value first = k.div(firstVisibleKey(k, key, keys), kPageTokens);
  Value last = k.divideCeil(keys, kPageTokens);
  Value pages = k.sub(last, first);
  Value step = k.divideCeil(pages, key.parts);
  Value parts = k.div(k.sub(k.add(pages, step), 1), step);
  return {first, last, step, parts};
}

/// Brings the parts of a head together.
static void mergeHead(KernelBuilder &k, const AttentionKernelKey &key,
                      Value parts, Value from, Value to) {
  int64_t bytes = partsFloats(1, key.headDim, 1) * 4;
  auto partAt = [&](Value part) { return k.at(from, k.mul(part, bytes)); };
  auto maximumOf = [&](Value part) {
    return k.load(k.f32Type(), partAt(part));
  };
  Value largest =
      k.loop(parts, 1, minusInfinity(k), [&](Value part, ValueRange in) {
        return Values{k.max(maximumOf(part), in[0])};
      })[0];
  // With no visible key, any finite reference gives factors of zero.
  Value zero = k.constantF32(0.0f);
  Value reference = k.select(k.less(minusInfinity(k), largest), largest, zero);
  int64_t vectors = llvm::divideCeil(key.headDim, kLanes);
  Values sums(vectors + 1, k.splat(0.0f));
  sums = k.loop(parts, 1, sums, [&](Value part, ValueRange in) {
    Value factor = powerOfTwo(k, k.broadcast(k.sub(maximumOf(part), reference)),
                              true, true);
    Value sum = k.loadBroadcast(k.f32Type(), partAt(part), 4);
    Values next{k.fma(sum, factor, in[0])};
    for (int64_t v = 0; v < vectors; ++v)
      next.push_back(
          k.fma(k.load(k.floats(), partAt(part), (v + 1) * kVectorBytes),
                factor, in[v + 1]));
    return next;
  });
  Value inverse = k.select(k.less(k.splat(0.0f), sums[0]),
                           k.div(k.splat(1.0f), sums[0]), k.splat(0.0f));
  for (int64_t v = 0; v < vectors; ++v)
    k.storeFloats(k.mul(sums[v + 1], inverse), k.at(to, v * kVectorBytes),
                  k.size(std::min(kLanes, key.headDim - v * kLanes)));
}

void emitMergeParts(KernelBuilder &k, const AttentionKernelKey &key,
                    ValueRange args) {
  Value call = args[0], from = args[1], y = args[2];
  Value parts = splitPages(k, key, loadSegment(k, call, k.size(0))).parts;
  int64_t bytes = partsFloats(1, key.headDim, key.parts) * 4;
  k.loop(k.size(key.heads), 1, [&](Value head) {
    mergeHead(k, key, parts, k.at(from, k.mul(head, bytes)),
              k.at(y, k.mul(head, key.headDim * 4)));
  });
}

} // namespace llmopt
