//===- CPU.cpp - What the processor and the system can do -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/CPU.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sched.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace llmopt::runtime {

namespace {
struct FeatureName {
  uint64_t bit;
  const char *name;
};

constexpr FeatureName kFeatureNames[] = {
    {LLMOPT_CPU_AVX2, "AVX2 (x86-64-v3)"},
    {LLMOPT_CPU_AVX512, "AVX-512 (x86-64-v4)"},
    {LLMOPT_CPU_AVX512_VNNI, "AVX512_VNNI"},
    {LLMOPT_CPU_AVX512_VBMI, "AVX512_VBMI"},
    {LLMOPT_CPU_AVX512_VBMI2, "AVX512_VBMI2"},
    {LLMOPT_CPU_AVX512_BF16, "AVX512_BF16"},
};
} // namespace

#ifdef __x86_64__
static bool allSet(uint32_t value, uint32_t bits) {
  return (value & bits) == bits;
}

/// State components that the operating system saves (XCR0).
static uint64_t savedState() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

uint64_t detectCPUFeatures() {
  constexpr uint64_t kAVXState = 0x06, kAVX512State = 0xe6;
  uint32_t a, b, c, d, leaf1c = 0;
  if (!__get_cpuid(1, &a, &b, &leaf1c, &d) || !(leaf1c & bit_OSXSAVE))
    return 0;
  const uint64_t saved = savedState();
  uint32_t leaf7b = 0, leaf7c = 0, leaf71a = 0, extended = 0;
  __get_cpuid_count(7, 0, &a, &leaf7b, &leaf7c, &d);
  __get_cpuid_count(7, 1, &leaf71a, &b, &c, &d);
  __get_cpuid(0x80000001, &a, &b, &extended, &d);

  constexpr uint32_t kAVX2Leaf1 =
      bit_AVX | bit_FMA | bit_F16C | bit_POPCNT | bit_MOVBE;
  constexpr uint32_t kAVX512Leaf7 =
      bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ | bit_AVX512CD;
  uint64_t features = 0;
  if ((saved & kAVXState) == kAVXState && allSet(leaf1c, kAVX2Leaf1) &&
      allSet(leaf7b, bit_AVX2 | bit_BMI | bit_BMI2) && (extended & bit_LZCNT))
    features |= LLMOPT_CPU_AVX2;
  if (!features || (saved & kAVX512State) != kAVX512State ||
      !allSet(leaf7b, kAVX512Leaf7))
    return features;
  features |= LLMOPT_CPU_AVX512;
  if (leaf7c & bit_AVX512VNNI)
    features |= LLMOPT_CPU_AVX512_VNNI;
  if (leaf7c & bit_AVX512VBMI)
    features |= LLMOPT_CPU_AVX512_VBMI;
  if (leaf7c & bit_AVX512VBMI2)
    features |= LLMOPT_CPU_AVX512_VBMI2;
  if (leaf71a & bit_AVX512BF16)
    features |= LLMOPT_CPU_AVX512_BF16;
  return features;
}
#else
uint64_t detectCPUFeatures() { return 0; }
#endif

void describeFeatures(uint64_t features, char *text, size_t capacity) {
  size_t used = 0;
  const auto append = [&](const char *format, auto value) {
    if (used >= capacity)
      return;
    const int written =
        snprintf(text + used, capacity - used, format, used ? ", " : "", value);
    used += written > 0 ? static_cast<size_t>(written) : 0;
  };
  if (capacity)
    text[0] = 0;
  for (const FeatureName &feature : kFeatureNames) {
    if (features & feature.bit)
      append("%s%s", feature.name);
    features &= ~feature.bit;
  }
  if (features)
    append("%sunknown feature 0x%llx",
           static_cast<unsigned long long>(features));
}

/// First CPU of the core that `cpu` belongs to; `cpu` itself if unknown.
static int firstSibling(int cpu) {
  char path[96];
  snprintf(path, sizeof(path),
           "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
  FILE *file = fopen(path, "re");
  if (!file)
    return cpu;
  int first = cpu;
  if (fscanf(file, "%d", &first) != 1)
    first = cpu;
  fclose(file);
  return first;
}

/// CPUs whose time the control group of the process may use; a large number if
/// it has no limit. Inside of a container this file is that of the container.
static double cpuQuota() {
  constexpr double kUnlimited = CPU_SETSIZE;
  FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
  if (!file)
    return kUnlimited;
  double quota = 0, period = 0;
  const int fields =
      fscanf(file, "%lf %lf", &quota, &period); // "max" is no number
  fclose(file);
  return fields == 2 && quota > 0 && period > 0 ? quota / period : kUnlimited;
}

uint32_t availableCores() {
  cpu_set_t allowed, cores;
  CPU_ZERO(&allowed);
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
    return 1;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed))
      CPU_SET(firstSibling(cpu), &cores);
  const double usable =
      std::min<double>(CPU_COUNT(&cores), std::ceil(cpuQuota()));
  return static_cast<uint32_t>(std::max(1.0, usable));
}

} // namespace llmopt::runtime
