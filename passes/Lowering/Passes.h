//===- Passes.h - Passes from llmopt to kernel calls ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_PASSES_H
#define LLMOPT_PASSES_LOWERING_PASSES_H

#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "target/Isa.h"

namespace llmopt {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Lowering/Passes.h.inc"

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_PASSES_H
