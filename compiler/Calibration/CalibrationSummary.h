//===- CalibrationSummary.h - What calibration did --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CALIBRATION_CALIBRATIONSUMMARY_H
#define LLMOPT_COMPILER_CALIBRATION_CALIBRATIONSUMMARY_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace llmopt {

/// What calibration did, for the report.
struct CalibrationSummary {
  /// Squared error of a product's outputs on the calibration tokens by their
  /// squares.
  struct Layer {
    std::string name;
    std::string method; ///< such as "alps+gptq"
    double before;      ///< with magnitudes and rounding to nearest
    double after;       ///< with what was chosen
  };
  std::string pruning;   ///< as -sparsity-method names it; empty: none
  std::string rounding;  ///< as -quant-method names it; empty: none
  bool corrects = false; ///< errors of earlier products
  bool ownTokens = false;
  size_t samples = 0;
  uint32_t length = 0; ///< tokens of a sample
  std::vector<Layer> layers;
  std::vector<std::string> notes; ///< what fell back to simpler methods
};

} // namespace llmopt

#endif // LLMOPT_COMPILER_CALIBRATION_CALIBRATIONSUMMARY_H
