//===- CodeMatrix.h - Codes that the packers read ----------------*- C++
//-*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TARGET_CODEMATRIX_H
#define LLMOPT_TARGET_CODEMATRIX_H

#include "target/PackedFormat.h"
#include <cstring>

namespace llmopt {

/// Columns of one 64-byte vector of codes, and of one mask.
inline constexpr int64_t kStepColumns = 4;

/// A row-major code matrix that reads as zero outside its bounds.
struct CodeMatrix {
  llvm::ArrayRef<int8_t> codes;
  int64_t rows, columns;

  int8_t at(int64_t row, int64_t column) const {
    return row < rows && column < columns ? codes[row * columns + column] : 0;
  }
};

/// Scales of the rows of a panel, zeros where there is no row.
inline void writeScales(llvm::ArrayRef<float> scales, int64_t firstRow,
                        int64_t rows, uint8_t *out) {
  for (int64_t r = 0; r < kPanelRows; ++r) {
    float scale = firstRow + r < rows ? scales[firstRow + r] : 0.0f;
    std::memcpy(out + r * sizeof(float), &scale, sizeof(float));
  }
}

} // namespace llmopt

#endif // LLMOPT_TARGET_CODEMATRIX_H
