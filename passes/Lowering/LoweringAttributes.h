//===- LoweringAttributes.h - What lowering tells codegen -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_LOWERINGATTRIBUTES_H
#define LLMOPT_PASSES_LOWERING_LOWERINGATTRIBUTES_H

#include "llvm/ADT/StringRef.h"

namespace llmopt {

/// Attribute of @forward, i64: `arena_bytes_per_row` of the model ABI's
/// variant.
inline constexpr llvm::StringLiteral kArenaBytesPerRowAttrName =
    "kernel.arena_bytes_per_row";
/// Attribute of @forward_row, i64: bytes of each thread's private buffers.
inline constexpr llvm::StringLiteral kPrivateBytesAttrName =
    "kernel.private_bytes";
/// Attribute of @forward, i64: `scratch_bytes` of the model ABI's variant.
inline constexpr llvm::StringLiteral kScratchBytesAttrName =
    "kernel.scratch_bytes";
/// Attribute of @forward: the `kernels` of the model ABI's variant.
inline constexpr llvm::StringLiteral kKernelClassesAttrName = "kernel.classes";

/// Attribute of an onnx.initializer of a graph: the kernel.weight_data of its
/// elements.
inline constexpr llvm::StringLiteral kPlacedConstantAttrName =
    "kernel.constant";
/// Attribute of the kernel.weight_data of a constant, i64: its elements.
inline constexpr llvm::StringLiteral kElementsAttrName = "kernel.elements";
/// Attribute of @graph: the tensor types of the outputs.
inline constexpr llvm::StringLiteral kOutputTypesAttrName =
    "kernel.output_types";
/// Name of the entry of a graph model after its expansion.
inline constexpr llvm::StringLiteral kGraphEntryName = "graph";

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_LOWERINGATTRIBUTES_H
