//===- Grid.h - Values that weights are quantized to ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_CALIBRATION_GRID_H
#define LLMOPT_PASSES_CALIBRATION_GRID_H

#include "passes/Calibration/Matrix.h"
#include "llvm/ADT/ArrayRef.h"
#include <vector>

namespace llmopt {

/// The values that quantized weights may have, up to a scale per row and group
/// of columns. Zero is a value of every grid and has a code of its own, so that
/// pruned weights stay exact zeros.
/// Codes, their ranges and zero points are those of CodeScheme
/// (passes/Quantization/MatrixCodes.h); scales of symmetric grids and tables
/// may be negative where clip asks for a search.
struct Grid {
  enum class Kind {
    /// Any float: weights are not quantized.
    Float,
    /// code * scale, codes in [-2^(bits-1), 2^(bits-1) - 1] - of 8 bits without
    /// -128, which dot products of unsigned with signed bytes cannot take.
    Symmetric,
    /// (code - zero) * scale, code and zero in [0, 2^bits - 1].
    Affine,
    /// table[code] * scale.
    Table
  };
  Kind kind = Kind::Float;
  int bits = 8;
  /// Columns that share a scale; 0: a whole row. The last group may be short.
  int64_t group = 0;
  /// Search for the scale of least squared error (weighted, where a solver
  /// knows how much columns matter), instead of the one that just contains all
  /// weights.
  bool clip = false;
  /// Scales are rounded to what f16 can represent.
  bool halfScales = false;
  /// Ascending, with a zero.
  std::vector<float> table;

  bool isFloat() const { return kind == Kind::Float; }
  int64_t getGroups(int64_t columns) const;
  int64_t getGroupSize(int64_t columns) const {
    return group > 0 ? group : columns;
  }
  int lowestCode() const;
  int highestCode() const;

  static Grid symmetric(int bits, int64_t group = 0, bool clip = false);
  static Grid affine(int bits, int64_t group = 0, bool clip = false);
  static Grid lookup(std::vector<float> table, int64_t group,
                     bool clip = false);
  /// NormalFloat of 4 bits (Dettmers et al., "QLoRA", 2023).
  static Grid normalFloat4(int64_t group, bool clip = false);
};

/// Scale and zero point of a group. A group of zeros has scale 0, and all its
/// codes decode to 0.
struct GridScale {
  float scale = 0;
  int zero = 0;
};

/// The scale for a group of weights. importance, if not empty, has the weight
/// of each squared error; it is used where grid.clip asks for a search.
GridScale fitGroup(const Grid &grid, llvm::ArrayRef<float> weights,
                   llvm::ArrayRef<float> importance = {});

/// The scale as it will be stored: rounded to f16 if the grid says so, and 0,
/// which makes all weights zero, if it is no normal float.
float storeScale(const Grid &grid, float scale);

/// The code of the value nearest to a weight; ties of integers go to even, ties
/// of table values down.
int encode(const Grid &grid, GridScale scale, float weight);
float decode(const Grid &grid, GridScale scale, int code);
inline float roundToGrid(const Grid &grid, GridScale scale, float weight) {
  return decode(grid, scale, encode(grid, scale, weight));
}

/// A quantized matrix: codes [N, K] and scales [N, groups].
struct QuantizedMatrix {
  Eigen::Matrix<int16_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> codes;
  MatrixF scales;
  /// Of affine grids; empty otherwise.
  Eigen::Matrix<uint8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> zeros;

  bool empty() const { return codes.size() == 0; }
  GridScale scaleOf(int64_t row, int64_t group) const {
    return {scales(row, group), zeros.size() == 0 ? 0 : zeros(row, group)};
  }
};

/// Storage for the codes of [rows, columns] weights.
QuantizedMatrix emptyQuantized(const Grid &grid, int64_t rows, int64_t columns);

/// Fits the scales of all groups of all rows; codes are not set. importance is
/// as for fitGroup, one per column.
void fitScales(const Grid &grid, Eigen::Ref<const MatrixF> weights,
               llvm::ArrayRef<float> importance, QuantizedMatrix &result,
               const ParallelFor &parallel);

/// Rounds all weights to nearest, with the scales in `result`: sets its codes
/// and replaces the weights by what they decode to.
void roundAll(const Grid &grid, MatrixF &weights, QuantizedMatrix &result,
              const ParallelFor &parallel);

/// What the codes decode to.
MatrixF decodeAll(const Grid &grid, const QuantizedMatrix &quantized);

} // namespace llmopt

#endif // LLMOPT_PASSES_CALIBRATION_GRID_H
