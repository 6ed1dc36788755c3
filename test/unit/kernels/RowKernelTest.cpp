//===- RowKernelTest.cpp - Row kernels against a scalar reference ---------===//
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

constexpr int64_t kColumns[] = {1, 33, 64, 70, 129, 576};
constexpr float kEpsilon = 1e-5f;

class RowKernelTest : public testing::TestWithParam<Isa> {
protected:
  void SetUp() override {
    if (!machineRuns(GetParam()))
      GTEST_SKIP() << "the machine lacks " << stringify(GetParam()).str();
    library = testLibrary(GetParam());
    ASSERT_NE(library, nullptr);
  }

  template <typename Function>
  Function get(RowKernel kernel, int64_t group = 0,
               const PackedFormat &format = PackedLayout::F32) {
    auto function = library->get<Function>(
        kernelName(RowKernelKey{kernel, group, format, GetParam()}));
    EXPECT_NE(function, nullptr);
    return function;
  }

  const KernelLibrary *library = nullptr;
};

/// Rows of random floats whose stride is longer than the row; what lies between
/// is not zero.
struct Rows {
  Rows(int64_t rows, int64_t columns)
      : rows(rows), columns(columns), stride(columns + 5),
        bytes(((rows - 1) * stride + columns) * 4) {
    std::vector<float> values = randomFloats(rows * stride, 11);
    std::memcpy(bytes.data(), values.data(), bytes.size());
  }
  const float *row(int64_t index) const {
    return bytes.data() + index * stride;
  }

  int64_t rows, columns, stride;
  Buffer bytes;
};

/// Runs call(output, thread, threads) with 1 to 3 threads, requires equal
/// results and returns them.
Buffer runThreads(int64_t bytes,
                  llvm::function_ref<void(Buffer &, int64_t, int64_t)> call) {
  Buffer result(0);
  for (int64_t threads : {1, 2, 3}) {
    Buffer output(bytes);
    for (int64_t thread = 0; thread < threads; ++thread)
      call(output, thread, threads);
    EXPECT_TRUE(output.guardIntact());
    if (threads == 1)
      result = std::move(output);
    else
      EXPECT_TRUE(result == output) << threads << " threads";
  }
  return result;
}

Buffer runRmsNorm(RmsNormFunction function, const Rows &x,
                  const std::vector<float> &gamma) {
  int64_t stride = padded16(x.columns);
  return runThreads(
      x.rows * stride * 4, [&](Buffer &y, int64_t thread, int64_t threads) {
        function(x.bytes.data(), x.stride, gamma.data(), y.data(), stride,
                 x.rows, x.columns, kEpsilon, thread, threads);
      });
}

TEST_P(RowKernelTest, RmsNorm) {
  auto function = get<RmsNormFunction>(RowKernel::RmsNorm);
  for (int64_t columns : kColumns)
    for (int64_t rows : {1, 2, 7}) {
      Rows x(rows, columns);
      std::vector<float> gamma = randomFloats(columns, 12);
      Buffer y = runRmsNorm(function, x, gamma);
      for (int64_t row = 0; row < rows; ++row) {
        double sum = 0;
        for (int64_t k = 0; k < columns; ++k)
          sum += static_cast<double>(x.row(row)[k]) * x.row(row)[k];
        double inverse = 1 / std::sqrt(sum / columns + kEpsilon);
        for (int64_t k = 0; k < columns; ++k) {
          double expected = x.row(row)[k] * inverse * gamma[k];
          ASSERT_NEAR(y.data()[row * padded16(columns) + k], expected,
                      1e-6 * std::fabs(expected));
        }
      }
    }
}

/// Compares all that a record defines: codes, scales and sums, bit by bit.
void expectRecord(const uint8_t *record, const float *x,
                  const QuantizedRow &format) {
  std::vector<uint8_t> expected(format.bytes());
  quantizeReference(x, format, expected.data());
  int64_t used = format.biasesOffset() + 4 * format.groups();
  for (int64_t i = 0; i < used; ++i)
    ASSERT_EQ(record[i], expected[i])
        << "byte " << i << " of a record of " << format.columns << " columns";
}

