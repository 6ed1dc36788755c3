//===- Samples.cpp - The tokens that calibration computes -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Calibration/Samples.h"
#include "compiler/TokenFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include <algorithm>
#include <numeric>
#include <random>

using namespace llmopt;

/// `count` of the numbers below `size`, ascending; all of them if there are no
/// more.
static std::vector<size_t> draw(size_t count, size_t size, uint64_t seed) {
  std::vector<size_t> numbers(size);
  std::iota(numbers.begin(), numbers.end(), 0);
  if (count >= size)
    return numbers;
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < count; ++i)
    std::swap(numbers[i], numbers[i + random() % (size - i)]);
  numbers.resize(count);
  llvm::sort(numbers);
  return numbers;
}

llvm::Expected<CalibrationSamples>
llmopt::readSamples(llvm::StringRef path, const SampleRequest &request,
                    uint32_t vocabulary) {
  llvm::Expected<std::vector<int32_t>> tokens = readTokenFile(path, vocabulary);
  if (!tokens)
    return tokens.takeError();
  size_t windows = tokens->size() / request.length;
  size_t needed = request.countIsGiven ? request.count : 1;
  if (windows < needed)
    return llvm::createStringError(
        "'" + path + "' holds " + llvm::Twine(tokens->size()) +
        " tokens, but " + llvm::Twine(needed) + " samples of " +
        llvm::Twine(request.length) +
        " are needed; lower '-calib-samples' or '-calib-seqlen'");
  CalibrationSamples samples;
  samples.length = request.length;
  for (size_t window : draw(request.count, windows, request.seed)) {
    auto first = tokens->begin() + window * request.length;
    samples.tokens.insert(samples.tokens.end(), first, first + request.length);
  }
  return samples;
}
