//===- TypeReader.h - Element types and shapes of values --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_TYPEREADER_H
#define LLMOPT_FRONTENDS_ONNX_TYPEREADER_H

#include "frontends/onnx/ImportState.h"

namespace onnx {
class TypeProto;
} // namespace onnx

namespace llmopt::onnx {

/// The type of a value and what else the file says about it.
struct DeclaredType {
  /// A ranked or unranked tensor.
  mlir::Type type;
  /// `onnx.dims`; null when no dimension has a name.
  mlir::ArrayAttr dims;
};

/// The MLIR type of a TensorProto::DataType. `where` begins an error message.
mlir::FailureOr<mlir::Type>
readElementType(int32_t dataType, llvm::StringRef where, ImportState &state);

/// Fails when a dimension that the file gives as a number is negative.
mlir::LogicalResult checkDimension(int64_t size, llvm::StringRef where,
                                   ImportState &state);

/// A tensor type of checked dimensions; ShapedType::kDynamic stands for unknown
/// ones. Fails when the rank is beyond the limit, and when the known dimensions
/// make a tensor whose size in bytes does not fit int64_t.
mlir::FailureOr<mlir::RankedTensorType>
makeTensorType(llvm::ArrayRef<int64_t> shape, mlir::Type elementType,
               llvm::StringRef where, ImportState &state);

/// Reads the declared type of a value; only tensors are supported.
mlir::FailureOr<DeclaredType> readType(const ::onnx::TypeProto &type,
                                       llvm::StringRef where,
                                       ImportState &state);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_TYPEREADER_H
