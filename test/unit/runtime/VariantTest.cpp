//===- VariantTest.cpp - Choice of the variant on other machines ----------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Variant.h"
#include "runtime/CPU.h"
#include "runtime/Error.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace llmopt::runtime;

namespace {

constexpr uint64_t kHaswell = LLMOPT_CPU_AVX2;
constexpr uint64_t kSkylake = LLMOPT_CPU_AVX2 | LLMOPT_CPU_AVX512;
constexpr uint64_t kIcelake = kSkylake | LLMOPT_CPU_AVX512_VNNI |
                              LLMOPT_CPU_AVX512_VBMI | LLMOPT_CPU_AVX512_VBMI2;

const llmopt_variant kVariants[] = {
    {"znver4", "avx512vnni", kIcelake | LLMOPT_CPU_AVX512_BF16, 0, 0, nullptr},
    {"icelake-server", "avx512vnni", kIcelake, 0, 0, nullptr},
    {"x86-64-v3", "avx2", kHaswell, 0, 0, nullptr},
};

llmopt_model_descriptor describe() {
  llmopt_model_descriptor model = {};
  model.variants = kVariants;
  model.variant_count = 3;
  return model;
}

const char *chosenCPU(uint64_t features, const char *forced = nullptr) {
  const llmopt_model_descriptor model = describe();
  VariantChoice choice;
  const llmopt_status status = chooseVariant(model, features, forced, choice);
  return status ? llmopt_status_name(status) : choice.variant->cpu;
}

TEST(Variant, BestThatCanRun) {
  EXPECT_STREQ(chosenCPU(~uint64_t{0}), "znver4");
  EXPECT_STREQ(chosenCPU(kIcelake), "icelake-server");
  EXPECT_STREQ(chosenCPU(kSkylake), "x86-64-v3");
  EXPECT_STREQ(chosenCPU(kHaswell), "x86-64-v3");
  EXPECT_STREQ(chosenCPU(0), "LLMOPT_UNSUPPORTED_CPU");
  EXPECT_NE(strstr(lastError(), "avx2 (x86-64-v3) needs AVX2"), nullptr)
      << lastError();
}

TEST(Variant, Forced) {
  EXPECT_STREQ(chosenCPU(~uint64_t{0}, "avx2"), "x86-64-v3");
  EXPECT_STREQ(chosenCPU(~uint64_t{0}, ""), "znver4");
  EXPECT_STREQ(chosenCPU(kIcelake, "avx512vnni"), "icelake-server");
  EXPECT_STREQ(chosenCPU(kIcelake, "znver4"), "LLMOPT_UNSUPPORTED_CPU");
  EXPECT_NE(strstr(lastError(), "lacks AVX512_BF16"), nullptr) << lastError();
  EXPECT_STREQ(chosenCPU(kIcelake, "neon"), "LLMOPT_UNKNOWN_VARIANT");
}

TEST(Variant, SaysWhyBetterOnesWereNotTaken) {
  const llmopt_model_descriptor model = describe();
  VariantChoice choice;
  ASSERT_EQ(chooseVariant(model, kIcelake, nullptr, choice), LLMOPT_OK);
  EXPECT_STREQ(choice.reason,
               "avx512vnni for icelake-server: best of 3 (avx512vnni "
               "(znver4) needs AVX512_BF16)");
}

TEST(CPU, FeaturesAreNested) {
  const uint64_t features = detectCPUFeatures();
  if (features & ~uint64_t{LLMOPT_CPU_AVX2})
    EXPECT_TRUE(features & LLMOPT_CPU_AVX2);
  if (features & ~uint64_t{LLMOPT_CPU_AVX2 | LLMOPT_CPU_AVX512})
    EXPECT_TRUE(features & LLMOPT_CPU_AVX512);
#ifdef __x86_64__
  __builtin_cpu_init();
  EXPECT_EQ(bool(features & LLMOPT_CPU_AVX2),
            bool(__builtin_cpu_supports("avx2")));
  EXPECT_EQ(bool(features & LLMOPT_CPU_AVX512_VNNI),
            bool(__builtin_cpu_supports("avx512vnni")));
#endif
}

TEST(CPU, DescribesWithinTheCapacity) {
  char text[64];
  describeFeatures(LLMOPT_CPU_AVX2 | (uint64_t{1} << 33), text, sizeof(text));
  EXPECT_STREQ(text, "AVX2 (x86-64-v3), unknown feature 0x200000000");
  describeFeatures(~uint64_t{0}, text, 10);
  EXPECT_STREQ(text, "AVX2 (x86");
  EXPECT_GE(availableCores(), 1u);
}

} // namespace
