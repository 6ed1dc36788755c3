//===- Hadamard.cpp - Rotations that spread outliers ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Hadamard.h"
#include <Eigen/QR>
#include <cassert>
#include <cmath>
#include <random>

using namespace llmopt;

static bool isPrime(int64_t number) {
  if (number < 2)
    return false;
  for (int64_t divisor = 2; divisor * divisor <= number; ++divisor)
    if (number % divisor == 0)
      return false;
  return true;
}

/// 1 for squares modulo a prime, -1 for other numbers, 0 for multiples of it.
static VectorF quadraticCharacter(int64_t prime) {
  VectorF result = VectorF::Constant(prime, -1);
  for (int64_t i = 1; i < prime; ++i)
    result[i * i % prime] = 1;
  result[0] = 0;
  return result;
}

/// The matrix of quadratic residues with a border of ones: skew for primes 3
/// (mod 4), symmetric for 1 (mod 4); zero on the diagonal.
static MatrixF borderedResidues(int64_t prime) {
  VectorF character = quadraticCharacter(prime);
  MatrixF result(prime + 1, prime + 1);
  result.row(0).setOnes();
  result.col(0).setConstant(prime % 4 == 3 ? -1.0f : 1.0f);
  result(0, 0) = 0;
  for (int64_t i = 0; i < prime; ++i)
    for (int64_t j = 0; j < prime; ++j)
      result(i + 1, j + 1) = character[(j - i + prime) % prime];
  return result;
}

/// Paley's constructions for an order of a prime plus one, and twice that.
static std::optional<MatrixF> paley(int64_t order) {
  if (isPrime(order - 1) && (order - 1) % 4 == 3) {
    MatrixF result = borderedResidues(order - 1);
    result.diagonal().array() += 1;
    return result;
  }
  if (order % 2 != 0 || !isPrime(order / 2 - 1) || (order / 2 - 1) % 4 != 1)
    return std::nullopt;
  int64_t half = order / 2;
  MatrixF residues = borderedResidues(half - 1);
  MatrixF one = MatrixF::Identity(half, half);
  MatrixF result(order, order);
  result << residues + one, residues - one, residues - one, -residues - one;
  return result;
}

std::optional<MatrixF> llmopt::hadamardMatrix(int64_t order) {
  assert(order > 0 && "no order");
  if (order == 1)
    return MatrixF(MatrixF::Ones(1, 1));
  if (order % 2 != 0)
    return std::nullopt;
  std::optional<MatrixF> half = hadamardMatrix(order / 2);
  if (!half)
    return paley(order);
  MatrixF result(order, order);
  result << *half, *half, *half, -*half;
  return result;
}

MatrixF llmopt::rotationMatrix(int64_t order, uint64_t seed) {
  std::mt19937_64 random(seed);
  if (std::optional<MatrixF> hadamard = hadamardMatrix(order)) {
    float size = 1 / std::sqrt(static_cast<float>(order));
    for (int64_t k = 0; k < order; ++k)
      hadamard->col(k) *= random() >> 63 ? size : -size;
    return *hadamard;
  }
  // Distributions of the standard library differ between its versions; sums of
  // uniform bits do not.
  auto normal = [&](Eigen::Index) {
    double sum = 0;
    for (int i = 0; i < 12; ++i)
      sum += static_cast<double>(random() >> 11) * 0x1p-53;
    return sum - 6;
  };
  MatrixD entries = MatrixD::NullaryExpr(order, order, normal);
  Eigen::HouseholderQR<MatrixD> factors(entries);
  MatrixD orthogonal = factors.householderQ();
  return orthogonal.cast<float>();
}
