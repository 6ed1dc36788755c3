//===- LinearTest.cpp - Linear kernels against a scalar reference ---------===//
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

struct Shape {
  int64_t rows, columns; ///< of the weight
};

/// Even numbers of panels, for all epilogues; tails in N and K.
const Shape kShapes[] = {{32, 64}, {96, 192}, {60, 70}, {224, 33}, {25, 129}};

/// Rows 1..13 and 64, as far as the kernel takes them.
std::vector<int64_t> rowCounts(RowRange range) {
  if (range == RowRange::Decode)
    return {1};
  std::vector<int64_t> counts;
  for (int64_t rows = 1; rows <= (range == RowRange::Small ? 6 : 13); ++rows)
    counts.push_back(rows);
  if (range == RowRange::Prefill)
    counts.push_back(64);
  return counts;
}

/// Clears codes that are the third or the fourth of their four columns.
void keepTwoOfFour(std::vector<int8_t> &codes, int64_t columns) {
  for (size_t i = 0; i < codes.size(); ++i) {
    size_t first = i - i % columns % 4;
    if (std::count(codes.begin() + first, codes.begin() + i, 0) + 2 <=
        int64_t(i - first))
      codes[i] = 0;
  }
}

/// A weight with its packed bytes and its exact values.
struct Weight {
  Weight(const LinearKernelKey &key, Shape shape, bool unitScales)
      : shape(shape), format(key.format),
        floats(randomFloats(shape.rows * shape.columns, 1)), codes(drawCodes()),
        scales(randomFloats(shape.rows * groups(), 3)) {
    for (float &scale : scales) {
      scale = unitScales ? 1.0f : 0.01f + std::fabs(scale);
      if (format.scales == ScaleType::F16)
        scale = fromHalf(toHalf(scale));
    }
    for (int64_t i = 0; format.zeroPoints && i < shape.rows * groups(); ++i)
      zeroPoints.push_back(static_cast<uint8_t>(i * 7 % 16));
    // Multiples of the unit, so that integer products see the same values.
    for (int value :
         {127, 100, 90, -127, -3, 0, 1, 2, 10, 55, -64, -80, 31, -15, 7, -1})
      if (format.table)
        table.push_back(unitScales ? float(value) : float(value) / 127);
    pack();
  }

  /// Packs the codes and decodes them to `floats`.
  void pack() {
    auto [rows, columns] = shape;
    packed = Buffer(packedBytes());
    switch (format.layout) {
    case PackedLayout::F32:
      return packF32(floats, rows, columns, packed.array());
    case PackedLayout::BF16:
      packBF16(floats, rows, columns, packed.array());
      for (float &value : floats)
        value = fromBF16(toBF16(value));
      return;
    case PackedLayout::Int8:
    case PackedLayout::Int8Bitmask:
    case PackedLayout::Int8TwoOfFour:
    case PackedLayout::Int8Gather:
      packCodes(format.layout, codes, scales, rows, columns, packed.array());
      break;
    case PackedLayout::Int8Groups:
    case PackedLayout::Int4Groups:
      packGroups(format, {codes, scales, zeroPoints, table}, rows, columns,
                 packed.array());
      break;
    }
    for (int64_t i = 0; i < rows * columns; ++i) {
      int64_t scale = i / columns * groups();
      if (format.hasGroups())
        scale += i % columns / format.group;
      float value = format.table ? table[codes[i]] : codes[i];
      if (format.zeroPoints)
        value -= zeroPoints[scale];
      floats[i] = value * scales[scale];
    }
  }

  int64_t packedBytes() const {
    auto [rows, columns] = shape;
    return hasPanelTable(format.layout)
               ? packedCodesBytes(format.layout, codes, rows, columns)
               : densePackedBytes(format, rows, columns);
  }
  /// Scales of a row.
  int64_t groups() const {
    if (!format.hasGroups())
      return 1;
    return (shape.columns + format.group - 1) / format.group;
  }
  /// The code of the largest magnitude.
  int8_t extremeCode(int sign) const {
    if (format.table)
      return sign < 0 ? 3 : 0;
    if (format.zeroPoints)
      return sign < 0 ? 0 : 15;
    if (format.layout == PackedLayout::Int4Groups)
      return sign < 0 ? -8 : 7;
    return static_cast<int8_t>(127 * sign);
  }

