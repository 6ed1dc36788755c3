//===- Products.cpp - Parallel matrix products ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Products.h"
#include "passes/Calibration/Dispatch.h"
#include "passes/Calibration/ProductKernels.h"
#include <algorithm>
#include <cassert>

using namespace llmopt;

/// Edge of the parts that a product is split into. Large enough that packing
/// costs little, small enough for a few parts per thread.
static constexpr int64_t kTile = 192;

static void run(const ProductArguments<float> &arguments) {
  getProductKernels().multiplyF(arguments);
}

static void run(const ProductArguments<double> &arguments) {
  getProductKernels().multiplyD(arguments);
}

/// The part of p that computes rows [i, i + rows) and columns [j, j + columns).
template <typename T>
static ProductArguments<T> tileOf(ProductArguments<T> p, int64_t i,
                                  int64_t rows, int64_t j, int64_t columns) {
  p.m = rows;
  p.n = columns;
  p.a += p.transposeA ? i : i * p.aStride;
  p.b += p.transposeB ? j * p.bStride : j;
  p.c += i * p.cStride + j;
  return p;
}

template <typename T, typename Matrix, typename Result>
static ProductArguments<T> argumentsOf(T alpha, const Matrix &a,
                                       Transpose transposeA, const Matrix &b,
                                       Transpose transposeB, Result &c) {
  ProductArguments<T> p;
  p.m = c.rows();
  p.n = c.cols();
  p.transposeA = transposeA == Transpose::Yes;
  p.transposeB = transposeB == Transpose::Yes;
  p.k = p.transposeA ? a.rows() : a.cols();
  p.alpha = alpha;
  p.a = a.data();
  p.aStride = a.outerStride();
  p.b = b.data();
  p.bStride = b.outerStride();
  p.c = c.data();
  p.cStride = c.outerStride();
  assert((p.transposeA ? a.cols() : a.rows()) == p.m && "rows disagree");
  assert((p.transposeB ? b.rows() : b.cols()) == p.n && "columns disagree");
  assert((p.transposeB ? b.cols() : b.rows()) == p.k && "depths disagree");
  return p;
}

template <typename T>
static void runTiles(const ProductArguments<T> &p,
                     const ParallelFor &parallel) {
  if (p.m == 0 || p.n == 0 || p.k == 0)
    return;
  int64_t rows = (p.m + kTile - 1) / kTile;
  // Wide tiles: the right operand is packed once per tile.
  int64_t width = p.m <= kTile ? kTile : 4 * kTile;
  int64_t columns = (p.n + width - 1) / width;
  parallel(rows * columns, [&](int64_t index) {
    int64_t i = index / columns * kTile, j = index % columns * width;
    run(tileOf(p, i, std::min(kTile, p.m - i), j, std::min(width, p.n - j)));
  });
}

template <typename T>
static void runLowerTiles(const ProductArguments<T> &p,
                          const ParallelFor &parallel) {
  if (p.m == 0 || p.k == 0)
    return;
  int64_t tiles = (p.m + kTile - 1) / kTile;
  // Row r of tiles has r + 1 of them; the long ones first.
  parallel(tiles, [&](int64_t index) {
    int64_t i = (tiles - 1 - index) * kTile;
    int64_t rows = std::min(kTile, p.m - i);
    run(tileOf(p, i, rows, 0, i + rows));
  });
}

void llmopt::addProduct(float alpha, Eigen::Ref<const MatrixF> a,
                        Transpose transposeA, Eigen::Ref<const MatrixF> b,
                        Transpose transposeB, Eigen::Ref<MatrixF> c,
                        const ParallelFor &parallel) {
  runTiles(argumentsOf(alpha, a, transposeA, b, transposeB, c), parallel);
}

void llmopt::addProduct(double alpha, Eigen::Ref<const MatrixD> a,
                        Transpose transposeA, Eigen::Ref<const MatrixD> b,
                        Transpose transposeB, Eigen::Ref<MatrixD> c,
                        const ParallelFor &parallel) {
  runTiles(argumentsOf(alpha, a, transposeA, b, transposeB, c), parallel);
}

static Transpose opposite(Transpose transpose) {
  return transpose == Transpose::Yes ? Transpose::No : Transpose::Yes;
}

void llmopt::addSymmetricProduct(float alpha, Eigen::Ref<const MatrixF> a,
                                 Transpose transposeA, Eigen::Ref<MatrixF> c,
                                 const ParallelFor &parallel) {
  runLowerTiles(argumentsOf(alpha, a, transposeA, a, opposite(transposeA), c),
                parallel);
}

void llmopt::addSymmetricProduct(double alpha, Eigen::Ref<const MatrixD> a,
                                 Transpose transposeA, Eigen::Ref<MatrixD> c,
                                 const ParallelFor &parallel) {
  runLowerTiles(argumentsOf(alpha, a, transposeA, a, opposite(transposeA), c),
                parallel);
}