TEST_P(RowKernelTest, Quantize) {
  for (int64_t group : {64, 128})
    for (int64_t columns : kColumns)
      for (int64_t rows : {1, 2, 7}) {
        auto function = get<QuantizeFunction>(RowKernel::Quantize, group);
        Rows x(rows, columns);
        QuantizedRow format{columns, group};
        Buffer records =
            runThreads(rows * format.bytes(), [&](Buffer &out, int64_t thread,
                                                  int64_t threads) {
              function(x.bytes.data(), x.stride, out.data(), format.bytes(),
                       rows, columns, thread, threads);
            });
        for (int64_t row = 0; row < rows; ++row)
          expectRecord(records.data<uint8_t>() + row * format.bytes(),
                       x.row(row), format);
      }
}

TEST_P(RowKernelTest, QuantizeTiesZerosAndTinyValues) {
  auto function = get<QuantizeFunction>(RowKernel::Quantize, 64);
  // The first group has a scale of 1 and ties, the others are zero or nearly
  // so.
  std::vector<float> x(192, 0.0f);
  for (int i = 0; i < 64; ++i)
    x[i] = i - 31.5f;
  x[0] = -127;
  x[64] = -0.0f;
  for (int i = 128; i < 192; ++i)
    x[i] = 1e-40f;
  QuantizedRow format{192, 64};
  Buffer record(format.bytes());
  function(x.data(), 192, record.data(), format.bytes(), 1, 192, 0, 1);
  expectRecord(record.data<uint8_t>(), x.data(), format);
  const int8_t *codes = record.data<int8_t>();
  EXPECT_EQ(codes[0], -127);
  EXPECT_EQ(codes[31], 0); // -0.5
  EXPECT_EQ(codes[33], 2); // 1.5
  EXPECT_EQ(codes[34], 2); // 2.5
  EXPECT_EQ(record.data()[192 / 4 + 1], 0.0f);
  EXPECT_EQ(record.data()[192 / 4 + 2], 0.0f);
}

TEST_P(RowKernelTest, RmsNormQuantizeIsRmsNormThenQuantize) {
  auto norm = get<RmsNormFunction>(RowKernel::RmsNorm);
  for (int64_t group : {32, 64})
    for (int64_t columns : kColumns)
      for (int64_t rows : {1, 2, 7}) {
        auto function =
            get<RmsNormQuantizeFunction>(RowKernel::RmsNormQuantize, group);
        Rows x(rows, columns);
        std::vector<float> gamma = randomFloats(columns, 13);
        Buffer normalized = runRmsNorm(norm, x, gamma);
        QuantizedRow format{columns, group};
        Buffer records =
            runThreads(rows * format.bytes(),
                       [&](Buffer &out, int64_t thread, int64_t threads) {
                         function(x.bytes.data(), x.stride, gamma.data(),
                                  out.data(), format.bytes(), rows, columns,
                                  kEpsilon, thread, threads);
                       });
        for (int64_t row = 0; row < rows; ++row)
          expectRecord(records.data<uint8_t>() + row * format.bytes(),
                       normalized.data() + row * padded16(columns), format);
      }
}

TEST_P(RowKernelTest, Embedding) {
  constexpr int64_t vocabulary = 41;
  const std::vector<int64_t> tokens = {40, 0, 15, 16, 16, 31, 7};
  for (PackedLayout layout : {PackedLayout::F32, PackedLayout::BF16,
                              PackedLayout::Int8, PackedLayout::Int8Bitmask})
    for (int64_t columns : kColumns) {
      auto function = get<EmbeddingFunction>(RowKernel::Embedding, 0, layout);
      std::vector<int8_t> codes = randomCodes(vocabulary * columns, 0.5, 14);
      std::vector<float> scales = randomFloats(vocabulary, 15);
      std::vector<float> values(vocabulary * columns);
      for (size_t i = 0; i < values.size(); ++i)
        values[i] = codes[i] * scales[i / columns];
      Buffer packed(packedCodesBytes(layout, codes, vocabulary, columns));
      if (layout == PackedLayout::F32)
        packF32(values, vocabulary, columns, packed.array());
      else if (layout == PackedLayout::BF16)
        packBF16(values, vocabulary, columns, packed.array());
      else
        packCodes(layout, codes, scales, vocabulary, columns, packed.array());
      if (layout == PackedLayout::BF16)
        for (float &value : values)
          value = fromBF16(toBF16(value));
      int64_t stride = padded16(columns), rows = tokens.size();
      Buffer y = runThreads(rows * stride * 4,
                            [&](Buffer &out, int64_t thread, int64_t threads) {
                              function(tokens.data(), packed.data(), out.data(),
                                       stride, rows, columns, thread, threads);
                            });
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t k = 0; k < columns; ++k)
          ASSERT_EQ(y.data()[row * stride + k],
                    values[tokens[row] * columns + k]);
    }
}

