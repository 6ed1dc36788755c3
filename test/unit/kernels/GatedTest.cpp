//===- GatedTest.cpp - Gated products as records ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The records are those of what the SiluMul kernel of the same key stores,
// which is compared with a reference of its own.
//
//===----------------------------------------------------------------------===//

#include "KernelTest.h"

using namespace llmopt;

namespace {

struct Shape {
  int64_t rows, columns; ///< of the weight
};

/// Groups and records that end early, and more threads than groups.
const Shape kShapes[] = {{32, 64}, {160, 70}, {512, 129}};

/// A packed weight with random codes.
Buffer packWeight(const PackedFormat &format, Shape shape) {
  auto [rows, columns] = shape;
  bool isSparse = format.layout == PackedLayout::Int8Bitmask;
  std::vector<int8_t> codes = randomCodes(rows * columns, 0.5, 1);
  if (format.layout == PackedLayout::Int4Groups)
    for (int8_t &code : codes)
      code = static_cast<int8_t>((code & 15) - 8);
  int64_t groups =
      format.hasGroups() ? (columns + format.group - 1) / format.group : 1;
  std::vector<float> scales = randomFloats(rows * groups, 2);
  Buffer packed(isSparse ? packedCodesBytes(PackedLayout::Int8Bitmask, codes,
                                            rows, columns)
                         : densePackedBytes(format, rows, columns));
  if (format.hasGroups())
    packGroups(format, {codes, scales, {}, {}}, rows, columns, packed.array());
  else if (isSparse)
    packCodes(PackedLayout::Int8Bitmask, codes, scales, rows, columns,
              packed.array());
  else
    packInt8(codes, scales, rows, columns, packed.array());
  return packed;
}

Buffer randomRecords(const QuantizedRow &format, int64_t rows) {
  Buffer records(rows * format.bytes());
  std::vector<float> values = randomFloats(rows * format.columns, 3);
  for (int64_t row = 0; row < rows; ++row)
    quantizeReference(&values[row * format.columns], format,
                      records.data<uint8_t>() + row * format.bytes());
  return records;
}

class GatedTest : public testing::TestWithParam<LinearKernelKey> {
protected:
  void SetUp() override {
    if (!machineRuns(GetParam().isa))
      GTEST_SKIP() << "the machine lacks " << stringify(GetParam().isa).str();
    const KernelLibrary *library = testLibrary(GetParam().isa);
    ASSERT_NE(library, nullptr);
    LinearKernelKey plain = GetParam();
    plain.epilogue = Epilogue::SiluMul;
    plain.outputGroup = 0;
    multiply = library->get<LinearFunction>(kernelName(plain));
    function = library->get<GatedFunction>(kernelName(GetParam()));
    ASSERT_NE(multiply, nullptr);
    ASSERT_NE(function, nullptr);
  }

  /// Compares the records of some rows, computed by 1 to 3 threads.
  void check(Shape shape, int64_t rows) {
    const LinearKernelKey &key = GetParam();
    QuantizedRow input{shape.columns, key.group};
    QuantizedRow output{shape.rows / 2, key.outputGroup};
    Buffer x = randomRecords(input, rows);
    Buffer weight = packWeight(key.format, shape);
    int64_t panels = panelCount(shape.rows);

    Buffer floats(rows * output.columns * 4);
    Buffer scratch(scratchBytes(key, shape.columns));
    multiply(x.data(), input.bytes(), weight.data(), floats.data(),
             output.columns, rows, panels, shape.columns, 0, 1, scratch.data());
    Buffer expected(rows * output.bytes());
    for (int64_t row = 0; row < rows; ++row)
      quantizeReference(floats.data() + row * output.columns, output,
                        expected.data<uint8_t>() + row * output.bytes());

    for (int64_t threads : {1, 2, 3}) {
      Buffer records(rows * output.bytes(), /*fill=*/0);
      Buffer between(rows * gatedFloats(output.columns, output.group) * 4);
      // The last thread first: none may touch what another wrote.
      for (int64_t thread = threads - 1; thread >= 0; --thread)
        function(x.data(), input.bytes(), weight.data(), records.data(),
                 output.bytes(), rows, panels, shape.columns, thread, threads,
                 scratch.data(), between.data());
      EXPECT_TRUE(records == expected)
          << shape.rows << "x" << shape.columns << ", " << rows << " rows, "
          << threads << " threads";
      EXPECT_TRUE(records.guardIntact());
      EXPECT_TRUE(between.guardIntact());
      EXPECT_TRUE(scratch.guardIntact());
    }
  }

  LinearFunction multiply = nullptr;
  GatedFunction function = nullptr;
};

TEST_P(GatedTest, MakesTheRecordsOfTheProducts) {
  for (Shape shape : kShapes)
    for (int64_t rows : {1, 2, 5, 6, 7, 20}) {
      if (GetParam().rows == RowRange::Decode && rows > 1)
        continue;
      if (GetParam().rows == RowRange::Small && rows > 6)
        continue;
      check(shape, rows);
    }
}

std::vector<LinearKernelKey> allGatedKernels() {
  std::vector<LinearKernelKey> keys = gatedKernels(Isa::Avx512Vnni);
  for (const LinearKernelKey &key : gatedKernels(Isa::Avx2))
    keys.push_back(key);
  return keys;
}

/// A key's own name: on AVX2 ranges share kernels.
std::string testName(const testing::TestParamInfo<LinearKernelKey> &info) {
  return kernelName(info.param) + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(Kernels, GatedTest,
                         testing::ValuesIn(allGatedKernels()), testName);

} // namespace
