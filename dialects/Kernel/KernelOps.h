//===- KernelOps.h - Operations of the kernel dialect -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_KERNEL_OPS_H
#define LLMOPT_DIALECTS_KERNEL_OPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Kernel/KernelDialect.h.inc"
#include "dialects/Kernel/KernelEnums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Kernel/KernelTypes.h.inc"

namespace llmopt::kernel {

/// The KV cache as a side-effect resource, as no buffer names it.
struct CacheResource : public mlir::SideEffects::Resource::Base<CacheResource> {
  llvm::StringRef getName() final { return "kv cache"; }
};

} // namespace llmopt::kernel

#define GET_OP_CLASSES
#include "dialects/Kernel/KernelOps.h.inc"

namespace llmopt::kernel {

/// Name of the function that every entry executes.
inline constexpr llvm::StringLiteral kForwardName = "forward";

/// Name of the function that every entry executes for calls of one row, where
/// there is one.
inline constexpr llvm::StringLiteral kForwardRowName = "forward_row";

/// Bytes of the record of one activation row quantized in groups
/// (QuantizedRow::bytes in target/PackedFormat.h; repeated here because
/// dialects do not depend on target, and held equal by a test).
int64_t quantizedRowBytes(int64_t columns, int64_t group);

} // namespace llmopt::kernel

#endif // LLMOPT_DIALECTS_KERNEL_OPS_H
