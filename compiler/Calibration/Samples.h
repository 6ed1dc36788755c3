//===- Samples.h - The tokens that calibration computes ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CALIBRATION_SAMPLES_H
#define LLMOPT_COMPILER_CALIBRATION_SAMPLES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <vector>

namespace llmopt {

/// Token ids of samples of equal length.
struct CalibrationSamples {
  std::vector<int64_t> tokens; ///< of all samples, one after the other
  uint32_t length = 0;         ///< tokens of a sample

  size_t count() const { return tokens.size() / length; }
};

/// How many samples are wanted.
struct SampleRequest {
  uint32_t count, length;
  bool countIsGiven; ///< by the user: fewer are an error
  uint64_t seed;
};

/// Cuts a file of token ids into samples: its consecutive windows, in order. Of
/// more windows than are wanted some are drawn, without repetition. An error if
/// the file cannot be read, has a token that the vocabulary has not, or is too
/// short.
llvm::Expected<CalibrationSamples> readSamples(llvm::StringRef path,
                                               const SampleRequest &request,
                                               uint32_t vocabulary);

} // namespace llmopt

#endif // LLMOPT_COMPILER_CALIBRATION_SAMPLES_H
