//===- RowUpdateTest.cpp - Kernels that change rows in place --------------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelTest.h"
#include <cmath>

using namespace llmopt;

namespace {
constexpr int64_t kRows = 7;
constexpr int64_t kColumns[] = {1, 33, 64, 70, 576};

class RowUpdateTest : public testing::TestWithParam<Isa> {
protected:
  void SetUp() override {
    if (!machineRuns(GetParam()))
      GTEST_SKIP() << "the machine lacks " << stringify(GetParam()).str();
    library = testLibrary(GetParam());
    ASSERT_NE(library, nullptr);
  }

  template <typename FunctionT> FunctionT get(RowKernel kernel) {
    return library->get<FunctionT>(
        kernelName(RowKernelKey{kernel, 0, PackedLayout::F32, GetParam()}));
  }

  /// Rows with a gap of 5 floats between them, and what `update` makes of them
  /// with one thread and with three.
  struct Result {
    int64_t stride;
    std::vector<float> before, after;
  };
  Result
  run(int64_t columns,
      llvm::function_ref<void(float *, int64_t, int64_t, int64_t)> update) {
    int64_t stride = columns + 5;
    Result result{stride, randomFloats(kRows * stride, 21), {}};
    for (float &x : result.before)
      x *= 4;
    for (int64_t threads : {1, 3}) {
      std::vector<float> rows = result.before;
      for (int64_t thread = 0; thread < threads; ++thread)
        update(rows.data(), stride, thread, threads);
      if (threads != 1) {
        EXPECT_EQ(rows, result.after);
      }
      result.after = rows;
      for (int64_t row = 0; row < kRows; ++row)
        for (int64_t k = columns; k < stride; ++k)
          EXPECT_EQ(rows[row * stride + k], result.before[row * stride + k]);
    }
    return result;
  }

  const KernelLibrary *library = nullptr;
};

double gelu(double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }

double geluTanh(double x) {
  double inner = 0.7978845608028654 * (x + 0.044715 * x * x * x);
  return x / 2 * (1 + std::tanh(inner));
}
} // namespace

TEST_P(RowUpdateTest, BiasGelu) {
  for (auto [kernel, reference] :
       {std::pair(RowKernel::BiasGelu, &gelu),
        std::pair(RowKernel::BiasGeluTanh, &geluTanh)}) {
    auto function = get<BiasFunction>(kernel);
    for (int64_t columns : kColumns) {
      std::vector<float> bias = randomFloats(columns, 22);
      Result y = run(columns, [&](float *rows, int64_t stride, int64_t thread,
                                  int64_t threads) {
        function(rows, stride, bias.data(), kRows, columns, thread, threads);
      });
      for (int64_t row = 0; row < kRows; ++row)
        for (int64_t k = 0; k < columns; ++k) {
          float x = y.before[row * y.stride + k] + bias[k];
          ASSERT_NEAR(y.after[row * y.stride + k], reference(x),
                      4e-7 * (1 + std::fabs(x)));
        }
    }
  }
}

TEST_P(RowUpdateTest, GeluOfExtremes) {
  auto function = get<BiasFunction>(RowKernel::BiasGelu);
  std::vector<float> x = {-INFINITY, -200, -6, -1e-30f, 0, 1e-30f, 6, 200};
  std::vector<float> y = x, zeros(x.size());
  y[0] = -1e30f;
  function(y.data(), y.size(), zeros.data(), 1, y.size(), 0, 1);
  for (size_t i = 1; i < x.size(); ++i)
    EXPECT_NEAR(y[i], gelu(x[i]), 4e-7 * (1 + std::fabs(x[i]))) << x[i];
  EXPECT_EQ(y[0], 0);
}

TEST_P(RowUpdateTest, HeadNorm) {
  auto function = get<HeadNormFunction>(RowKernel::HeadNorm);
  constexpr int64_t heads = 3;
  constexpr float epsilon = 1e-5f;
  for (int64_t length : {8, 16, 24, 128}) {
    std::vector<float> gamma = randomFloats(length, 23);
    Result y = run(heads * length, [&](float *rows, int64_t stride,
                                       int64_t thread, int64_t threads) {
      function(rows, stride, gamma.data(), kRows, heads, length, epsilon,
               thread, threads);
    });
    for (int64_t row = 0; row < kRows; ++row)
      for (int64_t head = 0; head < heads; ++head) {
        int64_t first = row * y.stride + head * length;
        double squares = 0;
        for (int64_t k = 0; k < length; ++k)
          squares += double(y.before[first + k]) * y.before[first + k];
        for (int64_t k = 0; k < length; ++k)
          ASSERT_NEAR(y.after[first + k],
                      y.before[first + k] * gamma[k] /
                          std::sqrt(squares / length + epsilon),
                      1e-6 * 4);
      }
  }
}

TEST_P(RowUpdateTest, ScaleAndSoftcap) {
  constexpr float factor = 3;
  for (RowKernel kernel : {RowKernel::Scale, RowKernel::Softcap}) {
    auto function = get<ScaleFunction>(kernel);
    for (int64_t columns : kColumns) {
      Result y = run(columns, [&](float *rows, int64_t stride, int64_t thread,
                                  int64_t threads) {
        function(rows, stride, factor, kRows, columns, thread, threads);
      });
      for (int64_t row = 0; row < kRows; ++row)
        for (int64_t k = 0; k < columns; ++k) {
          float x = y.before[row * y.stride + k];
          float got = y.after[row * y.stride + k];
          if (kernel == RowKernel::Scale)
            ASSERT_EQ(got, x * factor);
          else
            ASSERT_NEAR(got, factor * std::tanh(double(x) / factor), 1e-6);
        }
    }
  }
}

TEST_P(RowUpdateTest, Add) {
  auto function = get<AddFunction>(RowKernel::Add);
  for (int64_t columns : kColumns) {
    std::vector<float> x = randomFloats(kRows * columns, 24);
    Result y = run(columns, [&](float *rows, int64_t stride, int64_t thread,
                                int64_t threads) {
      function(x.data(), columns, rows, stride, kRows, columns, thread,
               threads);
    });
    for (int64_t row = 0; row < kRows; ++row)
      for (int64_t k = 0; k < columns; ++k)
        ASSERT_EQ(y.after[row * y.stride + k],
                  y.before[row * y.stride + k] + x[row * columns + k]);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, RowUpdateTest,
                         testing::Values(Isa::Avx512Vnni, Isa::Avx2),
                         [](const testing::TestParamInfo<Isa> &info) {
                           return stringify(info.param).str();
                         });
