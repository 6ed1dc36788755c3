//===- Executor.h - Feeds token rows to generated code in chunks ----------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_EXECUTOR_H
#define LLMOPT_RUNTIME_EXECUTOR_H

#include "runtime/Memory.h"
#include "runtime/Profile.h"
#include "runtime/ThreadPool.h"

#include "llmopt/Runtime.h"

#include <span>
#include <vector>

namespace llmopt::runtime {

/// Token ids in one of the two types that callers have.
struct TokenView {
  const int32_t *narrow = nullptr;
  const int64_t *wide = nullptr;

  int64_t operator[](uint64_t i) const { return narrow ? narrow[i] : wide[i]; }
};

/// New tokens of one sequence, to be computed in order.
struct SequenceRows {
  TokenView tokens;
  uint64_t count = 0;
  uint64_t past = 0;                  ///< tokens in the cache before these
  uint8_t *const *pages = nullptr;    ///< valid for past + count tokens
  const uint8_t *keyMask = nullptr;   ///< [past + count] or null
  const int32_t *positions = nullptr; ///< [count], or null: past, past + 1, ...
  /// First row with wanted logits: 0 for all, count - 1 for the last one, count
  /// for none.
  uint64_t firstLogitRow = 0;
  float *logits = nullptr; ///< [count - firstLogitRow][vocabulary]
};

/// Owns what one entry of generated code needs besides weights and cache, set
/// up once; execute() does not allocate.
class Executor {
public:
  Executor(const llmopt_model_descriptor &model, const llmopt_variant &variant,
           ThreadPool &pool, const uint8_t *weights)
      : model(model), variant(variant), pool(pool), weights(weights) {}

  /// Sets up for at most `capacity` rows at once, a multiple of 16.
  llmopt_status create(uint32_t capacity);
  uint32_t capacity() const { return rowCapacity; }

  /// Computes all rows in as few calls as the capacity allows. The ranges of
  /// all values have been checked.
  llmopt_status execute(std::span<const SequenceRows> work);

  Profile &profile() { return kernelTimes; }

private:
  void addSegment(const SequenceRows &work, uint64_t first, uint32_t rows);
  llmopt_status flush();
  bool destinationsAreContiguous() const;

  const llmopt_model_descriptor &model;
  const llmopt_variant &variant;
  ThreadPool &pool;
  const uint8_t *weights;

  uint32_t rowCapacity = 0;
  Mapping arena, scratch, staging;
  Profile kernelTimes;
  // The chunk in preparation.
  llmopt_call call = {};
  std::vector<int64_t> tokens;
  std::vector<int32_t> positions;
  std::vector<llmopt_segment> segments;
  std::vector<uint32_t> logitRows;
  std::vector<float *> logitDestinations;
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_EXECUTOR_H
