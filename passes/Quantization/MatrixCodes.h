//===- MatrixCodes.h - Codes of a matrix ------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Quantization as plain functions: from a matrix to codes and scales, and back.
// Solvers that choose codes by other criteria than the nearest one use the
// functions of a group and of a single weight.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_MATRIXCODES_H
#define LLMOPT_PASSES_QUANTIZATION_MATRIXCODES_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <vector>

namespace llmopt {

/// What codes stand for: the encoding of a FormatAttr, without a layout.
struct CodeScheme {
  int64_t bits = 8;         ///< of a code, 2 to 8
  int64_t group = 0;        ///< columns that share a scale; 0: all
  bool halfScales = false;  ///< scales are numbers of f16
  bool zeroPoints = false;  ///< value = (code - zero point) * scale
  std::vector<float> table; ///< value = table[code] * scale, unless empty

  /// Scales of a row.
  int64_t groups(int64_t columns) const;
  /// The range of the codes. Symmetric ones of 8 bits leave -128 out.
  int least() const;
  int most() const;
};

/// A scale and zero point, which a group shares.
struct GroupScale {
  float scale = 0;
  int zeroPoint = 0;
};

/// Row-major codes with scales and zero points [rows, groups].
struct MatrixCodes {
  int64_t columns = 0;
  std::vector<int8_t> codes;
  std::vector<float> scales;
  std::vector<int8_t> zeroPoints; ///< empty unless the scheme has them

  int64_t rows() const { return columns ? codes.size() / columns : 0; }
};

/// The scale for which no weight of a group is clipped. Symmetric: max|w| over
/// the largest code; zero points: (max - min) / (2^bits - 1) of the range that
/// the weights and zero span; table: max|w| over the largest magnitude of the
/// table. A scale that is no normal float (or rounds to zero as f16) is 0; it
/// is infinite where f16 has no number as large.
GroupScale fitGroup(llvm::ArrayRef<float> weights, const CodeScheme &scheme);

/// The code nearest to a weight: ties to even, of tables the first entry.
int8_t encodeWeight(float weight, const GroupScale &group,
                    const CodeScheme &scheme);
/// The same for all weights of a group.
void encodeGroup(llvm::ArrayRef<float> weights, const GroupScale &group,
                 const CodeScheme &scheme, llvm::MutableArrayRef<int8_t> codes);

/// The weight that a code stands for.
float decodeWeight(int8_t code, const GroupScale &group,
                   const CodeScheme &scheme);

/// Rounds row-major weights [rows, columns] to nearest with the scales of
/// fitGroup. Weights must be finite.
MatrixCodes quantizeMatrix(llvm::ArrayRef<float> weights, int64_t columns,
                           const CodeScheme &scheme);

/// The weights that codes stand for.
std::vector<float> dequantizeMatrix(const MatrixCodes &matrix,
                                    const CodeScheme &scheme);

} // namespace llmopt

#endif // LLMOPT_PASSES_QUANTIZATION_MATRIXCODES_H
