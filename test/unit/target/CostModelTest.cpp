//===- CostModelTest.cpp - Tests of the cost model --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "target/CostModel.h"
#include "target/LayoutOverride.h"
#include <gtest/gtest.h>

using namespace llmopt;

namespace {

CpuTarget cpu(llvm::StringRef name) {
  std::string error;
  auto target = resolveCpu(name, error);
  EXPECT_TRUE(target) << error;
  return *target;
}

LayoutChoice choose(std::initializer_list<LayoutCandidate> candidates,
                    int64_t modelBytes, llvm::ArrayRef<CpuTarget> targets) {
  return chooseLayout(candidates, 1536, 576, modelBytes, targets);
}

LayoutCandidate estimate(PackedLayout layout, double zeros) {
  return {layout, estimatedBytes(layout, 1536, 576, zeros)};
}

constexpr int64_t kLarge = 1 << 30, kSmall = 16 << 20;

TEST(CostModel, EstimateMatchesThePacker) {
  std::vector<int8_t> codes(64 * 1024, 0);
  for (size_t i = 0; i < codes.size(); i += 2)
    codes[i] = 3;
  int64_t exact = packedCodesBytes(PackedLayout::Int8Bitmask, codes, 64, 1024);
  int64_t estimated = estimatedBytes(PackedLayout::Int8Bitmask, 64, 1024, 0.5);
  EXPECT_NEAR(static_cast<double>(estimated), exact, 0.01 * exact);
}

TEST(CostModel, WeightsLieWhereAllOfThemFit) {
  const MachineModel &machine = machineModel("znver4");
  EXPECT_EQ(machine.residencyOf(500 << 10), Residency::SecondCache);
  EXPECT_EQ(machine.residencyOf(1 << 20), Residency::LastCache);
  EXPECT_EQ(machine.residencyOf(kSmall), Residency::LastCache);
  EXPECT_EQ(machine.residencyOf(kLarge), Residency::Memory);
}

TEST(CostModel, MemoryBoundsDenseAndCyclesBoundVerySparse) {
  const MachineModel &machine = machineModel("znver4");
  auto seconds = [&](PackedLayout layout, int64_t bytes, Residency level) {
    return linearSeconds(layout, 4096, 4096, bytes, Isa::Avx512Vnni, machine,
                         level);
  };
  double bandwidth = machine.bandwidth[int(Residency::Memory)];
  int64_t dense = estimatedBytes(PackedLayout::Int8, 4096, 4096, 0);
  EXPECT_DOUBLE_EQ(seconds(PackedLayout::Int8, dense, Residency::Memory),
                   dense / bandwidth);
  EXPECT_LT(seconds(PackedLayout::Int8, dense, Residency::LastCache),
            dense / bandwidth);
  int64_t sparse = estimatedBytes(PackedLayout::Int8Bitmask, 4096, 4096, 0.95);
  EXPECT_GT(seconds(PackedLayout::Int8Bitmask, sparse, Residency::Memory),
            sparse / bandwidth);
}

TEST(CostModel, ChoosesTheBitmaskOnlyWhereItPays) {
  CpuTarget zen4 = cpu("znver4"), v3 = cpu("x86-64-v3");
  LayoutCandidate dense = estimate(PackedLayout::Int8, 0),
                  many = estimate(PackedLayout::Int8Bitmask, 0.6),
                  few = estimate(PackedLayout::Int8Bitmask, 0.05);
  EXPECT_EQ(choose({dense, many}, kLarge, zen4).layout,
            PackedLayout::Int8Bitmask);
  EXPECT_EQ(choose({dense, few}, kLarge, zen4).layout, PackedLayout::Int8);
  // From a cache its instructions take longer than reading dense codes.
  EXPECT_EQ(choose({dense, many}, kSmall, zen4).layout, PackedLayout::Int8);
  // AVX2 has no expand: a library for both keeps the dense layout.
  LayoutChoice both = choose({dense, many}, kLarge, {zen4, v3});
  EXPECT_EQ(both.layout, PackedLayout::Int8);
  EXPECT_NE(both.reason.find("with a bitmask"), std::string::npos)
      << both.reason;
  EXPECT_NE(both.reason.find("weights from memory"), std::string::npos)
      << both.reason;
}

TEST(CostModel, ChoosesPlacesWhereTheyPay) {
  CpuTarget zen4 = cpu("znver4");
  LayoutCandidate dense = estimate(PackedLayout::Int8, 0),
                  half = estimate(PackedLayout::Int8Bitmask, 0.5),
                  twoOfFour = estimate(PackedLayout::Int8TwoOfFour, 0.5);
  EXPECT_EQ(choose({dense, half, twoOfFour}, kSmall, zen4).layout,
            PackedLayout::Int8TwoOfFour);
  // Of 95 per cent zeros, two steps in a window of 64 columns are left.
  LayoutCandidate sparse = estimate(PackedLayout::Int8Bitmask, 0.95),
                  gathered = {PackedLayout::Int8Gather, 96 * 9 * 2 * 128};
  EXPECT_EQ(choose({dense, sparse, gathered}, kSmall, zen4).layout,
            PackedLayout::Int8Gather);
}

TEST(LayoutOverride, IsParsed) {
  std::string error;
  auto wanted = parseLayoutOverride("layers.[0-3]:int8-bitmask", error);
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->pattern, "layers.[0-3]");
  EXPECT_EQ(wanted->layout, PackedLayout::Int8Bitmask);
  for (const char *wrong : {"", "int8", ":int8", "a:", "a:int9", "(:int8"}) {
    error.clear();
    EXPECT_FALSE(parseLayoutOverride(wrong, error)) << wrong;
    EXPECT_FALSE(error.empty()) << wrong;
  }
}

} // namespace
