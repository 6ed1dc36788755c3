//===- IsaTest.cpp - Tests of the resolution of CPU names -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "target/Isa.h"
#include "runtime/include/llmopt/ModelABI.h"
#include <gtest/gtest.h>

using namespace llmopt;

namespace {

TEST(Isa, NamesRoundTrip) {
  for (Isa isa : {Isa::Avx2, Isa::Avx512Vnni})
    EXPECT_EQ(parseIsa(stringify(isa)), isa);
  EXPECT_FALSE(parseIsa("sse2"));
}

TEST(Isa, NamedCpus) {
  std::string error;
  auto zen4 = resolveCpu("znver4", error);
  ASSERT_TRUE(zen4) << error;
  EXPECT_EQ(zen4->isa, Isa::Avx512Vnni);
  EXPECT_EQ(zen4->name, "znver4");
  EXPECT_TRUE(zen4->features & LLMOPT_CPU_AVX512_VBMI2);

  auto v3 = resolveCpu("x86-64-v3", error);
  ASSERT_TRUE(v3) << error;
  EXPECT_EQ(v3->isa, Isa::Avx2);
  EXPECT_EQ(v3->features, static_cast<uint64_t>(LLMOPT_CPU_AVX2));

  // AVX-512 without VNNI is not enough for the wide kernels.
  auto skylake = resolveCpu("skylake-avx512", error);
  ASSERT_TRUE(skylake) << error;
  EXPECT_EQ(skylake->isa, Isa::Avx2);
}

TEST(Isa, NativeIsNamed) {
  std::string error;
  auto native = resolveCpu("native", error);
  ASSERT_TRUE(native) << error;
  EXPECT_NE(native->name, "native");
  EXPECT_FALSE(native->llvmCpu.empty());
}

TEST(Isa, Errors) {
  std::string error;
  EXPECT_FALSE(resolveCpu("zen4", error));
  EXPECT_NE(error.find("unknown CPU 'zen4'"), std::string::npos) << error;
  EXPECT_FALSE(resolveCpu("", error));
  EXPECT_FALSE(resolveCpu("nehalem", error));
  EXPECT_NE(error.find("lacks avx2, fma"), std::string::npos) << error;
}

} // namespace
