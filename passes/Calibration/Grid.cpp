//===- Grid.cpp - Values that weights are quantized to ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Grid.h"
#include "llvm/ADT/APFloat.h"
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

using namespace llmopt;
using llvm::ArrayRef;

int64_t Grid::getGroups(int64_t columns) const {
  int64_t size = getGroupSize(columns);
  return columns == 0 ? 0 : (columns + size - 1) / size;
}

int Grid::lowestCode() const {
  if (kind != Kind::Symmetric)
    return 0;
  return bits == 8 ? -127 : -(1 << (bits - 1));
}

int Grid::highestCode() const {
  if (kind == Kind::Symmetric)
    return (1 << (bits - 1)) - 1;
  if (kind == Kind::Table)
    return static_cast<int>(table.size()) - 1;
  return (1 << bits) - 1;
}

Grid Grid::symmetric(int bits, int64_t group, bool clip) {
  Grid grid;
  grid.kind = Kind::Symmetric;
  grid.bits = bits;
  grid.group = group;
  grid.clip = clip;
  return grid;
}

Grid Grid::affine(int bits, int64_t group, bool clip) {
  Grid grid = symmetric(bits, group, clip);
  grid.kind = Kind::Affine;
  return grid;
}

Grid Grid::lookup(std::vector<float> table, int64_t group, bool clip) {
  assert(std::is_sorted(table.begin(), table.end()) && "table is not sorted");
  assert(std::count(table.begin(), table.end(), 0.0f) == 1 && "no single zero");
  Grid grid = symmetric(4, group, clip);
  grid.kind = Kind::Table;
  grid.table = std::move(table);
  return grid;
}

Grid Grid::normalFloat4(int64_t group, bool clip) {
  return lookup(
      {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
       -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f,
       0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f,
       0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
       0.7229568362236023f, 1.0f},
      group, clip);
}

/// To what f16 can represent. Solvers must see the scale that will be stored.
static float toHalf(float scale) {
  llvm::APFloat value(scale);
  bool lossy;
  value.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven,
                &lossy);
  value.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven,
                &lossy);
  return value.convertToFloat();
}

float llmopt::storeScale(const Grid &grid, float scale) {
  if (grid.halfScales)
    scale = toHalf(scale);
  bool usable = std::isfinite(scale) &&
                std::fabs(scale) >= std::numeric_limits<float>::min();
  return usable ? scale : 0;
}

/// Nearest integer, ties to even, of any float: beyond 2^22 a float has few
/// bits below one, and codes are clamped anyhow.
static int nearest(float value, int lowest, int highest) {
  constexpr float magic = 0x1.8p23f;
  float clamped = std::min(std::max(value, lowest - 1.0f), highest + 1.0f);
  int rounded = static_cast<int>((clamped + magic) - magic);
  return std::clamp(rounded, lowest, highest);
}

static int encodeTable(const Grid &grid, float value) {
  // The first entry whose midpoint to the next is not below the value.
  const std::vector<float> &table = grid.table;
  size_t code = 0;
  while (code + 1 < table.size() &&
         value > (table[code] + table[code + 1]) * 0.5f)
    ++code;
  return static_cast<int>(code);
}

static int zeroOfTable(const Grid &grid) {
  return static_cast<int>(
      std::find(grid.table.begin(), grid.table.end(), 0.0f) -
      grid.table.begin());
}

int llmopt::encode(const Grid &grid, GridScale scale, float weight) {
  assert(!grid.isFloat() && "floats have no codes");
  if (scale.scale == 0 || weight == 0)
    return grid.kind == Grid::Kind::Table ? zeroOfTable(grid) : scale.zero;
  float value = weight / scale.scale;
  if (grid.kind == Grid::Kind::Table)
    return encodeTable(grid, value);
  return scale.zero + nearest(value, grid.lowestCode() - scale.zero,
                              grid.highestCode() - scale.zero);
}

float llmopt::decode(const Grid &grid, GridScale scale, int code) {
  if (grid.kind == Grid::Kind::Table)
    return grid.table[code] * scale.scale;
  return static_cast<float>(code - scale.zero) * scale.scale;
}

namespace {
/// The weights of a group and how much their errors matter.
struct Group {
  const Grid &grid;
  ArrayRef<float> weights, importance;

  float importanceOf(size_t i) const {
    return importance.empty() ? 1 : importance[i];
  }

  float errorOf(GridScale scale) const {
    float sum = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      float error = roundToGrid(grid, scale, weights[i]) - weights[i];
      sum += importanceOf(i) * error * error;
    }
    return sum;
  }

  /// The scale of least squared error for the codes that `scale` leads to.
  GridScale refit(GridScale scale) const {
    float dot = 0, norm = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      float unit =
          decode(grid, {1, scale.zero}, encode(grid, scale, weights[i]));
      dot += importanceOf(i) * unit * weights[i];
      norm += importanceOf(i) * unit * unit;
    }
    if (norm > 0)
      scale.scale = storeScale(grid, dot / norm);
    return scale;
  }
};