  Shape shape;
  PackedFormat format;
  std::vector<float> floats; ///< dequantized
  std::vector<int8_t> codes;
  std::vector<float> scales;
  std::vector<uint8_t> zeroPoints;
  std::vector<float> table;
  Buffer packed{0};

private:
  std::vector<int8_t> drawCodes() const {
    std::vector<int8_t> codes = randomCodes(
        shape.rows * shape.columns, isSparse(format.layout) ? 0.6 : 0.01, 2);
    if (format.layout == PackedLayout::Int8TwoOfFour)
      keepTwoOfFour(codes, shape.columns);
    if (format.layout == PackedLayout::Int4Groups)
      for (int8_t &code : codes)
        code = static_cast<int8_t>((code & 15) -
                                   (format.zeroPoints || format.table ? 0 : 8));
    return codes;
  }
};

/// Activations: float rows with an odd stride, or records.
struct Activations {
  Activations(const LinearKernelKey &key, int64_t rows, int64_t columns,
              bool unitScales)
      : format{columns, key.group ? key.group : 32},
        stride(key.group ? format.bytes() : (columns + 3) * 4), rows(rows),
        columns(columns), quantized(key.group != 0),
        bytes(stride * (rows - 1) + (quantized ? stride : columns * 4)) {
    std::vector<float> values = randomFloats(rows * columns, 4);
    for (int64_t row = 0; row < rows; ++row) {
      const float *x = &values[row * columns];
      uint8_t *record = bytes.data<uint8_t>() + row * stride;
      if (!quantized) {
        std::memcpy(record, x, columns * 4);
        continue;
      }
      quantizeReference(x, format, record);
      for (int64_t group = 0; unitScales && group < format.groups(); ++group) {
        float one = 1;
        std::memcpy(record + format.scalesOffset() + 4 * group, &one, 4);
      }
    }
  }

  double at(int64_t row, int64_t column) const {
    const uint8_t *record = bytes.data<uint8_t>() + row * stride;
    float value;
    if (!quantized) {
      std::memcpy(&value, record + 4 * column, 4);
      return value;
    }
    std::memcpy(&value,
                record + format.scalesOffset() + column / format.group * 4, 4);
    return static_cast<double>(value) * static_cast<int8_t>(record[column]);
  }

  QuantizedRow format;
  int64_t stride, rows, columns;
  bool quantized;
  Buffer bytes;
};

/// A product in double precision and the sum of its terms' magnitudes.
struct Reference {
  double value, magnitude;
};

Reference product(const Weight &weight, const Activations &x, int64_t row,
                  int64_t column) {
  Reference result{0, 0};
  if (column >= weight.shape.rows)
    return result;
  for (int64_t k = 0; k < x.columns; ++k) {
    double term = x.at(row, k) * weight.floats[column * x.columns + k];
    result.value += term;
    result.magnitude += std::fabs(term);
  }
  return result;
}

/// Index of the weight's row behind column `column` of the gate or up half.
int64_t pairedRow(int64_t column, int64_t half) {
  return (column / 16 * 2 + half) * 16 + column % 16;
}

class LinearTest : public testing::TestWithParam<LinearKernelKey> {
protected:
  void SetUp() override {
    if (!machineRuns(GetParam().isa))
      GTEST_SKIP() << "the machine lacks " << stringify(GetParam().isa).str();
    library = testLibrary(GetParam().isa);
    ASSERT_NE(library, nullptr);
    function = library->get<LinearFunction>(kernelName(GetParam()));
    ASSERT_NE(function, nullptr);
  }

  int64_t outputColumns(Shape shape) const {
    int64_t columns = panelCount(shape.rows) * 16;
    return isGated(GetParam().epilogue) ? columns / 2 : columns;
  }

  Buffer initialOutput(int64_t rows, Shape shape) const {
    Buffer y(rows * outputColumns(shape) * 4);
    for (int64_t i = 0; i < rows * outputColumns(shape); ++i)
      y.data()[i] = 0.25f * (i % 31);
    return y;
  }

  Buffer run(const Weight &weight, const Activations &x, int64_t threads) {
    Buffer y = initialOutput(x.rows, weight.shape);
    for (int64_t thread = 0; thread < threads; ++thread) {
      Buffer scratch(scratchBytes(GetParam(), x.columns));
      function(x.bytes.data(), x.stride, weight.packed.data(), y.data(),
               outputColumns(weight.shape), x.rows,
               panelCount(weight.shape.rows), x.columns, thread, threads,
               scratch.data());
      EXPECT_TRUE(scratch.guardIntact());
    }
    EXPECT_TRUE(y.guardIntact());
    return y;
  }

