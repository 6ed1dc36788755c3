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

/// Bits that an element takes in an ONNX file: 8 for a bool, the width of other
/// integers and floats of 2, 4, 8, 16, 32 or 64 bits, and 0 for all types that
/// have no stored form here.
unsigned getStoredBits(mlir::Type elementType);

/// Size in bytes of the data of a tensor as ONNX files store it. Elements of
/// less than 8 bits are packed without gaps between rows; the last byte is
/// padded. Returns nullopt for a dynamic shape, for elements without a stored
/// form, and when the number of elements or bytes does not fit int64_t.
std::optional<int64_t> getStoredBytes(mlir::ShapedType type);

} // namespace llmopt::onnx

#endif // LLMOPT_DIALECTS_ONNX_ONNXDIALECT_H
