//===- RoundToNearest.h - Int8 weights by rounding --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_QUANTIZATION_ROUNDTONEAREST_H
#define LLMOPT_PASSES_QUANTIZATION_ROUNDTONEAREST_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <optional>

namespace llmopt {

/// Quantizes row-major weights [rows, columns] symmetrically to int8, one scale
/// per row: scale = max|w| / 127 and code = w / scale rounded to nearest, ties
/// to even. Codes lie in
/// [-127, 127] and zeros stay zeros. A row whose scale would not be a normal
/// float gets codes and scale 0. Weights must be finite.
///
/// codes has rows * columns elements, scales one per row.
void quantizeRowsInt8(llvm::ArrayRef<float> weights, int64_t columns,
                      llvm::MutableArrayRef<int8_t> codes,
                      llvm::MutableArrayRef<float> scales);

/// Index of the first weight that is NaN or infinite.
std::optional<int64_t> findNotFinite(llvm::ArrayRef<float> weights);

/// Relative Frobenius error ||decoded - original|| / ||original|| of codes
/// [rows, columns]; 0 where the original is all zero and equal, infinity where
/// it is all zero and differs.
double relativeError(llvm::ArrayRef<float> original,
                     llvm::ArrayRef<int8_t> codes,
                     llvm::ArrayRef<float> scales);

/// The same between float weights of equal shape.
double relativeError(llvm::ArrayRef<float> original,
                     llvm::ArrayRef<float> changed);

} // namespace llmopt

#endif // LLMOPT_PASSES_QUANTIZATION_ROUNDTONEAREST_H
