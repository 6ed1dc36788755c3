//===- Dsnot.cpp - Swaps of pruned and kept weights -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Dsnot.h"
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

using namespace llmopt;

namespace {
/// The swaps of one row.
class RowSwaps {
public:
  RowSwaps(const float *weights, const VectorD &mean, const VectorD &variance,
           const VectorD &norms, const DsnotOptions &options, bool *mask)
      : weights(weights), mean(mean), variance(variance), norms(norms),
        options(options), mask(mask) {
    for (int64_t k = 0; k < mean.size(); ++k)
      error += mask[k] ? 0 : expected(k);
  }

  void run() {
    for (int i = 0; i < options.cycles; ++i)
      if (std::fabs(error) <= options.tolerance || !swapOne())
        return;
  }

private:
  /// What a weight adds to the mean of the output.
  double expected(int64_t k) const { return weights[k] * mean[k]; }
  bool swapOne();
  int64_t findGrown() const;
  int64_t findPruned(int64_t grown) const;

  const float *weights;
  const VectorD &mean, &variance, &norms;
  const DsnotOptions &options;
  bool *mask;
  /// Mean of the whole output less that of what is kept.
  double error = 0;
};
} // namespace

int64_t RowSwaps::findGrown() const {
  int64_t best = -1;
  double bestScore = 0;
  for (int64_t k = 0; k < mean.size(); ++k) {
    double gain = error > 0 ? expected(k) : -expected(k);
    if (mask[k] || !(gain > 0))
      continue;
    double score = gain / std::max(variance[k], 1e-12);
    if (score > bestScore) {
      bestScore = score;
      best = k;
    }
  }
  return best;
}

int64_t RowSwaps::findPruned(int64_t grown) const {
  int64_t begin = 0, end = mean.size(), best = -1;
  if (options.pattern.of != 0) {
    begin = grown / options.pattern.of * options.pattern.of;
    end = std::min<int64_t>(end, begin + options.pattern.of);
  }
  double bestScore = std::numeric_limits<double>::infinity();
  for (int64_t k = begin; k < end; ++k) {
    // Its absence must not push the error further.
    bool adds = error > 0 ? expected(k) > 0 : expected(k) < 0;
    double score = std::fabs(weights[k]) * norms[k];
    if (mask[k] && !adds && score < bestScore) {
      bestScore = score;
      best = k;
    }
  }
  return best;
}

bool RowSwaps::swapOne() {
  int64_t grown = findGrown();
  int64_t pruned = grown < 0 ? -1 : findPruned(grown);
  if (pruned < 0)
    return false;
  double next = error - expected(grown) + expected(pruned);
  if (error * next < 0 || std::fabs(next) >= std::fabs(error))
    return false;
  mask[grown] = true;
  mask[pruned] = false;
  error = next;
  return true;
}

void llmopt::refineMask(const MatrixF &weights,
                        const LayerStatistics &statistics,
                        const DsnotOptions &options, Mask &mask,
                        const ParallelFor &parallel) {
  assert(weights.cols() == statistics.getColumns() && "columns disagree");
  VectorD mean = statistics.mean(), variance = statistics.variance();
  VectorD norms = statistics.sumOfSquares.cwiseSqrt();
  parallel(weights.rows(), [&](int64_t row) {
    RowSwaps(&weights(row, 0), mean, variance, norms, options, &mask(row, 0))
        .run();
  });
}
