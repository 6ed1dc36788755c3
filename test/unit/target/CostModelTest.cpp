//===- CostModelTest.cpp - Tests of the cost model --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "target/CostModel.h"
#include <gtest/gtest.h>

using namespace llmopt;

namespace {

CpuTarget cpu(llvm::StringRef name) {
  std::string error;
  auto target = resolveCpu(name, error);
  EXPECT_TRUE(target) << error;
  return *target;
}

TEST(CostModel, EstimateMatchesThePacker) {
  std::vector<int8_t> codes(64 * 1024, 0);
  for (size_t i = 0; i < codes.size(); i += 2)
    codes[i] = 3;
  int64_t exact = bitmaskPackedBytes(codes, 64, 1024);
  int64_t estimate = estimatedBytes(PackedLayout::Int8Bitmask, 64, 1024, 0.5);
  EXPECT_NEAR(static_cast<double>(estimate), exact, 0.01 * exact);
}

TEST(CostModel, MemoryBoundsDenseAndCyclesBoundVerySparse) {
  const MachineModel &machine = machineModel("znver4");
  int64_t dense = estimatedBytes(PackedLayout::Int8, 4096, 4096, 0);
  EXPECT_DOUBLE_EQ(linearSeconds(PackedLayout::Int8, 4096, 4096, dense,
                                 Isa::Avx512Vnni, machine),
                   dense / machine.bytesPerSecond);
  int64_t sparse = estimatedBytes(PackedLayout::Int8Bitmask, 4096, 4096, 0.9);
  EXPECT_GT(linearSeconds(PackedLayout::Int8Bitmask, 4096, 4096, sparse,
                          Isa::Avx512Vnni, machine),
            sparse / machine.bytesPerSecond);
}

TEST(CostModel, ChoosesTheBitmaskOnlyWhereItPays) {
  CpuTarget zen4 = cpu("znver4"), v3 = cpu("x86-64-v3");
  EXPECT_EQ(chooseInt8Layout(1536, 576, 0.6, zen4).layout,
            PackedLayout::Int8Bitmask);
  EXPECT_EQ(chooseInt8Layout(1536, 576, 0.05, zen4).layout, PackedLayout::Int8);
  // AVX2 has no expand: a library for both keeps the dense layout.
  LayoutChoice both = chooseInt8Layout(1536, 576, 0.6, {zen4, v3});
  EXPECT_EQ(both.layout, PackedLayout::Int8);
  EXPECT_NE(both.reason.find("60.0% zeros"), std::string::npos) << both.reason;
}

} // namespace
