//===- Owl.cpp - Sparsity of each block -------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Owl.h"
#include <algorithm>
#include <numeric>

using namespace llmopt;

double llmopt::outlierPercentage(llvm::ArrayRef<MatrixF> scores, double times) {
  double sum = 0, count = 0, outliers = 0;
  for (const MatrixF &matrix : scores) {
    sum += matrix.cast<double>().sum();
    count += static_cast<double>(matrix.size());
  }
  if (count == 0)
    return 0;
  double limit = times * sum / count;
  for (const MatrixF &matrix : scores)
    outliers +=
        static_cast<double>((matrix.array().cast<double>() > limit).count());
  return 100 * outliers / count;
}

std::vector<double> llmopt::allocateSparsity(llvm::ArrayRef<double> outliers,
                                             double ratio, double spread) {
  std::vector<double> result(outliers.size(), ratio);
  if (outliers.empty())
    return result;
  auto [least, greatest] =
      std::minmax_element(outliers.begin(), outliers.end());
  double range = *greatest - *least;
  if (!(range > 0))
    return result;
  double mean = std::accumulate(outliers.begin(), outliers.end(), 0.0) /
                static_cast<double>(outliers.size());
  for (size_t i = 0; i < outliers.size(); ++i) {
    double kept = (outliers[i] - mean) / range * 2 * spread;
    result[i] = std::clamp(ratio - kept, 0.0, 0.99);
  }
  return result;
}
