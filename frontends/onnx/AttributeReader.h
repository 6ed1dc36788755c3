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
class NodeProto;
} // namespace onnx

namespace llmopt::onnx {

/// The attributes of a node.
struct NodeAttributes {
  mlir::DictionaryAttr values;
  /// The attributes that hold a graph, in the order of the file.
  llvm::SmallVector<const ::onnx::AttributeProto *, 0> graphs;
};

/// Reads the attributes of `node`, checks that each has a name of its own and
/// one value of its type. `where` begins an error message.
mlir::FailureOr<NodeAttributes> readAttributes(const ::onnx::NodeProto &node,
                                               llvm::StringRef where,
                                               ImportState &state);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_ATTRIBUTEREADER_H
