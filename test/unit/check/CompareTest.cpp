//===- CompareTest.cpp - Rules of the comparison with references ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-check/Compare.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace llmopt::check;
using namespace llmopt::tools;

namespace {

template <typename T> Tensor makeTensor(int32_t type, std::vector<T> values) {
  Tensor tensor;
  tensor.type = type;
  tensor.dims = {static_cast<int64_t>(values.size())};
  tensor.data.assign(
      reinterpret_cast<const char *>(values.data()),
      reinterpret_cast<const char *>(values.data() + values.size()));
  return tensor;
}

template <typename T>
Comparison compare(int32_t type, std::vector<T> reference,
                   std::vector<T> actual, Tolerance tolerance = {}) {
  Comparison result;
  compareElements(
      makeTensor(type, reference), "y", actual.data(), tolerance,
      [](int64_t) { return true; }, result);
  return result;
}

TEST(Compare, LargerOfAbsoluteAndRelative) {
  Comparison result =
      compare<float>(LLMOPT_F32, {0.5, 1000, -1000}, {0.5009, 1000.9, -1000.9});
  EXPECT_EQ(result.mismatches, 0) << result.firstMismatch;
  EXPECT_EQ(result.compared, 3);
  EXPECT_NEAR(result.worst, 9e-4, 1e-5);
  result =
      compare<float>(LLMOPT_F32, {0.5, 1000, -1000}, {0.5011, 1001.1, -1000.9});
  EXPECT_EQ(result.mismatches, 2);
  EXPECT_EQ(result.output, "y");
  EXPECT_EQ(result.firstMismatch, "'y' element 0 is 0.501100004, expected 0.5");
}

TEST(Compare, SumOfAbsoluteAndRelative) {
  Tolerance tolerance{Tolerance::Sum, 1e-3, 1e-7};
  EXPECT_EQ(compare<double>(LLMOPT_F64, {0, 1}, {0.9e-7, 1.001}, tolerance)
                .mismatches,
            0);
  EXPECT_EQ(compare<double>(LLMOPT_F64, {0, 1}, {1.1e-7, 1.0011}, tolerance)
                .mismatches,
            2);
}

TEST(Compare, RelativeL2IsOfTheWholeOutput) {
  Tolerance tolerance{Tolerance::RelativeL2, 2e-2, 0};
  Comparison result =
      compare<float>(LLMOPT_F32, {3, 4, 0}, {3, 4, 0.09}, tolerance);
  EXPECT_EQ(result.mismatches, 0);
  EXPECT_NEAR(result.worst, 0.018, 1e-6);
  result = compare<float>(LLMOPT_F32, {3, 4, 0}, {3, 4, 0.11}, tolerance);
  EXPECT_EQ(result.mismatches, 1);
  EXPECT_EQ(result.firstMismatch, "'y' has a relative L2 error of 0.022");
  // Nothing is near to a reference of zeros but zeros.
  EXPECT_EQ(compare<float>(LLMOPT_F32, {0, 0}, {0, 1e-9}, tolerance).mismatches,
            1);
}

TEST(Compare, NaNAndInfinityEqualThemselvesAlone) {
  const float nan = NAN, inf = INFINITY;
  for (Tolerance::Rule rule :
       {Tolerance::Larger, Tolerance::Sum, Tolerance::RelativeL2}) {
    Tolerance tolerance{rule, 1e-3, 1e-3};
    EXPECT_EQ(compare<float>(LLMOPT_F32, {nan, inf, -inf}, {-nan, inf, -inf},
                             tolerance)
                  .mismatches,
              0);
    EXPECT_EQ(compare<float>(LLMOPT_F32, {nan, inf, -inf, 1, 1, 1},
                             {1, -inf, 1, nan, inf, 1}, tolerance)
                  .mismatches,
              5);
  }
}

TEST(Compare, IntegersAreEqual) {
  Tolerance loose{Tolerance::Larger, 1, 100};
  const int64_t large = INT64_C(1) << 60;
  EXPECT_EQ(compare<int64_t>(LLMOPT_I64, {large, 5}, {large, 5}).mismatches, 0);
  EXPECT_EQ(compare<int64_t>(LLMOPT_I64, {large, 5}, {large + 1, 6}, loose)
                .mismatches,
            2);
  EXPECT_EQ(compare<uint8_t>(LLMOPT_BOOL, {0, 1}, {0, 0}, loose).mismatches, 1);
}

TEST(Compare, SmallFloatsAreValues) {
  // 1 and 1 + 2^-10 in f16.
  EXPECT_EQ(compare<uint16_t>(LLMOPT_F16, {0x3c00}, {0x3c01}).mismatches, 0);
  EXPECT_EQ(compare<uint16_t>(LLMOPT_F16, {0x3c00}, {0x3c02}).mismatches, 1);
  // The zeros of a float8 are equal, its neighbours are not.
  EXPECT_EQ(compare<uint8_t>(LLMOPT_F8E4M3FN, {0x00}, {0x80}).mismatches, 0);
  EXPECT_EQ(compare<uint8_t>(LLMOPT_F8E4M3FN, {0x38}, {0x39}).mismatches, 1);
}

} // namespace
