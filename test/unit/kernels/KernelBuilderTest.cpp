//===- KernelBuilderTest.cpp - Functions of the kernels' vocabulary -------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/KernelBuilder.h"
#include "KernelTest.h"
#include "passes/Lowering/Kernels/KernelFunction.h"
#include <cmath>
#include <limits>

using namespace llmopt;
using namespace mlir;

namespace {

using VectorFunction = void (*)(const float *x, float *y, int64_t count);

/// Makes a function that maps whole vectors of floats.
void addFunction(ModuleOp module, StringRef name, Isa isa,
                 llvm::function_ref<Value(KernelBuilder &, Value)> map) {
  exportFunction(getOrCreateFunction(
      module, name, "ppi", isa, [&](KernelBuilder &k, ValueRange args) {
        k.loop(args[2], kLanes, [&](Value index) {
          Value offset = k.mul(index, 4);
          Value x = k.load(k.floats(), k.at(args[0], offset));
          k.store(map(k, x), k.at(args[1], offset));
        });
      }));
}

class KernelBuilderTest : public testing::TestWithParam<Isa> {
protected:
  void SetUp() override {
    Isa isa = GetParam();
    if (!machineRuns(isa))
      GTEST_SKIP() << "the machine lacks " << stringify(isa).str();
    library = KernelLibrary::build(testTarget(isa), [&](ModuleOp module) {
      addFunction(module, "exp", isa,
                  [](KernelBuilder &k, Value x) { return k.exp(x); });
      addFunction(module, "silu", isa,
                  [](KernelBuilder &k, Value x) { return k.silu(x); });
      addFunction(module, "round", isa, [](KernelBuilder &k, Value x) {
        return k.toFloat(k.roundToInt(x));
      });
    });
    ASSERT_NE(library, nullptr);
  }

  std::vector<float> map(const char *name, std::vector<float> x) {
    x.resize(padded16(x.size()));
    std::vector<float> y(x.size());
    library->get<VectorFunction>(name)(x.data(), y.data(), x.size());
    return y;
  }

  std::unique_ptr<KernelLibrary> library;
};

/// Distance in units of the last place of the exact value, denormals included.
double ulps(float value, double exact) {
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::fabs(value - exact) /
         std::ldexp(1.0, std::max(exponent, -125) - 24);
}

/// Evenly spaced floats of an interval.
std::vector<float> sweep(float first, float last, int count) {
  std::vector<float> x(count);
  for (int i = 0; i < count; ++i)
    x[i] = first + (last - first) * i / (count - 1);
  return x;
}

TEST_P(KernelBuilderTest, ExpIsWithinTwoUlp) {
  for (auto [first, last] : {std::pair{-104.0f, 88.72f},
                             {-1.0f, 1.0f},
                             {-1e-3f, 1e-3f},
                             {88.0f, 88.722f}}) {
    std::vector<float> x = sweep(first, last, 1 << 18);
    std::vector<float> y = map("exp", x);
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_LE(ulps(y[i], std::exp(static_cast<double>(x[i]))), 2.0)
          << "exp(" << x[i] << ") = " << y[i];
  }
}

TEST_P(KernelBuilderTest, ExpOfSpecialValues) {
  float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> y =
      map("exp", {-infinity, infinity, NAN, 0.0f, -1000.0f, 1000.0f});
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_EQ(y[1], infinity);
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_EQ(y[3], 1.0f);
  EXPECT_EQ(y[4], 0.0f);
  EXPECT_EQ(y[5], infinity);
}

TEST_P(KernelBuilderTest, Silu) {
  std::vector<float> x = sweep(-80.0f, 80.0f, 1 << 16);
  std::vector<float> y = map("silu", x);
  for (size_t i = 0; i < x.size(); ++i) {
    double exact = x[i] / (1 + std::exp(-static_cast<double>(x[i])));
    ASSERT_NEAR(y[i], exact, 4e-7 * std::fabs(exact)) << x[i];
  }
  // Far out, e^-x overflows to infinity and the result is zero.
  EXPECT_EQ(map("silu", {-200.0f})[0], 0.0f);
  EXPECT_TRUE(std::isnan(map("silu", {NAN})[0]));
}

TEST_P(KernelBuilderTest, RoundToIntBreaksTiesToEven) {
  std::vector<float> x = sweep(-130.0f, 130.0f, 2081);
  std::vector<float> y = map("round", x);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(y[i], std::nearbyint(x[i])) << x[i];
}

INSTANTIATE_TEST_SUITE_P(Kernels, KernelBuilderTest,
                         testing::Values(Isa::Avx512Vnni, Isa::Avx2),
                         [](const testing::TestParamInfo<Isa> &info) {
                           return stringify(info.param).str();
                         });

} // namespace
