//===- Isa.h - CPUs and the instruction sets of the kernels -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `-mcpu` may name, and which kernels and CPU features follow from it.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TARGET_ISA_H
#define LLMOPT_TARGET_ISA_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>
#include <string>

namespace llmopt {

/// Instruction set of the generated kernels.
enum class Isa {
  Avx2,      ///< x86-64-v3: AVX2 and FMA, 256-bit vectors
  Avx512Vnni ///< AVX-512 F, BW, VL, VNNI, VBMI, VBMI2: 512-bit vectors
};

/// "avx2", "avx512vnni".
llvm::StringRef stringify(Isa isa);
std::optional<Isa> parseIsa(llvm::StringRef name);

/// llmopt_cpu_feature bits that code for an instruction set needs.
uint64_t requiredCpuFeatures(Isa isa);

/// One name of the `-mcpu` list, resolved. Code is generated for the features
/// of `isa` alone, so that it runs wherever `features` are present; the CPU
/// decides its tuning.
struct CpuTarget {
  std::string
      name; ///< as the user wrote it; "native" is replaced by the host's name
  std::string llvmCpu; ///< CPU name for which LLVM tunes the code
  Isa isa;             ///< best kernel set that the CPU supports
  uint64_t features;   ///< llmopt_cpu_feature bits that generated code needs
};

/// Resolves a CPU name ("native", "znver4", "x86-64-v3", ...). On failure
/// returns no value and sets `error` to the reason, lower-case, without a
/// period.
std::optional<CpuTarget> resolveCpu(llvm::StringRef name, std::string &error);

} // namespace llmopt

#endif // LLMOPT_TARGET_ISA_H
