//===- CallLayout.h - Where generated code finds the fields of a call -----===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Byte offsets of the structures of ModelABI.h, for the emitters.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TARGET_CALLLAYOUT_H
#define LLMOPT_TARGET_CALLLAYOUT_H

#include "runtime/include/llmopt/ModelABI.h"

namespace llmopt {

/// Offsets of llmopt_call.
struct CallLayout {
  static constexpr int64_t rows = offsetof(llmopt_call, rows);
  static constexpr int64_t segmentCount = offsetof(llmopt_call, segment_count);
  static constexpr int64_t logitRows = offsetof(llmopt_call, logit_rows);
  static constexpr int64_t threads = offsetof(llmopt_call, threads);
  static constexpr int64_t capacity = offsetof(llmopt_call, capacity);
  static constexpr int64_t tokens = offsetof(llmopt_call, tokens);
  static constexpr int64_t positions = offsetof(llmopt_call, positions);
  static constexpr int64_t segments = offsetof(llmopt_call, segments);
  static constexpr int64_t logitRowIndex =
      offsetof(llmopt_call, logit_row_index);
  static constexpr int64_t logits = offsetof(llmopt_call, logits);
  static constexpr int64_t arena = offsetof(llmopt_call, arena);
  static constexpr int64_t scratch = offsetof(llmopt_call, scratch);
  static constexpr int64_t weights = offsetof(llmopt_call, weights);
  static constexpr int64_t barrier = offsetof(llmopt_call, barrier);
  static constexpr int64_t counters = offsetof(llmopt_call, counters);
};

/// Offsets of llmopt_kernel_counter.
struct KernelCounterLayout {
  static constexpr int64_t calls = offsetof(llmopt_kernel_counter, calls);
  static constexpr int64_t ticks = offsetof(llmopt_kernel_counter, ticks);
  static constexpr int64_t bytes = sizeof(llmopt_kernel_counter);
};

/// Offsets of llmopt_segment.
struct SegmentLayout {
  static constexpr int64_t firstRow = offsetof(llmopt_segment, first_row);
  static constexpr int64_t rows = offsetof(llmopt_segment, rows);
  static constexpr int64_t past = offsetof(llmopt_segment, past);
  static constexpr int64_t pages = offsetof(llmopt_segment, pages);
  static constexpr int64_t keyMask = offsetof(llmopt_segment, key_mask);
  static constexpr int64_t bytes = sizeof(llmopt_segment);
};

/// Tokens of a KV cache page.
/// Byte offsets of the fields of llmopt_graph_call that code reads and writes.
struct GraphCallLayout {
  static constexpr int64_t weights = offsetof(llmopt_graph_call, weights);
  static constexpr int64_t inputs = offsetof(llmopt_graph_call, inputs);
  static constexpr int64_t outputs = offsetof(llmopt_graph_call, outputs);
  static constexpr int64_t parallel = offsetof(llmopt_graph_call, parallel);
  static constexpr int64_t allocate = offsetof(llmopt_graph_call, allocate);
  static constexpr int64_t release = offsetof(llmopt_graph_call, release);
  static constexpr int64_t fail = offsetof(llmopt_graph_call, fail);
  static constexpr int64_t loopError = offsetof(llmopt_graph_call, loop_error);
  static constexpr int64_t threads = offsetof(llmopt_graph_call, threads);
};

/// Byte offsets of the fields of llmopt_graph_tensor.
struct GraphTensorLayout {
  static constexpr int64_t data = offsetof(llmopt_graph_tensor, data);
  static constexpr int64_t dims = offsetof(llmopt_graph_tensor, dims);
  static constexpr int64_t bytes = sizeof(llmopt_graph_tensor);
};

inline constexpr int64_t kPageTokens = LLMOPT_PAGE_TOKENS;

} // namespace llmopt

#endif // LLMOPT_TARGET_CALLLAYOUT_H
