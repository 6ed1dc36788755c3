//===- TensorReader.h - Tensors as attributes -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_TENSORREADER_H
#define LLMOPT_FRONTENDS_ONNX_TENSORREADER_H

#include "frontends/onnx/ImportState.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"

namespace onnx {
class TensorProto;
} // namespace onnx

namespace llmopt::onnx {

/// Turns a tensor into dense elements, or into `#onnx.blob` when its data takes
/// more than `options.inlineBytes` bytes of a file. `where` begins an error
/// message. Large data in the fields int32_data, int64_data and uint64_data is
/// not an array in the file and becomes dense elements.
mlir::FailureOr<mlir::TypedAttr> readTensor(const ::onnx::TensorProto &tensor,
                                            llvm::StringRef where,
                                            ImportState &state);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_TENSORREADER_H
