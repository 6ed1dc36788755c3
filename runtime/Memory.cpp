//===- Memory.cpp - Memory mappings with an owner ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Memory.h"

#include <cstdio>
#include <cstring>
#include <sys/mman.h>
#include <utility>

namespace llmopt::runtime {

namespace {
constexpr uint64_t kHugePage = 2 << 20;
} // namespace

Mapping::Mapping(Mapping &&other) noexcept
    : data(std::exchange(other.data, nullptr)),
      bytes(std::exchange(other.bytes, 0)),
      base(std::exchange(other.base, nullptr)),
      baseBytes(std::exchange(other.baseBytes, 0)) {}

Mapping &Mapping::operator=(Mapping &&other) noexcept {
  std::swap(data, other.data);
  std::swap(bytes, other.bytes);
  std::swap(base, other.base);
  std::swap(baseBytes, other.baseBytes);
  return *this;
}

Mapping::~Mapping() {
  if (base)
    munmap(base, baseBytes);
}

Mapping Mapping::reserve(uint64_t bytes) {
  const bool huge = bytes >= kHugePage;
  const uint64_t slack = huge ? kHugePage : 0;
  if (bytes == 0 || bytes > UINT64_MAX / 2)
    return {};
  void *base = mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED)
    return {};
  auto *data = static_cast<uint8_t *>(base);
  if (huge) {
    data += roundUp(reinterpret_cast<uintptr_t>(base), kHugePage) -
            reinterpret_cast<uintptr_t>(base);
    madvise(data, bytes, MADV_HUGEPAGE);
  }
  return Mapping(data, bytes, base, bytes + slack);
}

Mapping Mapping::file(int descriptor, uint64_t offset, uint64_t bytes) {
  if (bytes == 0)
    return {};
  void *base = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, descriptor,
                    static_cast<off_t>(offset));
  if (base == MAP_FAILED)
    return {};
  return Mapping(static_cast<uint8_t *>(base), bytes, base, bytes);
}

bool hugePagesAvailable() {
  FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
  if (!file)
    return false;
  char text[64] = {};
  const size_t read = fread(text, 1, sizeof(text) - 1, file);
  fclose(file);
  return read && !strstr(text, "[never]");
}

uint64_t availableMemory() {
  FILE *file = fopen("/proc/meminfo", "re");
  if (!file)
    return 0;
  char line[128];
  unsigned long long kibibytes = 0;
  while (fgets(line, sizeof(line), file))
    if (sscanf(line, "MemAvailable: %llu kB", &kibibytes) == 1)
      break;
  fclose(file);
  return static_cast<uint64_t>(kibibytes) << 10;
}

} // namespace llmopt::runtime
