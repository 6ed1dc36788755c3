//===- Pattern.cpp - Which weights become zero ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Pattern.h"
#include "passes/Sparsity/Magnitude.h"
#include <algorithm>
#include <cassert>
#include <cstring>
#include <numeric>
#include <vector>

using namespace llmopt;

/// The magnitude as an integer: ordered like |score|, and total even with NaN.
static uint32_t magnitudeBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits & 0x7fffffff;
}

namespace {
/// The magnitude up to which scores are pruned, and how many of those that
/// equal it.
struct Threshold {
  uint32_t bits = 0;
  int64_t ties = 0;
};
} // namespace

/// Calls f(row, first, last) for parts of the matrix that make equal work.
static void forRowParts(int64_t rows, const ParallelFor &parallel,
                        llvm::function_ref<void(int64_t, int64_t, int64_t)> f) {
  constexpr int64_t parts = 8;
  parallel(parts, [&](int64_t part) {
    f(part, rows * part / parts, rows * (part + 1) / parts);
  });
}

/// Adds, per part of the rows, a histogram of slot(bits) for all scores.
template <typename Slot>
static std::vector<int64_t> countSlots(Eigen::Ref<const MatrixF> scores,
                                       size_t slots, Slot slot,
                                       const ParallelFor &parallel) {
  std::vector<std::vector<uint32_t>> counts(8);
  forRowParts(scores.rows(), parallel,
              [&](int64_t part, int64_t first, int64_t last) {
                std::vector<uint32_t> &mine = counts[part];
                // One more for what has no slot.
                mine.assign(slots + 1, 0);
                for (int64_t i = first; i < last; ++i)
                  for (int64_t k = 0; k < scores.cols(); ++k)
                    ++mine[slot(magnitudeBits(scores(i, k)))];
              });
  std::vector<int64_t> total(slots);
  for (const std::vector<uint32_t> &part : counts)
    for (size_t s = 0; s < slots; ++s)
      total[s] += part[s];
  return total;
}

/// The slot in which the count-th smallest lies; count becomes its rank there.
static size_t findSlot(const std::vector<int64_t> &counts, int64_t &count) {
  size_t slot = 0;
  while (count > counts[slot])
    count -= counts[slot++];
  return slot;
}

/// Selection by the upper, then the lower half of the bits: two passes over the
/// scores, where std::nth_element takes several and a copy.
static Threshold findThreshold(Eigen::Ref<const MatrixF> scores, int64_t count,
                               const ParallelFor &parallel) {
  constexpr uint32_t shift = 15, lowSlots = 1u << shift;
  uint32_t high =
      findSlot(countSlots(
                   scores, 1u << 16,
                   [](uint32_t bits) { return bits >> shift; }, parallel),
               count);
  uint32_t low =
      findSlot(countSlots(
                   scores, lowSlots,
                   [=](uint32_t bits) {
                     return bits >> shift == high ? bits % lowSlots : lowSlots;
                   },
                   parallel),
               count);
  return {high << shift | low, count};
}

static void maskMatrix(Eigen::Ref<const MatrixF> scores, double ratio,
                       Eigen::Ref<Mask> mask, const ParallelFor &parallel) {
  int64_t count = prunedCount(ratio, scores.size());
  if (count == 0) {
    mask.setConstant(true);
    return;
  }
  Threshold threshold = findThreshold(scores, count, parallel);
  std::vector<int64_t> ties(8);
  forRowParts(scores.rows(), parallel,
              [&](int64_t part, int64_t first, int64_t last) {
                for (int64_t i = first; i < last; ++i)
                  for (int64_t k = 0; k < scores.cols(); ++k) {
                    uint32_t bits = magnitudeBits(scores(i, k));
                    mask(i, k) = bits > threshold.bits;
                    ties[part] += bits == threshold.bits;
                  }
              });
  // All ties are pruned so far; those of the highest indices come back.
  int64_t back =
      std::accumulate(ties.begin(), ties.end(), int64_t(0)) - threshold.ties;
  for (int64_t i = scores.rows() - 1; i >= 0 && back > 0; --i)
    for (int64_t k = scores.cols() - 1; k >= 0 && back > 0; --k)
      if (magnitudeBits(scores(i, k)) == threshold.bits) {
        mask(i, k) = true;
        --back;
      }
}

/// Clears the mask at the `count` smallest of scores[0, size).
static void pruneSmallest(const float *scores, int64_t size, int64_t count,
                          std::vector<int32_t> &order, bool *mask) {
  order.resize(size);
  std::iota(order.begin(), order.end(), 0);
  auto less = [&](int32_t a, int32_t b) {
    return std::pair(magnitudeBits(scores[a]), a) <
           std::pair(magnitudeBits(scores[b]), b);
  };
  if (count > 0 && count < size)
    std::nth_element(order.begin(), order.begin() + count, order.end(), less);
  for (int64_t i = 0; i < count; ++i)
    mask[order[i]] = false;
}

static void maskRow(const float *scores, int64_t columns,
                    const SparsityPattern &pattern, std::vector<int32_t> &order,
                    bool *mask) {
  std::fill(mask, mask + columns, true);
  if (pattern.of == 0)
    return pruneSmallest(scores, columns, prunedCount(pattern.ratio, columns),
                         order, mask);
  for (int64_t k = 0; k < columns; k += pattern.of) {
    int64_t size = std::min<int64_t>(pattern.of, columns - k);
    pruneSmallest(scores + k, size, pattern.zeros * size / pattern.of, order,
                  mask + k);
  }
}

void llmopt::keepLargest(Eigen::Ref<const MatrixF> scores,
                         const SparsityPattern &pattern, Eigen::Ref<Mask> mask,
                         const ParallelFor &parallel) {
  assert(pattern.zeros >= 0 && pattern.zeros <= pattern.of && "no n:m pattern");
  if (pattern.of == 0 && !pattern.perRow) {
    int64_t whole[] = {scores.rows()}, first = 0;
    llvm::ArrayRef<int64_t> parts =
        pattern.parts.empty() ? llvm::ArrayRef<int64_t>(whole)
                              : llvm::ArrayRef<int64_t>(pattern.parts);
    for (int64_t rows : parts) {
      maskMatrix(scores.middleRows(first, rows), pattern.ratio,
                 mask.middleRows(first, rows), parallel);
      first += rows;
    }
    assert(first == scores.rows() && "parts are not the whole matrix");
    return;
  }
  forRowParts(scores.rows(), parallel,
              [&](int64_t, int64_t first, int64_t last) {
                std::vector<int32_t> order;
                for (int64_t i = first; i < last; ++i)
                  maskRow(scores.data() + i * scores.outerStride(),
                          scores.cols(), pattern, order, &mask(i, 0));
              });
}

Mask llmopt::keepLargest(Eigen::Ref<const MatrixF> scores,
                         const SparsityPattern &pattern,
                         const ParallelFor &parallel) {
  Mask mask(scores.rows(), scores.cols());
  keepLargest(scores, pattern, mask, parallel);
  return mask;
}
