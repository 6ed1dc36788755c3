//===- Compare.cpp - How far an output is from its reference ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-check/Compare.h"
#include "tools/testdata/Elements.h"
#include "llvm/Support/Format.h"
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace llmopt::check;
using namespace llmopt::tools;

namespace {

/// One output in comparison.
class Comparer {
public:
  Comparer(const Tensor &reference, llvm::StringRef name, const void *actual,
           const Tolerance &tolerance, Comparison &result)
      : reference(reference), name(name), actual(actual), tolerance(tolerance),
        result(result), isFloat(describe(reference.type).isFloat),
        bytes(llmopt_element_bytes(reference.type)) {}

  void element(int64_t index);
  void finish();

private:
  void mismatch(const std::string &text);
  void floatElement(int64_t index);
  std::string text(int64_t index) const;

  const Tensor &reference;
  llvm::StringRef name;
  const void *actual;
  const Tolerance &tolerance;
  Comparison &result;
  const bool isFloat;
  const uint32_t bytes;
  double squares = 0, differences = 0;
};

void Comparer::mismatch(const std::string &text) {
  if (result.mismatches++ == 0) {
    result.output = name.str();
    result.firstMismatch = text;
  }
}

std::string Comparer::text(int64_t index) const {
  std::string text;
  llvm::raw_string_ostream(text)
      << "'" << name << "' element " << index << " is "
      << llvm::format("%.9g, expected %.9g",
                      valueAt(actual, index, reference.type),
                      valueAt(reference.data.data(), index, reference.type));
  return text;
}

void Comparer::element(int64_t index) {
  ++result.compared;
  if (isFloat)
    return floatElement(index);
  // As bytes: not all integers are doubles.
  if (memcmp(reference.data.data() + index * bytes,
             static_cast<const char *>(actual) + index * bytes, bytes) == 0)
    return;
  double expected = valueAt(reference.data.data(), index, reference.type);
  double difference =
      std::fabs(valueAt(actual, index, reference.type) - expected);
  result.worst =
      std::max(result.worst, difference / std::max(1.0, std::fabs(expected)));
  mismatch(text(index));
}

void Comparer::floatElement(int64_t index) {
  double expected = valueAt(reference.data.data(), index, reference.type);
  double value = valueAt(actual, index, reference.type);
  if (value == expected || (std::isnan(value) && std::isnan(expected))) {
    squares += std::isfinite(expected) ? expected * expected : 0;
    return;
  }
  double difference = std::fabs(value - expected);
  if (!std::isfinite(difference)) {
    result.worst = INFINITY;
    return mismatch(text(index));
  }
  double size = std::fabs(expected);
  squares += size * size;
  differences += difference * difference;
  if (tolerance.rule == Tolerance::RelativeL2)
    return;
  result.worst = std::max(result.worst, difference / std::max(1.0, size));
  double relative = tolerance.relative * size;
  double limit = tolerance.rule == Tolerance::Sum
                     ? tolerance.absolute + relative
                     : std::max(tolerance.absolute, relative);
  if (difference > limit)
    mismatch(text(index));
}

void Comparer::finish() {
  if (!isFloat || tolerance.rule != Tolerance::RelativeL2 || differences == 0)
    return;
  double error = std::sqrt(differences / squares);
  result.worst = std::max(result.worst, error);
  if (error <= tolerance.relative)
    return;
  std::string text;
  llvm::raw_string_ostream(text)
      << "'" << name << "' has a relative L2 error of "
      << llvm::format("%.3g", error);
  mismatch(text);
}

} // namespace

void llmopt::check::compareElements(const Tensor &reference,
                                    llvm::StringRef name, const void *actual,
                                    const Tolerance &tolerance,
                                    llvm::function_ref<bool(int64_t)> isWanted,
                                    Comparison &result) {
  Comparer comparer(reference, name, actual, tolerance, result);
  for (int64_t i = 0, count = reference.elements(); i < count; ++i)
    if (isWanted(i))
      comparer.element(i);
  comparer.finish();
}
