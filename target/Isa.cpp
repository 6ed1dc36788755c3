//===- Isa.cpp - Resolution of CPU names ------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "target/Isa.h"
#include "runtime/include/llmopt/ModelABI.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/Twine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace llvm;

namespace llmopt {

namespace {

/// LLVM features that the kernels of an instruction set need.
ArrayRef<StringRef> requiredFeatures(Isa isa) {
  static constexpr StringRef avx2[] = {"avx2", "fma",   "f16c",   "bmi",
                                       "bmi2", "movbe", "popcnt", "lzcnt"};
  static constexpr StringRef avx512[] = {
      "avx512f",  "avx512bw",   "avx512vl",   "avx512dq",
      "avx512cd", "avx512vnni", "avx512vbmi", "avx512vbmi2"};
  if (isa == Isa::Avx2)
    return avx2;
  return avx512;
}

/// The features of a set that are not in `available`, separated by commas.
std::string missingFeatures(Isa isa, const StringMap<bool> &available) {
  std::string missing;
  for (StringRef feature : requiredFeatures(isa)) {
    if (available.lookup(feature))
      continue;
    missing += missing.empty() ? "" : ", ";
    missing += feature;
  }
  return missing;
}

/// Features of a CPU that is given by name.
StringMap<bool> featuresOf(StringRef cpu) {
  SmallVector<StringRef> names;
  X86::getFeaturesForCPU(cpu, names);
  StringMap<bool> features;
  for (StringRef name : names)
    features[name] = true;
  return features;
}

} // namespace

StringRef stringify(Isa isa) {
  switch (isa) {
  case Isa::Avx2:
    return "avx2";
  case Isa::Avx512Vnni:
    return "avx512vnni";
  }
  llvm_unreachable("unknown instruction set");
}

std::optional<Isa> parseIsa(StringRef name) {
  return StringSwitch<std::optional<Isa>>(name)
      .Case("avx2", Isa::Avx2)
      .Case("avx512vnni", Isa::Avx512Vnni)
      .Default(std::nullopt);
}

uint64_t requiredCpuFeatures(Isa isa) {
  if (isa == Isa::Avx2)
    return LLMOPT_CPU_AVX2;
  return LLMOPT_CPU_AVX2 | LLMOPT_CPU_AVX512 | LLMOPT_CPU_AVX512_VNNI |
         LLMOPT_CPU_AVX512_VBMI | LLMOPT_CPU_AVX512_VBMI2;
}

std::optional<CpuTarget> resolveCpu(StringRef name, std::string &error) {
  bool native = name == "native";
  std::string cpu = native ? sys::getHostCPUName().str() : name.str();
  if (!native && X86::parseArchX86(cpu, /*Only64Bit=*/true) == X86::CK_None) {
    error = "unknown CPU '" + name.str() +
            "'; use native, an x86-64 CPU such as znver4 or icelake-server, or "
            "x86-64-v3";
    return std::nullopt;
  }

  StringMap<bool> features =
      native ? sys::getHostCPUFeatures() : featuresOf(cpu);
  std::string missing = missingFeatures(Isa::Avx2, features);
  if (!missing.empty()) {
    error = "CPU '" + cpu + "' lacks " + missing +
            "; generated code needs at least x86-64-v3";
    return std::nullopt;
  }
  Isa isa = missingFeatures(Isa::Avx512Vnni, features).empty() ? Isa::Avx512Vnni
                                                               : Isa::Avx2;
  return CpuTarget{cpu, cpu, isa, requiredCpuFeatures(isa)};
}

} // namespace llmopt
