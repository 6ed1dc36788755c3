//===- KernelTest.cpp - What the tests of the kernels share -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelTest.h"
#include <algorithm>
#include <cmath>
#include <sys/mman.h>
#include <unistd.h>

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

Buffer::Buffer(int64_t size, uint8_t fill) : bytes(size) {
  int64_t page = sysconf(_SC_PAGESIZE);
  int64_t usable = (bytes + kGuard + page - 1) / page * page;
  mappingBytes = usable + page;
  void *memory = mmap(nullptr, mappingBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    std::abort();
  mapping = static_cast<uint8_t *>(memory);
  mprotect(mapping + usable, page, PROT_NONE);
  start = mapping + usable - bytes;
  std::memset(start, fill, bytes);
  std::memset(start - kGuard, 0x5c, kGuard);
}

Buffer::~Buffer() {
  if (mapping)
    munmap(mapping, mappingBytes);
}

Buffer &Buffer::operator=(Buffer &&other) noexcept {
  std::swap(mapping, other.mapping);
  std::swap(start, other.start);
  std::swap(mappingBytes, other.mappingBytes);
  std::swap(bytes, other.bytes);
  return *this;
}

bool Buffer::guardIntact() const {
  return std::all_of(start - kGuard, start,
                     [](uint8_t byte) { return byte == 0x5c; });
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
    int32_t bias = 0;
    for (int64_t column = first; column < last; ++column) {
      auto q = static_cast<int8_t>(std::nearbyint(x[column] * inverse));
      record[column] = static_cast<uint8_t>(q);
      bias -= 128 * q;
    }
    std::memcpy(record + format.scalesOffset() + 4 * group, &scale, 4);
    std::memcpy(record + format.biasesOffset() + 4 * group, &bias, 4);
  }
}

} // namespace llmopt
