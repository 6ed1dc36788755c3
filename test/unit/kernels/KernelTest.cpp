//===- KernelTest.cpp - What the tests of the kernels share -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelTest.h"
#include <cmath>

namespace llmopt {

CpuTarget testTarget(Isa isa) {
  std::string error;
  auto target = resolveCpu(isa == Isa::Avx2 ? "x86-64-v3" : "znver4", error);
  EXPECT_TRUE(target) << error;
  return *target;
}

bool machineRuns(Isa isa) {
  std::string error;
  auto native = resolveCpu("native", error);
  return native && (isa == Isa::Avx2 || native->isa == isa);
}

const KernelLibrary *testLibrary(Isa isa) {
  static std::unique_ptr<KernelLibrary> avx2, avx512;
  std::unique_ptr<KernelLibrary> &library = isa == Isa::Avx2 ? avx2 : avx512;
  if (!library)
    library = KernelLibrary::build(testTarget(isa));
  return library.get();
}

Buffer::Buffer(int64_t bytes, uint8_t fill)
    : storage(new uint8_t[bytes + 2 * kGuard + 64]), bytes(bytes) {
  std::memset(storage.get(), fill, bytes + 2 * kGuard + 64);
  uintptr_t start = reinterpret_cast<uintptr_t>(storage.get()) + kGuard;
  aligned = reinterpret_cast<uint8_t *>((start + 63) / 64 * 64);
  std::memset(aligned - kGuard, 0x5c, kGuard);
  std::memset(aligned + bytes, 0x5c, kGuard);
}

bool Buffer::guardsIntact() const {
  for (int64_t i = 0; i < kGuard; ++i)
    if (aligned[-1 - i] != 0x5c || aligned[bytes + i] != 0x5c)
      return false;
  return true;
}

std::vector<float> randomFloats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(random);
  return values;
}

std::vector<int8_t> randomCodes(int64_t count, double zeroFraction,
                                uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> code(-127, 127);
  std::bernoulli_distribution zero(zeroFraction);
  std::vector<int8_t> codes(count);
  for (int8_t &value : codes)
    value = zero(random) ? 0 : static_cast<int8_t>(code(random));
  return codes;
}

void quantizeReference(const float *x, const QuantizedRow &format,
                       uint8_t *record) {
  std::memset(record, 0, format.bytes());
  for (int64_t group = 0; group < format.groups(); ++group) {
    int64_t first = group * format.group;
    int64_t last = std::min(first + format.group, format.columns);
    float largest = 0;
    for (int64_t column = first; column < last; ++column)
      largest = std::max(largest, std::fabs(x[column]));
    bool isZero = largest < 0x1p-100f;
    float scale = isZero ? 0 : largest / 127;
    float inverse = isZero ? 0 : 127 / largest;
    int32_t sum = 0;
    for (int64_t column = first; column < last; ++column) {
      auto q = static_cast<int8_t>(std::nearbyint(x[column] * inverse));
      record[column] = static_cast<uint8_t>(q);
      sum += q;
    }
    std::memcpy(record + format.scalesOffset() + 4 * group, &scale, 4);
    std::memcpy(record + format.sumsOffset() + 4 * group, &sum, 4);
  }
}

} // namespace llmopt
