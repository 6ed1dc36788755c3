//===- Executor.cpp - Feeds token rows to generated code in chunks --------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Executor.h"

#include "runtime/Error.h"

#include <algorithm>
#include <cstring>

namespace llmopt::runtime {

llmopt_status Executor::create(uint32_t capacity) {
  rowCapacity = capacity;
  const uint64_t arenaBytes = variant.arena_bytes_per_row * capacity;
  const uint64_t scratchBytes = variant.scratch_bytes * pool.threads();
  const uint64_t logitBytes = uint64_t{llmopt_logit_stride(model.vocabulary)} *
                              capacity * sizeof(float);
  arena = Mapping::reserve(std::max<uint64_t>(arenaBytes, 1));
  scratch = Mapping::reserve(std::max<uint64_t>(scratchBytes, 1));
  staging = Mapping::reserve(logitBytes);
  if (!arena || !scratch || !staging)
    return fail(
        LLMOPT_OUT_OF_RESOURCES,
        "no address space for buffers of %llu bytes; use fewer max_rows",
        static_cast<unsigned long long>(arenaBytes + scratchBytes +
                                        logitBytes));
  tokens.resize(capacity);
  positions.resize(capacity);
  segments.resize(capacity);
  logitRows.resize(capacity);
  logitDestinations.resize(capacity);
  kernelTimes.create(variant, pool.threads());
  return LLMOPT_OK;
}

llmopt_status Executor::execute(std::span<const SequenceRows> work) {
  call = {};
  for (const SequenceRows &rows : work)
    for (uint64_t done = 0; done < rows.count;) {
      const uint64_t fitting =
          std::min<uint64_t>(rows.count - done, rowCapacity - call.rows);
      addSegment(rows, done, static_cast<uint32_t>(fitting));
      done += fitting;
      if (call.rows < rowCapacity)
        continue;
      if (const llmopt_status status = flush())
        return status;
    }
  return call.rows ? flush() : LLMOPT_OK;
}

void Executor::addSegment(const SequenceRows &work, uint64_t first,
                          uint32_t rows) {
  for (uint32_t i = 0; i < rows; ++i) {
    const uint64_t token = first + i;
    const uint32_t row = call.rows + i;
    tokens[row] = work.tokens[token];
    positions[row] = work.positions ? work.positions[token]
                                    : static_cast<int32_t>(work.past + token);
    if (token < work.firstLogitRow)
      continue;
    logitRows[call.logit_rows] = row;
    logitDestinations[call.logit_rows++] =
        work.logits + (token - work.firstLogitRow) * model.vocabulary;
  }
  segments[call.segment_count++] = {
      .first_row = call.rows,
      .rows = rows,
      .past = static_cast<uint32_t>(work.past + first),
      .reserved = 0,
      .pages = work.pages,
      .key_mask = work.keyMask};
  call.rows += rows;
}

bool Executor::destinationsAreContiguous() const {
  if (llmopt_logit_stride(model.vocabulary) != model.vocabulary)
    return false;
  for (uint32_t i = 1; i < call.logit_rows; ++i)
    if (logitDestinations[i] != logitDestinations[i - 1] + model.vocabulary)
      return false;
  return true;
}

llmopt_status Executor::flush() {
  const bool direct = call.logit_rows && destinationsAreContiguous();
  call.capacity = rowCapacity;
  call.tokens = tokens.data();
  call.positions = positions.data();
  call.segments = segments.data();
  call.logit_row_index = logitRows.data();
  call.logits = direct ? logitDestinations[0] : staging.as<float>();
  call.arena = arena.as();
  call.scratch = scratch.as();
  call.weights = weights;
  call.counters = kernelTimes.data();
  if (const llmopt_status status = pool.run(variant.forward, call))
    return status;
  const uint64_t stride = llmopt_logit_stride(model.vocabulary);
  if (!direct)
    for (uint32_t i = 0; i < call.logit_rows; ++i)
      memcpy(logitDestinations[i], call.logits + i * stride,
             model.vocabulary * sizeof(float));
  call = {};
  return LLMOPT_OK;
}

} // namespace llmopt::runtime
