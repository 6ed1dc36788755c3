//===- GraphBuilder.h - Builds the IR of graphs -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_GRAPHBUILDER_H
#define LLMOPT_FRONTENDS_ONNX_GRAPHBUILDER_H

#include "frontends/onnx/ImportState.h"

namespace onnx {
class GraphProto;
} // namespace onnx

namespace llmopt::onnx {

/// Appends `func.func @main` with the ops of `graph` to `module`: its nodes
/// and those of its subgraphs, one to one, in the order of the file. In place
/// of a call of one of the model's functions stand the nodes of that function.
///
/// An input that an initializer names is no argument of the function: up to IR
/// version 3 every initializer was an input too, and a default that a caller
/// may override is not supported. Nodes must be sorted so that values are
/// defined before they are used, as ONNX demands.
mlir::LogicalResult buildMain(const ::onnx::GraphProto &graph,
                              mlir::ModuleOp module, ImportState &state);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_GRAPHBUILDER_H
