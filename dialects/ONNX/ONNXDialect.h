//===- ONNXDialect.h - The onnx dialect -------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_DIALECTS_ONNX_ONNXDIALECT_H
#define LLMOPT_DIALECTS_ONNX_ONNXDIALECT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"

#include "dialects/ONNX/ONNXDialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/ONNX/ONNXTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/ONNX/ONNXAttributes.h.inc"

namespace llmopt::onnx {

/// Name of the default operator domain in `onnx.opset`. ONNX files write "" or
/// "ai.onnx"; `onnx.node` says "".
inline constexpr llvm::StringLiteral kDefaultDomain = "ai.onnx";

/// Module attribute: dictionary from domain to version (i64).
inline constexpr llvm::StringLiteral kOpsetAttr = "onnx.opset";
/// Module attribute: name of the main graph.
inline constexpr llvm::StringLiteral kModelNameAttr = "onnx.model_name";
/// Argument and result attribute: the name of the value in the file.
inline constexpr llvm::StringLiteral kNameAttr = "onnx.name";
/// Argument and result attribute: names of the dimensions, "" where none.
inline constexpr llvm::StringLiteral kDimsAttr = "onnx.dims";
/// Result attribute: the type that the file declares for an output.
inline constexpr llvm::StringLiteral kTypeAttr = "onnx.type";

/// Size in bytes of the data of a tensor as ONNX files store it: a bool takes a
/// byte, other elements their width. Returns nullopt for a dynamic shape, for
/// elements that are not integers or floats of 1, 8, 16, 32 or 64 bits, and
/// when the size does not fit int64_t.
std::optional<int64_t> getStoredBytes(mlir::ShapedType type);

} // namespace llmopt::onnx

#endif // LLMOPT_DIALECTS_ONNX_ONNXDIALECT_H
