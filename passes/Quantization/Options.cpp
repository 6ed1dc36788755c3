//===- Options.cpp - Defaults of quantization -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/Options.h"
#include "llvm/Support/ErrorHandling.h"

using namespace llmopt;

int64_t llmopt::defaultGroup(WeightQuantization quantization) {
  switch (quantization) {
  case WeightQuantization::None:
  case WeightQuantization::Int8:
    return 0;
  case WeightQuantization::Int4:
    return 32;
  }
  llvm_unreachable("unknown encoding");
}

int64_t llmopt::defaultActivationGroup(int64_t weightGroup) {
  int64_t group = kActivationGroup;
  while (weightGroup % group != 0)
    group -= 32;
  return group;
}
