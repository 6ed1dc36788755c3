//===- Memory.h - Memory mappings with an owner -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_MEMORY_H
#define LLMOPT_RUNTIME_MEMORY_H

#include <cstddef>
#include <cstdint>

namespace llmopt::runtime {

/// `value` rounded up to a multiple of `unit`.
constexpr uint64_t roundUp(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// Owner of a range of mapped memory. Empty after a failed mapping.
class Mapping {
public:
  Mapping() = default;
  Mapping(Mapping &&other) noexcept;
  Mapping &operator=(Mapping &&other) noexcept;
  Mapping(const Mapping &) = delete;
  Mapping &operator=(const Mapping &) = delete;
  ~Mapping();

  /// Zeroed memory that takes physical pages only where it is touched; aligned
  /// to a huge page and marked for huge pages if it is at least that large.
  static Mapping reserve(uint64_t bytes);
  /// Private read-only view of a file. `offset` is a multiple of the page size.
  static Mapping file(int descriptor, uint64_t offset, uint64_t bytes);

  explicit operator bool() const { return data; }
  uint64_t size() const { return bytes; }
  template <typename T = uint8_t> T *as() const {
    return reinterpret_cast<T *>(data);
  }

private:
  Mapping(uint8_t *data, uint64_t bytes, void *base, uint64_t baseBytes)
      : data(data), bytes(bytes), base(base), baseBytes(baseBytes) {}

  uint8_t *data = nullptr;
  uint64_t bytes = 0;
  void *base = nullptr;
  uint64_t baseBytes = 0;
};

/// True if the kernel gives huge pages to memory that asks for them.
bool hugePagesAvailable();

/// Bytes that new allocations may take without swapping; 0 if unknown.
uint64_t availableMemory();

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_MEMORY_H
