//===- FloatEnvironment.h - Rounding as generated code expects --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_RUNTIME_FLOATENVIRONMENT_H
#define LLMOPT_RUNTIME_FLOATENVIRONMENT_H

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

namespace llmopt::runtime {

/// Generated code assumes round to nearest and masked exceptions; the caller's
/// settings come back at the end.
class DefaultFloatEnvironment {
public:
#ifdef __x86_64__
  DefaultFloatEnvironment() : saved(_mm_getcsr()) { _mm_setcsr(kDefault); }
  ~DefaultFloatEnvironment() { _mm_setcsr(saved); }

private:
  static constexpr unsigned kDefault = 0x1f80;
  unsigned saved;
#endif
};

} // namespace llmopt::runtime

#endif // LLMOPT_RUNTIME_FLOATENVIRONMENT_H
