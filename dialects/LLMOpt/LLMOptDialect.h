//===- LLMOptDialect.h - The llmopt dialect ---------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_LLMOPT_DIALECT_H
#define LLMOPT_DIALECTS_LLMOPT_DIALECT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include <memory>

namespace llmopt {
class WeightStore;
} // namespace llmopt

#include "dialects/LLMOpt/LLMOptDialect.h.inc"
#include "dialects/LLMOpt/LLMOptEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/LLMOpt/LLMOptAttributes.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/LLMOpt/LLMOptTypes.h.inc"

#endif // LLMOPT_DIALECTS_LLMOPT_DIALECT_H