/// The best scale seen so far.
struct BestScale {
  const Group &group;
  GridScale best;
  float error;

  BestScale(const Group &group, GridScale first)
      : group(group), best(first), error(group.errorOf(first)) {}

  void consider(GridScale candidate) {
    float candidateError = group.errorOf(candidate);
    if (candidateError < error) {
      best = candidate;
      error = candidateError;
    }
  }
};
} // namespace

static GridScale fitAffine(const Grid &grid, float least, float greatest) {
  float maximum = static_cast<float>(grid.highestCode());
  GridScale result;
  result.scale = storeScale(grid, (greatest - least) / maximum);
  if (result.scale != 0)
    result.zero =
        nearest(-least / result.scale, grid.lowestCode(), grid.highestCode());
  return result;
}

/// The scale that contains all weights. Codes below -highest stay free for
/// errors that solvers add.
static GridScale fitAll(const Grid &grid, float least, float greatest) {
  float magnitude = std::max(-least, greatest);
  if (grid.kind == Grid::Kind::Affine)
    return fitAffine(grid, least, greatest);
  if (grid.kind == Grid::Kind::Symmetric)
    return {storeScale(grid, magnitude / grid.highestCode()), 0};
  // A table may be one-sided or end before -1 or 1.
  float low = grid.table.front() < 0 ? -least / -grid.table.front() : 0;
  float high = grid.table.back() > 0 ? greatest / grid.table.back() : 0;
  return {storeScale(grid, std::max(low, high)), 0};
}

/// Scales of 2/5 to all of the range, and with the range reversed where the
/// grid is not symmetric about zero: then the lowest code holds the greatest
/// weight.
static GridScale searchScale(const Group &group, float least, float greatest) {
  const Grid &grid = group.grid;
  BestScale search(group, fitAll(grid, least, greatest));
  constexpr int steps = 48;
  for (int i = 0; i <= steps * 3 / 5; ++i) {
    float part = 1 - static_cast<float>(i) / steps;
    GridScale scale = fitAll(grid, least * part, greatest * part);
    search.consider(scale);
    if (grid.kind != Grid::Kind::Affine) {
      scale.scale = -scale.scale;
      search.consider(scale);
    }
  }
  for (int i = 0; i < 2; ++i)
    search.consider(group.refit(search.best));
  return search.best;
}

GridScale llmopt::fitGroup(const Grid &grid, ArrayRef<float> weights,
                           ArrayRef<float> importance) {
  assert((importance.empty() || importance.size() == weights.size()) &&
         "sizes disagree");
  float least = 0, greatest = 0;
  for (float weight : weights) {
    least = std::min(least, weight);
    greatest = std::max(greatest, weight);
  }
  if (!grid.clip || least == greatest)
    return fitAll(grid, least, greatest);
  return searchScale({grid, weights, importance}, least, greatest);
}

QuantizedMatrix llmopt::emptyQuantized(const Grid &grid, int64_t rows,
                                       int64_t columns) {
  QuantizedMatrix result;
  result.codes.setZero(rows, columns);
  result.scales.setZero(rows, grid.getGroups(columns));
  if (grid.kind == Grid::Kind::Affine)
    result.zeros.setZero(rows, grid.getGroups(columns));
  return result;
}

void llmopt::fitScales(const Grid &grid, Eigen::Ref<const MatrixF> weights,
                       ArrayRef<float> importance, QuantizedMatrix &result,
                       const ParallelFor &parallel) {
  int64_t columns = weights.cols(), size = grid.getGroupSize(columns);
  parallel(weights.rows(), [&](int64_t row) {
    for (int64_t g = 0, k = 0; k < columns; ++g, k += size) {
      size_t count = std::min(size, columns - k);
      GridScale scale = fitGroup(
          grid, {weights.data() + row * weights.outerStride() + k, count},
          importance.empty() ? importance : importance.slice(k, count));
      result.scales(row, g) = scale.scale;
      if (grid.kind == Grid::Kind::Affine)
        result.zeros(row, g) = static_cast<uint8_t>(scale.zero);
    }
  });
}

void llmopt::roundAll(const Grid &grid, MatrixF &weights,
                      QuantizedMatrix &result, const ParallelFor &parallel) {
  int64_t size = grid.getGroupSize(weights.cols());
  parallel(weights.rows(), [&](int64_t row) {
    for (int64_t k = 0; k < weights.cols(); ++k) {
      GridScale scale = result.scaleOf(row, k / size);
      int code = encode(grid, scale, weights(row, k));
      result.codes(row, k) = static_cast<int16_t>(code);
      weights(row, k) = decode(grid, scale, code);
    }
  });
}

MatrixF llmopt::decodeAll(const Grid &grid, const QuantizedMatrix &quantized) {
  int64_t columns = quantized.codes.cols(), size = grid.getGroupSize(columns);
  return MatrixF::NullaryExpr(
      quantized.codes.rows(), columns, [&](Eigen::Index i, Eigen::Index k) {
        return decode(grid, quantized.scaleOf(i, k / size),
                      quantized.codes(i, k));
      });
}
