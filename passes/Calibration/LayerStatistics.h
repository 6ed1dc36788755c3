//===- LayerStatistics.h - What calibration observes ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_LAYERSTATISTICS_H
#define LLMOPT_PASSES_CALIBRATION_LAYERSTATISTICS_H

#include "passes/Calibration/Matrix.h"
#include "llvm/ADT/ArrayRef.h"

namespace llmopt {

/// Sums over the inputs x (rows of K values, a row per token) of a product y =
/// W x. Everything that the solvers know of the data is in here. Sums, not
/// means: all solvers are invariant to the scale of H, and sums of parts add.
///
/// Products that read the same tensor share one LayerStatistics.
class LayerStatistics {
public:
  explicit LayerStatistics(int64_t columns);

  /// Adds rows [tokens, columns]. False, with nothing added, if a value is NaN
  /// or infinite; `notFinite` then says which row and column. H is summed in
  /// float32 over blocks of kBlock rows, and blocks in float32 as well: the
  /// relative error stays below 1e-5 for some million tokens.
  [[nodiscard]] bool accumulate(llvm::ArrayRef<float> rows,
                                const ParallelFor &parallel);

  /// The same for an input of the compressed model together with what the
  /// uncompressed model has in its place: also sums dense^T * compressed, which
  /// correctedTarget (Reconstruct.h) needs. All calls must be of this form, or
  /// none.
  [[nodiscard]] bool accumulatePair(llvm::ArrayRef<float> compressed,
                                    llvm::ArrayRef<float> dense,
                                    const ParallelFor &parallel);

  /// Adds the sums of other tokens.
  void merge(const LayerStatistics &other);

  int64_t getColumns() const { return lowerHessian.cols(); }
  int64_t getTokens() const { return tokens; }
  bool hasCross() const { return cross.size() != 0; }

  /// H = sum of x x^T [K, K], symmetric.
  MatrixF hessian() const;
  /// C = sum of dense x^T [K, K], a row per dense input.
  const MatrixF &getCross() const { return cross; }

  VectorD mean() const { return sum / std::max<double>(1, tokens); }
  VectorD meanMagnitude() const {
    return sumOfMagnitudes / std::max<double>(1, tokens);
  }
  VectorD variance() const;
  /// Sum of the values of each column, of their squares and magnitudes, and
  /// their greatest magnitude.
  VectorD sum, sumOfSquares, sumOfMagnitudes;
  VectorF greatestMagnitude;

  /// Row and column of the value that made accumulate fail.
  std::pair<int64_t, int64_t> notFinite = {-1, -1};

  /// H below and on the diagonal; the rest is unspecified. For the cache of
  /// statistics, which stores the sums.
  MatrixF lowerHessian;
  MatrixF cross;
  int64_t tokens = 0;

  /// Rows that are summed at once.
  static constexpr int64_t kBlock = 1024;

private:
  bool isFinite(llvm::ArrayRef<float> rows);
  void addColumnSums(Eigen::Ref<const MatrixF> rows);
};

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_LAYERSTATISTICS_H
