//===- AttributeReader.h - Attributes of nodes ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_ATTRIBUTEREADER_H
#define LLMOPT_FRONTENDS_ONNX_ATTRIBUTEREADER_H

#include "frontends/onnx/ImportState.h"

namespace onnx {
class AttributeProto;
class GraphProto;
class NodeProto;
} // namespace onnx

namespace llmopt::onnx {

/// The attributes of a node.
struct NodeAttributes {
  mlir::DictionaryAttr values;
  /// The attributes that hold a graph, in the order of the file.
  llvm::SmallVector<llvm::StringRef> graphNames;
  llvm::SmallVector<const ::onnx::GraphProto *> graphs;
};

/// The attributes of a function at one call, to which nodes of its body refer.
struct BoundAttributes {
  const ::onnx::FunctionProto *function;
  /// Those that have a value.
  llvm::StringMap<const ::onnx::AttributeProto *> values;
};

/// Reads the attributes of `node`, checks that each has a name of its own and
/// one value of its type. `bound` is null outside of functions; an attribute
/// that refers to one without a value is left out. `where` begins an error
/// message.
mlir::FailureOr<NodeAttributes> readAttributes(const ::onnx::NodeProto &node,
                                               const BoundAttributes *bound,
                                               llvm::StringRef where,
                                               ImportState &state);

/// The attributes of `function` at the call `node`: what the call gives, which
/// may itself refer to `bound`, and the defaults of the function.
mlir::FailureOr<BoundAttributes> bindAttributes(
    const ::onnx::NodeProto &node, const ::onnx::FunctionProto &function,
    const BoundAttributes *bound, llvm::StringRef where, ImportState &state);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_ATTRIBUTEREADER_H
