//===- LLMOptOps.h - Operations of the llmopt dialect -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_LLMOPT_OPS_H
#define LLMOPT_DIALECTS_LLMOPT_OPS_H

#include "dialects/LLMOpt/LLMOptDialect.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/LLMOpt/LLMOptInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialects/LLMOpt/LLMOptOps.h.inc"

namespace llmopt {

/// Name of the module attribute that holds the decoder's geometry
/// Attribute of `@main`, string: why the model is no decoder, but compiled as a
/// graph.
inline constexpr llvm::StringLiteral kGraphReasonAttrName = "llmopt.graph";
/// (DecoderAttr).
inline constexpr llvm::StringLiteral kDecoderAttrName = "llmopt.decoder";
/// Name of the argument and result attribute that holds an ArgumentRoleAttr.
inline constexpr llvm::StringLiteral kRoleAttrName = "llmopt.role";

} // namespace llmopt

#endif // LLMOPT_DIALECTS_LLMOPT_OPS_H
