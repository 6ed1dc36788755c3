//===- WeightWriterTest.cpp - Tests of weight packing -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/WeightWriter.h"
#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "runtime/include/llmopt/ModelABI.h"
#include "target/PackedFormat.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/ThreadPool.h"
#include <gtest/gtest.h>
#include <mutex>
#include <set>

using namespace llmopt;
using namespace mlir;

namespace {

using Bytes = std::vector<uint8_t>;

/// What packWeights gave to its sink, laid out by offset, and the table.
struct Packed {
  Bytes bytes;
  WeightTable table;
};

class WeightWriterTest : public ::testing::Test {
protected:
  WeightWriterTest() {
    context.loadDialect<LLMOptDialect, kernel::KernelDialect>();
    handler.emplace(
        &context, [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
  }

  void parse(StringRef text) {
    module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module) << message;
  }

  FailureOr<Packed> pack() {
    Packed packed;
    packed.bytes.resize(packedWeightsBytes(*module));
    FailureOr<WeightTable> table =
        packWeights(*module, [&](uint64_t offset, ArrayRef<uint8_t> bytes) {
          // Weights do not overlap, so no lock is needed.
          llvm::copy(bytes, packed.bytes.begin() + offset);
          return llvm::Error::success();
        });
    if (failed(table))
      return failure();
    packed.table = *table;
    return packed;
  }

  WeightStore &store() {
    return context.getLoadedDialect<LLMOptDialect>()->getWeightStore();
  }

  std::vector<int8_t> codes(int64_t seed, int64_t rows, int64_t columns) {
    auto type =
        RankedTensorType::get({rows, columns}, IntegerType::get(&context, 8));
    return *store().readCodes(RandomAttr::get(&context, seed), type, [&] {
      return emitError(UnknownLoc::get(&context));
    });
  }

  std::vector<float> floats(int64_t seed, ArrayRef<int64_t> shape) {
    auto type = RankedTensorType::get(shape, Float32Type::get(&context));
    return *store().readFloats(RandomAttr::get(&context, seed), type, [&] {
      return emitError(UnknownLoc::get(&context));
    });
  }

  MLIRContext context;
  std::string message;
  std::optional<ScopedDiagnosticHandler> handler;
  OwningOpRef<ModuleOp> module;
};

template <typename T>
std::vector<T> concat(std::vector<T> a, const std::vector<T> &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes slice(const Bytes &bytes, size_t offset, size_t count) {
  return Bytes(bytes.begin() + offset, bytes.begin() + offset + count);
}

/// A module with one weight of `format` at offset 64.
std::string oneWeight(const Twine &shape, const Twine &format, int64_t bytes,
                      const Twine &parts, const Twine &attributes = "") {
  return ("kernel.weight_data @w \"layers.0.w\" : !kernel.weight<" + shape +
          ", " + format + "> at 64 bytes " + Twine(bytes) + " parts [" + parts +
          "] " + attributes)
      .str();
}

TEST_F(WeightWriterTest, GroupsWithZeroPoints) {
  PackedFormat format(PackedLayout::Int4Groups, 32, ScaleType::F32,
                      /*zeroPoints=*/true);
  int64_t bytes = densePackedBytes(format, 2, 33);
  parse(oneWeight("2x33", "int4_groups(32) zero_points", bytes,
                  "{codes = dense<9> : tensor<1x33xi8>, scales = dense<[[1.0, "
                  "2.0]]> : tensor<1x2xf32>, zero_points = dense<[[3, 4]]> : "
                  "tensor<1x2xi8>, rows = 1 : i64}, "
                  "{codes = dense<7> : tensor<1x33xi8>, scales = dense<[[3.0, "
                  "4.0]]> : tensor<1x2xf32>, zero_points = dense<[[5, 6]]> : "
                  "tensor<1x2xi8>, rows = 1 : i64}"));
  FailureOr<Packed> packed = pack();
  ASSERT_TRUE(succeeded(packed)) << message;
  std::vector<int8_t> codes(66, 9);
  std::fill(codes.begin() + 33, codes.end(), 7);
  std::vector<float> scales = {1, 2, 3, 4};
  std::vector<uint8_t> points = {3, 4, 5, 6};
  Bytes expected(bytes);
  packGroups(format, {codes, scales, points, {}}, 2, 33, expected);
  EXPECT_EQ(slice(packed->bytes, 64, bytes), expected);
  EXPECT_EQ(packed->table[0].format, "int4/g32/f32/zero-points");
}

TEST_F(WeightWriterTest, CodesThatDoNotFit) {
  PackedFormat format(PackedLayout::Int4Groups, 32, ScaleType::F16);
  parse(oneWeight("1x32", "int4_groups(32) f16",
                  densePackedBytes(format, 1, 32),
                  "{codes = dense<8> : tensor<1x32xi8>, scales = dense<1.0> : "
                  "tensor<1x1xf32>, rows = 1 : i64}"));
  EXPECT_TRUE(failed(pack()));
  EXPECT_EQ(message, "weight 'layers.0.w' has the code 8, but its format holds "
                     "codes from -8 to 7");
}

TEST_F(WeightWriterTest, Int8) {
  int64_t bytes = densePackedBytes(PackedLayout::Int8, 40, 70);
  parse(oneWeight("40x70", "int8", bytes,
                  "{codes = #llmopt.random<1>, scales = #llmopt.random<2>, "
                  "rows = 40 : i64}",
                  "{zeros = 5 : i64}"));
  FailureOr<Packed> packed = pack();
  ASSERT_TRUE(succeeded(packed)) << message;
  Bytes expected(bytes);
  packInt8(codes(1, 40, 70), floats(2, 40), 40, 70, expected);
  EXPECT_EQ(slice(packed->bytes, 64, bytes), expected);

  ASSERT_EQ(packed->table.size(), 1u);
  const DescriptorContents::Weight &entry = packed->table[0];
  EXPECT_EQ(entry.name, "layers.0.w");
  EXPECT_EQ(entry.format, "int8/channel");
  EXPECT_EQ(entry.rows, 40u);
  EXPECT_EQ(entry.columns, 70u);
  EXPECT_EQ(entry.offset, 64u);
  EXPECT_EQ(entry.bytes, uint64_t(bytes));
  EXPECT_EQ(entry.zeros, 5u);
  EXPECT_EQ(entry.checksum, llmopt_checksum(expected.data(), bytes));
}

TEST_F(WeightWriterTest, PartsFollowEachOther) {
  int64_t bytes = densePackedBytes(PackedLayout::Int8, 48, 70);
  parse(oneWeight("48x70", "int8", bytes,
                  "{codes = #llmopt.random<1>, scales = #llmopt.random<2>, "
                  "rows = 32 : i64}, "
                  "{codes = #llmopt.random<3>, scales = #llmopt.random<4>, "
                  "rows = 16 : i64}"));
  FailureOr<Packed> packed = pack();
  ASSERT_TRUE(succeeded(packed)) << message;
  Bytes expected(bytes);
  packInt8(concat(codes(1, 32, 70), codes(3, 16, 70)),
           concat(floats(2, 32), floats(4, 16)), 48, 70, expected);
  EXPECT_EQ(slice(packed->bytes, 64, bytes), expected);
}

TEST_F(WeightWriterTest, Bitmask) {
  int64_t bytes =
      packedCodesBytes(PackedLayout::Int8Bitmask, codes(1, 40, 70), 40, 70);
  parse(oneWeight("40x70", "int8_bitmask", bytes,
                  "{codes = #llmopt.random<1>, scales = #llmopt.random<2>, "
                  "rows = 40 : i64}"));
  FailureOr<Packed> packed = pack();
  ASSERT_TRUE(succeeded(packed)) << message;
  Bytes expected(bytes);
  packCodes(PackedLayout::Int8Bitmask, codes(1, 40, 70), floats(2, 40), 40, 70,
            expected);
  EXPECT_EQ(slice(packed->bytes, 64, bytes), expected);
  EXPECT_EQ(packed->table[0].format, "int8/channel/bitmask");
}

TEST_F(WeightWriterTest, InterleavedPanelsAlternate) {
  // Row r of the packed weight is row 16 * (r / 32) + r % 16 of the gate for
  // even panels, of up for odd ones.
  std::vector<int8_t> gate = codes(1, 32, 70), up = codes(3, 32, 70), rows;
  std::vector<float> gateScales = floats(2, 32), upScales = floats(4, 32),
                     scales;
  for (int64_t r = 0; r < 64; ++r) {
    bool isGate = r / 16 % 2 == 0;
    int64_t source = r / 32 * 16 + r % 16;
    const std::vector<int8_t> &from = isGate ? gate : up;
    rows.insert(rows.end(), from.begin() + source * 70,
                from.begin() + (source + 1) * 70);
    scales.push_back((isGate ? gateScales : upScales)[source]);
  }
  for (bool bitmask : {false, true}) {
    int64_t bytes =
        bitmask ? packedCodesBytes(PackedLayout::Int8Bitmask, rows, 64, 70)
                : densePackedBytes(PackedLayout::Int8, 64, 70);
    parse(oneWeight("64x70", bitmask ? "int8_bitmask" : "int8", bytes,
                    "{codes = #llmopt.random<1>, scales = #llmopt.random<2>, "
                    "rows = 32 : i64}, "
                    "{codes = #llmopt.random<3>, scales = #llmopt.random<4>, "
                    "rows = 32 : i64}",
                    "{interleaved}"));
    FailureOr<Packed> packed = pack();
    ASSERT_TRUE(succeeded(packed)) << message;
    Bytes expected(bytes);
    packCodes(bitmask ? PackedLayout::Int8Bitmask : PackedLayout::Int8, rows,
              scales, 64, 70, expected);
    EXPECT_EQ(slice(packed->bytes, 64, bytes), expected);
  }
}

TEST_F(WeightWriterTest, FloatPanels) {
  int64_t bytes = densePackedBytes(PackedLayout::F32, 48, 9);
  parse(oneWeight("48x9", "f32", bytes,
                  "{codes = #llmopt.random<1>, rows = 32 : i64}, "
                  "{codes = #llmopt.random<2>, rows = 16 : i64}"));
  FailureOr<Packed> packed = pack();
  ASSERT_TRUE(succeeded(packed)) << message;
  Bytes expected(bytes);
  packF32(concat(floats(1, {32, 9}), floats(2, {16, 9})), 48, 9, expected);
  EXPECT_EQ(slice(packed->bytes, 64, bytes), expected);
  EXPECT_EQ(packed->table[0].format, "f32");
}

TEST_F(WeightWriterTest, RawIsRowMajor) {
  parse(oneWeight("1x3", "raw", 12,
                  "{codes = dense<[1.0, -2.0, 0.5]> : tensor<3xf32>, rows = 1 "
                  ": i64}"));
  FailureOr<Packed> packed = pack();
  ASSERT_TRUE(succeeded(packed)) << message;
  std::vector<float> values(3);
  memcpy(values.data(), packed->bytes.data() + 64, 12);
  EXPECT_EQ(values, std::vector<float>({1, -2, 0.5f}));
  EXPECT_EQ(packed->table[0].format, "f32/raw");
}

/// Twenty weights of different sizes and formats.
std::string manyWeights() {
  std::string text;
  int64_t offset = 0;
  for (int64_t i = 0; i < 20; ++i) {
    int64_t rows = 16 * (1 + i * 7 % 5);
    int64_t bytes = densePackedBytes(
        i % 2 ? PackedLayout::Int8 : PackedLayout::F32, rows, 64);
    text += llvm::formatv(
        "kernel.weight_data @w{0} \"w{0}\" : "
        "!kernel.weight<{1}x64, {2}> at {3} bytes {4} parts "
        "[{{codes = #llmopt.random<{0}>, {5} rows = {1} : i64}]\n",
        i, rows, i % 2 ? "int8" : "f32", offset, bytes,
        i % 2 ? "scales = #llmopt.random<99>," : "");
    offset += bytes;
  }
  return text;
}

TEST_F(WeightWriterTest, ThreadsDoNotChangeTheResult) {
  parse(manyWeights());
  context.disableMultithreading();
  FailureOr<Packed> expected = pack();
  ASSERT_TRUE(succeeded(expected)) << message;
  for (unsigned threads : {1, 2, 5}) {
    llvm::StdThreadPool pool(llvm::hardware_concurrency(threads));
    context.setThreadPool(pool);
    FailureOr<Packed> packed = pack();
    context.disableMultithreading();
    ASSERT_TRUE(succeeded(packed)) << message;
    EXPECT_EQ(packed->bytes, expected->bytes);
    for (auto [a, b] : llvm::zip_equal(packed->table, expected->table)) {
      EXPECT_EQ(a.name, b.name);
      EXPECT_EQ(a.checksum, b.checksum);
    }
  }
}

TEST_F(WeightWriterTest, ProgressNamesEveryWeight) {
  parse(manyWeights());
  std::mutex mutex;
  std::set<std::string> done;
  FailureOr<WeightTable> table = packWeights(
      *module,
      [](uint64_t, ArrayRef<uint8_t>) { return llvm::Error::success(); },
      [&](StringRef name) {
        std::lock_guard<std::mutex> lock(mutex);
        done.insert(name.str());
      });
  ASSERT_TRUE(succeeded(table)) << message;
  EXPECT_EQ(done.size(), 20u);
  EXPECT_TRUE(done.count("w19"));
}

TEST_F(WeightWriterTest, ErrorsOfTheSinkAreReported) {
  parse(oneWeight("1x1", "raw", 4,
                  "{codes = dense<1.0> : tensor<1xf32>, rows = 1 : i64}"));
  auto sink = [](uint64_t, ArrayRef<uint8_t>) {
    return llvm::errorCodeToError(
        std::make_error_code(std::errc::no_space_on_device));
  };
  EXPECT_TRUE(failed(packWeights(*module, sink)));
  EXPECT_EQ(message,
            "cannot write weight 'layers.0.w': No space left on device");
}

TEST_F(WeightWriterTest, OtherSizesThanPlannedAreRefused) {
  parse(oneWeight("1x1", "raw", 8,
                  "{codes = dense<1.0> : tensor<1xf32>, rows = 1 : i64}"));
  EXPECT_TRUE(failed(pack()));
  EXPECT_EQ(message, "weight 'layers.0.w' packs to 4 bytes, but 8 are planned");
}

TEST_F(WeightWriterTest, MissingSourcesAreRefused) {
  parse(oneWeight("16x1", "int8", 576, "{rows = 16 : i64}"));
  EXPECT_TRUE(failed(pack()));
  EXPECT_EQ(message,
            "weight 'layers.0.w' cannot be packed: a part has no 'codes'");
  parse(oneWeight("16x1", "int8", 576,
                  "{codes = #llmopt.random<1>, rows = 16 : i64}"));
  EXPECT_TRUE(failed(pack()));
  EXPECT_EQ(message,
            "weight 'layers.0.w' cannot be packed: a part has no 'scales'");
}

TEST_F(WeightWriterTest, UnreadableSourcesAreSystemErrors) {
  EXPECT_FALSE(store().hasSystemError());
  parse(oneWeight("1x1", "raw", 4,
                  "{codes = #llmopt.blob<\"no-such-file\", 0, 4>, rows = 1 : "
                  "i64}"));
  EXPECT_TRUE(failed(pack()));
  EXPECT_EQ(message, "cannot read weights from 'no-such-file': No such file or "
                     "directory");
  EXPECT_TRUE(store().hasSystemError());
}

} // namespace