  Reference expected(const Weight &weight, const Activations &x, int64_t row,
                     int64_t column, float before) const {
    Epilogue epilogue = GetParam().epilogue;
    if (!isGated(epilogue)) {
      Reference result = product(weight, x, row, column);
      if (epilogue == Epilogue::Add) {
        result.value += before;
        result.magnitude += std::fabs(before);
      }
      return result;
    }
    Reference gate = product(weight, x, row, pairedRow(column, 0));
    Reference up = product(weight, x, row, pairedRow(column, 1));
    double active = activate(epilogue, gate.value);
    // The derivatives of the functions are at most 1.13.
    return {active * up.value, std::fabs(active) * up.magnitude +
                                   1.13 * gate.magnitude * std::fabs(up.value)};
  }

  static double activate(Epilogue epilogue, double x) {
    if (epilogue == Epilogue::GeluMul)
      return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
    if (epilogue == Epilogue::GeluTanhMul)
      return x / 2 *
             (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    return x / (1 + std::exp(-x));
  }

  void check(const Weight &weight, const Activations &x, const Buffer &y) {
    Buffer before = initialOutput(x.rows, weight.shape);
    int64_t columns = outputColumns(weight.shape);
    // Rounding errors of a sum of n terms grow at most with n.
    double tolerance = 6e-8 * (x.columns + 16);
    for (int64_t row = 0; row < x.rows; ++row)
      for (int64_t column = 0; column < columns; ++column) {
        int64_t i = row * columns + column;
        Reference reference =
            expected(weight, x, row, column, before.data()[i]);
        ASSERT_NEAR(y.data()[i], reference.value,
                    tolerance * reference.magnitude + 1e-30)
            << "row " << row << " of " << x.rows << ", column " << column
            << " of " << weight.shape.rows << "x" << weight.shape.columns;
      }
  }

  const KernelLibrary *library = nullptr;
  LinearFunction function = nullptr;
};

/// Kernels whose outputs end where the rows do, not at a multiple of 16.
class StoreLinearTest : public LinearTest {};
/// Kernels whose integer products can be seen in what they store.
class IntegerLinearTest : public LinearTest {};

bool stores(const LinearKernelKey &key) {
  return key.epilogue == Epilogue::Store;
}

bool storesIntegers(const LinearKernelKey &key) {
  return stores(key) && key.group != 0;
}

TEST_P(LinearTest, MatchesReference) {
  for (Shape shape : kShapes) {
    Weight weight(GetParam(), shape, /*unitScales=*/false);
    for (int64_t rows : rowCounts(GetParam().rows)) {
      Activations x(GetParam(), rows, shape.columns, /*unitScales=*/false);
      Buffer y = run(weight, x, 1);
      check(weight, x, y);
      for (int64_t threads : {2, 3})
        EXPECT_TRUE(y == run(weight, x, threads)) << threads << " threads";
    }
  }
}

TEST_P(StoreLinearTest, RowsMayEndWithinTheLastPanel) {
  for (Shape shape : kShapes) {
    Weight weight(GetParam(), shape, /*unitScales=*/false);
    for (int64_t rows : rowCounts(GetParam().rows)) {
      Activations x(GetParam(), rows, shape.columns, /*unitScales=*/false);
      Buffer padded = run(weight, x, 1);
      Buffer scratch(scratchBytes(GetParam(), x.columns));
      Buffer y(rows * shape.rows * 4);
      // Panels in descending order: a later one must not touch the next row.
      for (int64_t thread = 2; thread >= 0; --thread)
        function(x.bytes.data(), x.stride, weight.packed.data(), y.data(),
                 shape.rows, rows, panelCount(shape.rows), x.columns, thread, 3,
                 scratch.data());
      for (int64_t row = 0; row < rows; ++row)
        EXPECT_EQ(std::memcmp(y.data() + row * shape.rows,
                              padded.data() + row * outputColumns(shape),
                              shape.rows * 4),
                  0);
    }
  }
}

TEST_P(IntegerLinearTest, IntegerPartIsExact) {
  const LinearKernelKey &key = GetParam();
  // With scales of 1 the result is an integer below 2^24.
  for (Shape shape : kShapes) {
    Weight weight(key, shape, /*unitScales=*/true);
    for (int64_t rows : rowCounts(key.rows)) {
      Activations x(key, rows, shape.columns, /*unitScales=*/true);
      Buffer y = run(weight, x, 1);
      int64_t columns = outputColumns(shape);
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < columns; ++column)
          ASSERT_EQ(y.data()[row * columns + column],
                    product(weight, x, row, column).value);
    }
  }
}

