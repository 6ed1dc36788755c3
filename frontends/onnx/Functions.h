//===- Functions.h - Functions that a model defines -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_FUNCTIONS_H
#define LLMOPT_FRONTENDS_ONNX_FUNCTIONS_H

#include "frontends/onnx/ImportState.h"

namespace onnx {
class ModelProto;
class NodeProto;
} // namespace onnx

namespace llmopt::onnx {

/// The function that `node` calls; null for an operator.
const FunctionInfo *findFunction(const ::onnx::NodeProto &node,
                                 const ImportState &state);

/// Reads the functions of the model into `state`. Fails when two have one name,
/// when one calls itself, and when the calls are nested deeper or inlined make
/// more nodes than the limits; a handful of functions that call each other
/// twice would otherwise make any number.
mlir::LogicalResult readFunctions(const ::onnx::ModelProto &model,
                                  ImportState &state);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_FUNCTIONS_H
