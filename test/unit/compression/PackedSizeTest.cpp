//===- PackedSizeTest.cpp - Tests of packed sizes ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/PackedSize.h"
#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>

using namespace llmopt;
using namespace mlir;

namespace {

class PackedSizeTest : public ::testing::Test {
protected:
  PackedSizeTest() : context(DialectRegistry()) {
    context.loadDialect<LLMOptDialect>();
  }

  /// The result of the last operation of `text`.
  Value parse(StringRef text) {
    module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module);
    return module->getBody()->back().getResult(0);
  }

  std::vector<int8_t> codes(int64_t seed, int64_t rows, int64_t columns) {
    auto type =
        RankedTensorType::get({rows, columns}, Builder(&context).getI8Type());
    WeightStore &store =
        context.getLoadedDialect<LLMOptDialect>()->getWeightStore();
    return *store.readCodes(RandomAttr::get(&context, seed), type, [&] {
      return emitError(UnknownLoc::get(&context));
    });
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(PackedSizeTest, Dense) {
  Value weight = parse(R"(
    %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 3 : i64} : !llmopt.packed<40x70, #llmopt.format<int8, dense>>
  )");
  EXPECT_EQ(*packedBytes(weight), densePackedBytes(PackedLayout::Int8, 40, 70));
  EXPECT_EQ(countZeros(weight), 3);
  weight = parse(R"(
    %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) {zeros = 0 : i64} : !llmopt.packed<40x70, #llmopt.format<f32, dense>>
  )");
  EXPECT_EQ(*packedBytes(weight), densePackedBytes(PackedLayout::F32, 40, 70));
}

TEST_F(PackedSizeTest, Plain) {
  EXPECT_EQ(*packedBytes(parse(R"(
    %0 = llmopt.weight "gamma"(#llmopt.random<1>) : tensor<70xf32>
  )")),
            280);
}

TEST_F(PackedSizeTest, BitmaskReadsTheCodes) {
  Value weight = parse(R"(
    %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 3 : i64} : !llmopt.packed<40x70, #llmopt.format<int8, bitmask>>
  )");
  EXPECT_EQ(*packedBytes(weight), packedCodesBytes(PackedLayout::Int8Bitmask,
                                                   codes(1, 40, 70), 40, 70));
}

TEST_F(PackedSizeTest, ConcatenationsCountAllParts) {
  std::vector<int8_t> all = codes(1, 32, 70), second = codes(3, 32, 70);
  all.insert(all.end(), second.begin(), second.end());
  for (StringRef mode : {"", "interleaved "}) {
    Value weight = parse(
        (R"(
    %0 = llmopt.encoded_weight "a" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 3 : i64} : !llmopt.packed<32x70, #llmopt.format<int8, bitmask>>
    %1 = llmopt.encoded_weight "b" codes(#llmopt.random<3>) scales(#llmopt.random<2>) {zeros = 4 : i64} : !llmopt.packed<32x70, #llmopt.format<int8, bitmask>>
    %2 = llmopt.concat_weights )" +
         mode +
         R"(%0, %1 : (!llmopt.packed<32x70, #llmopt.format<int8, bitmask>>, !llmopt.packed<32x70, #llmopt.format<int8, bitmask>>) -> !llmopt.packed<64x70, #llmopt.format<int8, bitmask>>
  )")
            .str());
    EXPECT_EQ(*packedBytes(weight),
              packedCodesBytes(PackedLayout::Int8Bitmask, all, 64, 70));
    EXPECT_EQ(countZeros(weight), 7);
  }
}

TEST_F(PackedSizeTest, UndecidedLayoutIsAnError) {
  Value weight = parse(R"(
    %0 = llmopt.encoded_weight "w" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 3 : i64} : !llmopt.packed<40x70, #llmopt.format<int8>>
  )");
  std::string message;
  ScopedDiagnosticHandler handler(
      &context, [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
  EXPECT_TRUE(failed(packedBytes(weight)));
  EXPECT_EQ(message, "weight has no layout yet; run llmopt-encode first");
}

TEST(QuantizedRow, TheKernelDialectComputesTheSameRecordSize) {
  for (int64_t columns : {1, 31, 32, 33, 576, 1536, 1537})
    for (int64_t group : {32, 64, 192, 576})
      EXPECT_EQ(kernel::quantizedRowBytes(columns, group),
                (QuantizedRow{columns, group}.bytes()))
          << columns << " " << group;
}

} // namespace