TEST_P(IntegerLinearTest, ExtremeCodes) {
  const LinearKernelKey &key = GetParam();
  // Products of the largest magnitudes saturate nowhere.
  Shape shape{32, 64};
  for (int sign : {-1, 1}) {
    Weight weight(key, shape, /*unitScales=*/true);
    std::fill(weight.codes.begin(), weight.codes.end(),
              weight.extremeCode(sign));
    if (key.format.layout == PackedLayout::Int8TwoOfFour)
      keepTwoOfFour(weight.codes, shape.columns);
    weight.pack();
    Activations x(key, 1, shape.columns, /*unitScales=*/true);
    std::vector<float> ones(shape.columns, 127.0f);
    quantizeReference(ones.data(), x.format, x.bytes.data<uint8_t>());
    Buffer y = run(weight, x, 1);
    for (int64_t column = 0; column < 32; ++column)
      EXPECT_EQ(y.data()[column], product(weight, x, 0, column).value);
  }
}

/// The function for any number of rows gives what the kernel of the range
/// gives.
TEST(LinearDispatch, CallsTheKernelOfTheRange) {
  LinearKernelKey key{PackedLayout::Int8Bitmask, 64, RowRange::Prefill,
                      Epilogue::Store, Isa::Avx512Vnni};
  if (!machineRuns(key.isa))
    GTEST_SKIP() << "the machine lacks " << stringify(key.isa).str();
  auto library =
      KernelLibrary::build(testTarget(key.isa), [&](mlir::ModuleOp module) {
        mlir::func::FuncOp any = getOrCreateLinear(module, key);
        EXPECT_EQ(any, getOrCreateLinear(module, key));
        any.setName("any");
        exportFunction(any);
        for (RowRange rows :
             {RowRange::Decode, RowRange::Small, RowRange::Prefill}) {
          key.rows = rows;
          exportFunction(getOrCreateKernel(module, key));
        }
      });
  ASSERT_NE(library, nullptr);
  Shape shape{96, 192};
  Weight weight(key, shape, /*unitScales=*/false);
  for (int64_t rows : {1, 2, 6, 7, 20}) {
    Activations x(key, rows, shape.columns, /*unitScales=*/false);
    key.rows = rows == 1  ? RowRange::Decode
               : rows < 7 ? RowRange::Small
                          : RowRange::Prefill;
    Buffer results[2] = {Buffer(rows * 96 * 4), Buffer(rows * 96 * 4)};
    for (bool direct : {false, true}) {
      Buffer scratch(linearScratchBytes(key, shape.columns));
      auto function = library->get<LinearFunction>(direct ? kernelName(key)
                                                          : std::string("any"));
      ASSERT_NE(function, nullptr);
      function(x.bytes.data(), x.stride, weight.packed.data(),
               results[direct].data(), 96, rows, 6, shape.columns, 0, 1,
               scratch.data());
      EXPECT_TRUE(scratch.guardIntact());
    }
    EXPECT_TRUE(results[0] == results[1]) << rows << " rows";
  }
}

/// AVX2 has one kernel for all ranges of bitmasks: no function in between.
TEST(LinearDispatch, IsTheKernelItselfWhereThereIsOnlyOne) {
  LinearKernelKey key{PackedLayout::Int8Bitmask, 64, RowRange::Decode,
                      Epilogue::Store, Isa::Avx2};
  KernelLibrary::build(testTarget(key.isa), [&](mlir::ModuleOp module) {
    EXPECT_EQ(getOrCreateLinear(module, key), getOrCreateKernel(module, key));
  });
}

std::vector<LinearKernelKey> allLinearKernels() {
  std::vector<LinearKernelKey> keys = linearKernels(Isa::Avx512Vnni);
  for (const LinearKernelKey &key : linearKernels(Isa::Avx2))
    keys.push_back(key);
  return keys;
}

std::vector<LinearKernelKey>
wantedKernels(bool (*wanted)(const LinearKernelKey &)) {
  std::vector<LinearKernelKey> keys;
  for (const LinearKernelKey &key : allLinearKernels())
    if (wanted(key))
      keys.push_back(key);
  return keys;
}

/// A key's own name: on AVX2 ranges share kernels.
std::string testName(const testing::TestParamInfo<LinearKernelKey> &info) {
  return kernelName(info.param) + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(Kernels, LinearTest,
                         testing::ValuesIn(allLinearKernels()), testName);
INSTANTIATE_TEST_SUITE_P(Kernels, StoreLinearTest,
                         testing::ValuesIn(wantedKernels(stores)), testName);
INSTANTIATE_TEST_SUITE_P(Kernels, IntegerLinearTest,
                         testing::ValuesIn(wantedKernels(storesIntegers)),
                         testName);

} // namespace
