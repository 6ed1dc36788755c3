//===- MachineLoops.cpp - Loops that reach the machine's limits -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-bench/MachineLoops.h"

#include <cstring>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace llmopt::tools {

/// Makes the compiler believe that a value is needed.
template <typename T> static void keep(const T &value) {
  asm volatile("" : : "m"(value) : "memory");
}

static void readWords(const uint8_t *data, uint64_t bytes) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < bytes; i += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, data + i, sizeof(word));
    sum |= word;
  }
  keep(sum);
}

#ifdef __x86_64__

// Enough chains to cover the latency of an instruction on two ports.
static constexpr unsigned kChains = 16;
static constexpr unsigned kIterations = 4096;

__attribute__((target("avx512f"))) static void read512(const uint8_t *data,
                                                       uint64_t bytes) {
  __m512i sums[4] = {};
  for (uint64_t i = 0; i < bytes; i += sizeof(sums))
    for (unsigned j = 0; j < 4; ++j)
      sums[j] = _mm512_or_si512(
          sums[j], _mm512_loadu_si512(data + i + j * sizeof(__m512i)));
  keep(sums);
}

__attribute__((target("avx2"))) static void read256(const uint8_t *data,
                                                    uint64_t bytes) {
  __m256i sums[4] = {};
  for (uint64_t i = 0; i < bytes; i += sizeof(sums))
    for (unsigned j = 0; j < 4; ++j)
      sums[j] = _mm256_or_si256(
          sums[j], _mm256_loadu_si256(reinterpret_cast<const __m256i *>(
                       data + i + j * sizeof(__m256i))));
  keep(sums);
}

__attribute__((target("avx512f"))) static uint64_t f32Peak512() {
  __m512 sums[kChains] = {};
  const __m512 x = _mm512_set1_ps(0.5f);
  for (unsigned i = 0; i < kIterations; ++i) {
#pragma unroll
    for (unsigned j = 0; j < kChains; ++j)
      sums[j] = _mm512_fmadd_ps(sums[j], x, x);
  }
  keep(sums);
  return uint64_t{2} * 16 * kChains * kIterations;
}

__attribute__((target("avx2,fma"))) static uint64_t f32Peak256() {
  constexpr unsigned chains = kChains - 4; // registers
  __m256 sums[chains] = {};
  const __m256 x = _mm256_set1_ps(0.5f);
  for (unsigned i = 0; i < kIterations; ++i) {
#pragma unroll
    for (unsigned j = 0; j < chains; ++j)
      sums[j] = _mm256_fmadd_ps(sums[j], x, x);
  }
  keep(sums);
  return uint64_t{2} * 8 * chains * kIterations;
}

__attribute__((target("avx512f,avx512vnni"))) static uint64_t int8Peak512() {
  __m512i sums[kChains] = {};
  const __m512i x = _mm512_set1_epi8(1);
  for (unsigned i = 0; i < kIterations; ++i) {
#pragma unroll
    for (unsigned j = 0; j < kChains; ++j)
      sums[j] = _mm512_dpbusd_epi32(sums[j], x, x);
  }
  keep(sums);
  return uint64_t{2} * 64 * kChains * kIterations;
}

__attribute__((target("avx512f,avx512bf16"))) static uint64_t bf16Peak512() {
  __m512 sums[kChains] = {};
  const auto x = (__m512bh)_mm512_set1_epi16(0x3f00);
  for (unsigned i = 0; i < kIterations; ++i) {
#pragma unroll
    for (unsigned j = 0; j < kChains; ++j)
      sums[j] = _mm512_dpbf16_ps(sums[j], x, x);
  }
  keep(sums);
  return uint64_t{2} * 32 * kChains * kIterations;
}

ReadLoop readLoop() {
  if (__builtin_cpu_supports("avx512f"))
    return read512;
  return __builtin_cpu_supports("avx2") ? read256 : readWords;
}

PeakLoop f32Loop() {
  if (__builtin_cpu_supports("avx512f"))
    return f32Peak512;
  return __builtin_cpu_supports("fma") ? f32Peak256 : nullptr;
}

PeakLoop int8Loop() {
  return __builtin_cpu_supports("avx512vnni") ? int8Peak512 : nullptr;
}

PeakLoop bf16Loop() {
  return __builtin_cpu_supports("avx512bf16") ? bf16Peak512 : nullptr;
}

#else

ReadLoop readLoop() { return readWords; }
PeakLoop f32Loop() { return nullptr; }
PeakLoop int8Loop() { return nullptr; }
PeakLoop bf16Loop() { return nullptr; }

#endif

} // namespace llmopt::tools
