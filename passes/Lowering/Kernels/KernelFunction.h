//===- KernelFunction.h - Creation of kernel functions ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELS_KERNELFUNCTION_H
#define LLMOPT_PASSES_LOWERING_KERNELS_KERNELFUNCTION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/Lowering/Kernels/KernelBuilder.h"

namespace llmopt {

/// Types of kernel arguments, one letter each: p pointer, i i64, f f32.
using Signature = llvm::StringRef;

/// The private function `name`, or a new one whose body `emit` fills; a return
/// is added. It is kept out of line: kernels are large, and called from many
/// places.
mlir::func::FuncOp getOrCreateFunction(
    mlir::ModuleOp module, llvm::StringRef name, Signature signature, Isa isa,
    llvm::function_ref<void(KernelBuilder &, mlir::ValueRange arguments)> emit);

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELS_KERNELFUNCTION_H
