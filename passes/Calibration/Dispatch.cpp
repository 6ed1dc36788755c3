//===- Dispatch.cpp - The instruction set of the solvers --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Calibration/Dispatch.h"

using namespace llmopt;

const ProductKernels &llmopt::getProductKernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4"))
    return kProductKernelsV4;
  if (__builtin_cpu_supports("x86-64-v3"))
    return kProductKernelsV3;
#endif
  return kProductKernelsBase;
}
