//===- Variant.h - Code of a model for one CPU ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_VARIANT_H
#define LLMOPT_COMPILER_VARIANT_H

#include "compiler/Descriptor.h"
#include "compiler/Options.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SmallVector.h"

namespace llmopt {

/// The model compiled for one CPU.
struct CompiledVariant {
  DescriptorContents::Variant entry;
  /// An object, or the text of LLVM IR or assembly.
  llvm::SmallVector<char, 0> code;
  /// Of a graph: what its outputs are.
  std::vector<mlir::RankedTensorType> outputTypes;
};

/// True if the module is compiled as a graph: its `@main` is no decoder.
bool isGraphModel(mlir::ModuleOp module);

/// Expands a copy of `module`, kernel operations on planned buffers or a graph
/// with placed constants, for `target`, and generates the code that `emit` asks
/// for. `index` numbers the variants of a library, whose symbols differ. With
/// `profile` the code counts what its kernels take. On failure an error is
/// emitted.
mlir::FailureOr<CompiledVariant>
compileVariant(mlir::ModuleOp module, const CpuTarget &target, unsigned index,
               CompileOptions::Emit emit, bool profile);

} // namespace llmopt

#endif // LLMOPT_COMPILER_VARIANT_H