TEST_P(RowKernelTest, EmbeddingOfGroups) {
  constexpr int64_t vocabulary = 41;
  const std::vector<int64_t> tokens = {40, 0, 15, 16, 16, 31, 7};
  for (const RowKernelKey &key : rowKernels(GetParam())) {
    const PackedFormat &format = key.format;
    if (key.kernel != RowKernel::Embedding || !format.hasGroups())
      continue;
    auto function = get<EmbeddingFunction>(RowKernel::Embedding, 0, format);
    for (int64_t columns : kColumns) {
      int64_t groups = (columns + format.group - 1) / format.group;
      std::vector<int8_t> codes = randomCodes(vocabulary * columns, 0.1, 14);
      std::vector<float> scales = randomFloats(vocabulary * groups, 15);
      std::vector<float> table = randomFloats(format.table ? 16 : 0, 16);
      std::vector<uint8_t> points(format.zeroPoints ? scales.size() : 0);
      for (size_t i = 0; i < points.size(); ++i)
        points[i] = i % 16;
      for (float &scale : scales)
        scale = fromHalf(toHalf(scale));
      std::vector<float> values(codes.size());
      for (size_t i = 0; i < codes.size(); ++i) {
        if (format.layout == PackedLayout::Int4Groups)
          codes[i] = static_cast<int8_t>(
              (codes[i] & 15) - (format.zeroPoints || format.table ? 0 : 8));
        int64_t group =
            i / columns * groups + int64_t(i) % columns / format.group;
        float value = format.table ? table[codes[i]] : float(codes[i]);
        if (format.zeroPoints)
          value -= points[group];
        values[i] = value * scales[group];
      }
      Buffer packed(densePackedBytes(format, vocabulary, columns));
      packGroups(format, {codes, scales, points, table}, vocabulary, columns,
                 packed.array());
      int64_t stride = padded16(columns), rows = tokens.size();
      Buffer y = runThreads(rows * stride * 4,
                            [&](Buffer &out, int64_t thread, int64_t threads) {
                              function(tokens.data(), packed.data(), out.data(),
                                       stride, rows, columns, thread, threads);
                            });
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t k = 0; k < columns; ++k)
          ASSERT_EQ(y.data()[row * stride + k],
                    values[tokens[row] * columns + k])
              << stringify(format);
    }
  }
}

TEST_P(RowKernelTest, GatherRows) {
  auto function = get<GatherRowsFunction>(RowKernel::GatherRows);
  const std::vector<uint32_t> index = {0, 3, 4, 8};
  for (int64_t columns : kColumns) {
    Rows x(9, columns);
    int64_t stride = padded16(columns), rows = index.size();
    Buffer y = runThreads(
        rows * stride * 4, [&](Buffer &out, int64_t thread, int64_t threads) {
          function(x.bytes.data(), x.stride, index.data(), out.data(), stride,
                   rows, columns, thread, threads);
        });
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t k = 0; k < columns; ++k)
        ASSERT_EQ(y.data()[row * stride + k], x.row(index[row])[k]);
  }
}

Buffer runLayerNorm(LayerNormFunction function, const Rows &x,
                    const std::vector<float> &gamma,
                    const std::vector<float> &beta) {
  int64_t stride = padded16(x.columns);
  return runThreads(
      x.rows * stride * 4, [&](Buffer &y, int64_t thread, int64_t threads) {
        function(x.bytes.data(), x.stride, gamma.data(), beta.data(), y.data(),
                 stride, x.rows, x.columns, kEpsilon, thread, threads);
      });
}

