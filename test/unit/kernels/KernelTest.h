//===- KernelTest.h - What the tests of the kernels share -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TEST_UNIT_KERNELS_KERNELTEST_H
#define LLMOPT_TEST_UNIT_KERNELS_KERNELTEST_H

#include "benchmarks/kernels/KernelLibrary.h"
#include <cstring>
#include <gtest/gtest.h>
#include <random>

namespace llmopt {

/// CPU whose code this machine may be able to run, for one instruction set.
CpuTarget testTarget(Isa isa);

/// Whether this machine runs the instruction set.
bool machineRuns(Isa isa);

/// The kernels of an instruction set, compiled once per process; null if the
/// compilation failed.
const KernelLibrary *testLibrary(Isa isa);

/// Bytes that end where memory ends: a read or write past the end is a fault,
/// and a guard in front shows writes before the start. Aligned to 64 bytes only
/// if the size is a multiple of it.
class Buffer {
public:
  explicit Buffer(int64_t bytes, uint8_t fill = 0xa5);
  ~Buffer();
  Buffer(Buffer &&other) noexcept { *this = std::move(other); }
  Buffer &operator=(Buffer &&other) noexcept;

  template <typename T = float> T *data() {
    return reinterpret_cast<T *>(start);
  }
  template <typename T = float> const T *data() const {
    return reinterpret_cast<const T *>(start);
  }
  int64_t size() const { return bytes; }
  llvm::MutableArrayRef<uint8_t> array() {
    return {data<uint8_t>(), static_cast<size_t>(bytes)};
  }
  bool operator==(const Buffer &other) const {
    return bytes == other.bytes && !std::memcmp(start, other.start, bytes);
  }
  /// Whether nothing was written in front of the buffer.
  bool guardIntact() const;

private:
  static constexpr int64_t kGuard = 256;
  uint8_t *mapping = nullptr;
  uint8_t *start = nullptr;
  int64_t mappingBytes = 0, bytes = 0;
};

std::vector<float> randomFloats(int64_t count, uint32_t seed);
std::vector<int8_t> randomCodes(int64_t count, double zeroFraction,
                                uint32_t seed);

/// One row in the format of QuantizedRow, computed as PackedFormat.h says.
void quantizeReference(const float *x, const QuantizedRow &format,
                       uint8_t *record);

inline int64_t padded16(int64_t count) { return (count + 15) / 16 * 16; }

} // namespace llmopt

#endif // LLMOPT_TEST_UNIT_KERNELS_KERNELTEST_H
