//===- WeightStoreTest.cpp - Tests of the weight store ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace llmopt;
using namespace mlir;

namespace {

class WeightStoreTest : public ::testing::Test {
protected:
  WeightStoreTest() : builder(&context) {
    context.loadDialect<LLMOptDialect>();
    handler.emplace(
        &context, [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
  }

  WeightStore &store() {
    return context.getLoadedDialect<LLMOptDialect>()->getWeightStore();
  }

  RankedTensorType floats(ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, builder.getF32Type());
  }

  InFlightDiagnostic report() { return emitError(UnknownLoc::get(&context)); }

  FailureOr<std::vector<float>> read(Attribute source, RankedTensorType type) {
    return store().readFloats(source, type, [&] { return report(); });
  }

  MLIRContext context;
  Builder builder;
  std::string message;
  std::optional<ScopedDiagnosticHandler> handler;
};

TEST_F(WeightStoreTest, SpilledBytesComeBack) {
  std::vector<float> first = {1, 2, 3}, second = {4, 5};
  auto write = [&](ArrayRef<float> values) {
    return *spillValues<float>(store(), &context, values,
                               [&] { return report(); });
  };
  WeightBlobAttr a = write(first), b = write(second);
  EXPECT_EQ(a.getOffset(), 0);
  EXPECT_EQ(b.getOffset(), 64);
  EXPECT_EQ(*read(a, floats(3)), first);
  EXPECT_EQ(*read(b, floats(2)), second);
  FailureOr<ArrayRef<char>> bytes = store().read(b, [&] { return report(); });
  EXPECT_EQ(*bytes, asBytes(ArrayRef<float>(second)));
}

TEST_F(WeightStoreTest, ReservedPlacesKeepTheOrderOfTheProgram) {
  Attribute random = RandomAttr::get(&context, 1);
  WeightBlobAttr a = store().reserveFor(random, floats({2, 1}));
  WeightBlobAttr b = store().reserveFor(random, floats({2}));
  EXPECT_EQ(a.getOffset(), 0);
  EXPECT_EQ(b.getOffset(), 64);
  std::vector<float> values = {1, 2}, others = {3, 4};
  auto put = [&](WeightBlobAttr place, RankedTensorType type,
                 ArrayRef<float> data) {
    return *store().store(place, type, asBytes(data), [&] { return report(); });
  };
  EXPECT_EQ(put(b, floats(2), others), b);
  EXPECT_EQ(put(a, floats({2, 1}), values), a);
  EXPECT_EQ(*read(a, floats({2, 1})), values);
  EXPECT_EQ(*read(b, floats(2)), others);
}

TEST_F(WeightStoreTest, LiteralsAreReplacedByLiterals) {
  Attribute literal = DenseElementsAttr::get(floats(2), ArrayRef<float>{1, 2});
  WeightBlobAttr place = store().reserveFor(literal, floats(2));
  EXPECT_FALSE(place);
  std::vector<float> values = {3, 4};
  FailureOr<Attribute> stored =
      store().store(place, floats(2), asBytes(ArrayRef<float>(values)),
                    [&] { return report(); });
  EXPECT_EQ(*stored,
            DenseElementsAttr::get(floats(2), ArrayRef<float>(values)));
}

TEST_F(WeightStoreTest, UnwrittenReservationIsAnError) {
  WeightBlobAttr place = store().reserve(&context, 8);
  EXPECT_TRUE(failed(read(place, floats(2))));
  EXPECT_EQ(message,
            "weight refers to 8 spilled bytes at 0, but none were written");
}

TEST_F(WeightStoreTest, ReadsFilesBesideTheModelAndTransposes) {
  SmallString<128> folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("llmopt-test", folder));
  SmallString<128> path(folder);
  llvm::sys::path::append(path, "data.bin");
  std::vector<float> stored = {0, 1, 2, 3, 4, 5, 6};
  {
    std::error_code error;
    llvm::raw_fd_ostream out(path, error);
    ASSERT_FALSE(error);
    ArrayRef<char> bytes = asBytes(ArrayRef<float>(stored));
    out.write(bytes.data(), bytes.size());
  }
  store().setModelPath((folder + "/model.onnx").str());
  auto blob = [&](int64_t offset, int64_t bytes, bool transposed) {
    return WeightBlobAttr::get(&context, "data.bin", offset, bytes, transposed);
  };
  EXPECT_EQ(*read(blob(4, 24, false), floats({3, 2})),
            std::vector<float>({1, 2, 3, 4, 5, 6}));
  // The file holds [K = 2, N = 3].
  EXPECT_EQ(*read(blob(4, 24, true), floats({3, 2})),
            std::vector<float>({1, 4, 2, 5, 3, 6}));
  // The upper halves of floats are bfloat16 numbers, the lower ones zeros.
  auto halves = WeightBlobAttr::get(&context, "data.bin", 4, 8, true,
                                    builder.getBF16Type());
  EXPECT_EQ(*read(halves, floats({2, 2})), std::vector<float>({0, 0, 1, 2}));
  EXPECT_TRUE(failed(read(halves, floats({3, 2}))));
  EXPECT_EQ(message, "weight of type 'tensor<3x2xf32>' needs 12 bytes, but its "
                     "blob has 8");
  EXPECT_TRUE(failed(read(blob(8, 24, false), floats({3, 2}))));
  EXPECT_EQ(message, "weight needs bytes 8 to 32 of 'data.bin', which has 28");
  EXPECT_TRUE(failed(read(blob(0, 20, false), floats({3, 2}))));
  EXPECT_EQ(message, "weight of type 'tensor<3x2xf32>' needs 24 bytes, but its "
                     "blob has 20");
  llvm::sys::fs::remove_directories(folder);
}

TEST_F(WeightStoreTest, RandomCodesAreEqualEverywhere) {
  auto type = RankedTensorType::get({64, 64}, builder.getI8Type());
  auto draw = [&] {
    return *store().readCodes(RandomAttr::get(&context, 9), type,
                              [&] { return report(); });
  };
  std::vector<int8_t> codes = draw();
  EXPECT_EQ(codes, draw());
  double squares = 0;
  for (int8_t code : codes) {
    EXPECT_GE(code, -127);
    squares += code * code;
  }
  EXPECT_NEAR(std::sqrt(squares / codes.size()), 32, 2);
}

} // namespace