TEST_P(RowKernelTest, LayerNorm) {
  auto function = get<LayerNormFunction>(RowKernel::LayerNorm);
  for (int64_t columns : kColumns)
    for (int64_t rows : {1, 2, 7}) {
      Rows x(rows, columns);
      std::vector<float> gamma = randomFloats(columns, 12);
      std::vector<float> beta = randomFloats(columns, 13);
      Buffer y = runLayerNorm(function, x, gamma, beta);
      for (int64_t row = 0; row < rows; ++row) {
        double sum = 0, squares = 0;
        for (int64_t k = 0; k < columns; ++k)
          sum += x.row(row)[k];
        double mean = sum / columns;
        for (int64_t k = 0; k < columns; ++k)
          squares += (x.row(row)[k] - mean) * (x.row(row)[k] - mean);
        double inverse = 1 / std::sqrt(squares / columns + kEpsilon);
        for (int64_t k = 0; k < columns; ++k) {
          double scaled = (x.row(row)[k] - mean) * inverse * gamma[k];
          ASSERT_NEAR(y.data()[row * padded16(columns) + k], scaled + beta[k],
                      1e-5 * (std::fabs(scaled) + std::fabs(beta[k])) + 1e-6)
              << columns << " columns";
        }
      }
    }
}

TEST_P(RowKernelTest, LayerNormQuantizeIsLayerNormThenQuantize) {
  auto norm = get<LayerNormFunction>(RowKernel::LayerNorm);
  for (int64_t group : {32, 64})
    for (int64_t columns : kColumns) {
      constexpr int64_t rows = 3;
      auto function =
          get<LayerNormQuantizeFunction>(RowKernel::LayerNormQuantize, group);
      Rows x(rows, columns);
      std::vector<float> gamma = randomFloats(columns, 12);
      std::vector<float> beta = randomFloats(columns, 13);
      Buffer normalized = runLayerNorm(norm, x, gamma, beta);
      QuantizedRow format{columns, group};
      Buffer records =
          runThreads(rows * format.bytes(),
                     [&](Buffer &out, int64_t thread, int64_t threads) {
                       function(x.bytes.data(), x.stride, gamma.data(),
                                beta.data(), out.data(), format.bytes(), rows,
                                columns, kEpsilon, thread, threads);
                     });
      for (int64_t row = 0; row < rows; ++row)
        expectRecord(records.data<uint8_t>() + row * format.bytes(),
                     normalized.data() + row * padded16(columns), format);
    }
}

TEST_P(RowKernelTest, Bias) {
  for (bool relu : {false, true}) {
    auto function =
        get<BiasFunction>(relu ? RowKernel::BiasRelu : RowKernel::Bias);
    for (int64_t columns : kColumns) {
      constexpr int64_t rows = 7;
      Rows x(rows, columns);
      std::vector<float> bias = randomFloats(columns, 14);
      Buffer y = runThreads(
          x.bytes.size(), [&](Buffer &out, int64_t thread, int64_t threads) {
            if (thread == 0)
              std::memcpy(out.data(), x.bytes.data(), x.bytes.size());
            function(out.data(), x.stride, bias.data(), rows, columns, thread,
                     threads);
          });
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t k = 0; k < columns; ++k) {
          float sum = x.row(row)[k] + bias[k];
          ASSERT_EQ(y.data()[row * x.stride + k], relu && sum < 0 ? 0 : sum);
        }
      // What lies between rows is not touched.
      for (int64_t k = columns; k < x.stride; ++k)
        ASSERT_EQ(y.data()[k], x.bytes.data()[k]);
    }
  }
}

TEST_P(RowKernelTest, AddPositions) {
  auto function = get<AddPositionsFunction>(RowKernel::AddPositions);
  constexpr int64_t offset = 2;
  const std::vector<int32_t> positions = {0, 8, 3, 3};
  for (int64_t columns : kColumns) {
    int64_t rows = positions.size();
    Rows x(rows, columns);
    std::vector<float> table = randomFloats((9 + offset) * columns, 15);
    Buffer y = runThreads(
        x.bytes.size(), [&](Buffer &out, int64_t thread, int64_t threads) {
          if (thread == 0)
            std::memcpy(out.data(), x.bytes.data(), x.bytes.size());
          function(positions.data(), table.data(), offset, out.data(), x.stride,
                   rows, columns, thread, threads);
        });
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t k = 0; k < columns; ++k)
        ASSERT_EQ(y.data()[row * x.stride + k],
                  x.row(row)[k] +
                      table[(positions[row] + offset) * columns + k]);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, RowKernelTest,
                         testing::Values(Isa::Avx512Vnni, Isa::Avx2),
                         [](const testing::TestParamInfo<Isa> &info) {
                           return stringify(info.param).str();
                         });

} // namespace
