//===- BodyBuilder.h - Builds the IR of nodes and subgraphs -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_BODYBUILDER_H
#define LLMOPT_FRONTENDS_ONNX_BODYBUILDER_H

#include "dialects/ONNX/ONNXOps.h"
#include "frontends/onnx/AttributeReader.h"
#include "frontends/onnx/ImportState.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

namespace google::protobuf {
template <typename T> class RepeatedPtrField;
} // namespace google::protobuf

namespace onnx {
class GraphProto;
class TensorProto;
} // namespace onnx

namespace llmopt::onnx {

/// The values of one graph or function by name. Names of the graphs around it
/// are visible.
struct Scope {
  const Scope *parent = nullptr;
  llvm::StringMap<mlir::Value> values = {};
  /// The nodes of the graph that define a name, for messages.
  llvm::StringMap<const ::onnx::NodeProto *> producers = {};
};

/// The names of the initializers of `graph`. An input with such a name is no
/// input: up to IR version 3 every initializer was one too, and a default that
/// a caller may override is not supported.
llvm::StringSet<> getInitializerNames(const ::onnx::GraphProto &graph);

/// Builds what graphs consist of at the end of blocks. Calls of functions that
/// the model defines are replaced by their bodies.
class BodyBuilder {
public:
  /// `entry` is the block of the main graph.
  BodyBuilder(mlir::Block &entry, ImportState &state)
      : entry(entry), state(state), b(state.context) {}

  /// Adds initializers and nodes at the end of `block`, and returns the values
  /// of the outputs of the graph.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  buildGraph(const ::onnx::GraphProto &graph, mlir::Block &block, Scope &scope);

  /// Gives a value its name, which must be new.
  mlir::LogicalResult define(llvm::StringRef name, mlir::Value value,
                             llvm::StringRef where, Scope &scope);

private:
  using Values = llvm::SmallVector<mlir::Value>;

  /// A call of a function whose body is being built.
  struct Call {
    const FunctionInfo *function;
    BoundAttributes attributes;
    /// Goes before the names of the body.
    std::string prefix;
  };

  mlir::LogicalResult
  addNodes(const google::protobuf::RepeatedPtrField<::onnx::NodeProto> &nodes,
           Scope &scope);
  mlir::LogicalResult addInitializer(const ::onnx::TensorProto &tensor,
                                     Scope &scope);
  mlir::LogicalResult addNode(const ::onnx::NodeProto &node, unsigned number,
                              Scope &scope);
  mlir::LogicalResult checkOperator(const ::onnx::NodeProto &node);
  /// Creates the op with empty regions.
  NodeOp createNode(const ::onnx::NodeProto &node, unsigned number,
                    llvm::ArrayRef<mlir::Value> inputs,
                    const NodeAttributes &attributes);
  /// The version of the operator of `node` where it is not the model's.
  mlir::IntegerAttr getVersion(const ::onnx::NodeProto &node);
  mlir::LogicalResult addSubgraph(const ::onnx::GraphProto &graph,
                                  mlir::Region &region, llvm::StringRef where,
                                  const Scope &outer);
  mlir::LogicalResult addSubgraphInputs(const ::onnx::GraphProto &graph,
                                        mlir::Block &block,
                                        llvm::StringRef where, Scope &scope);

  mlir::LogicalResult inlineCall(const ::onnx::NodeProto &node,
                                 const FunctionInfo &function, Scope &scope);
  /// Builds the body of `call` and returns the values of all its outputs.
  mlir::FailureOr<Values> inlineBody(const Call &inner,
                                     llvm::ArrayRef<mlir::Value> inputs);

  mlir::FailureOr<Values> getInputs(const ::onnx::NodeProto &node,
                                    const Scope &scope);
  /// How messages call a node.
  std::string describe(const ::onnx::NodeProto &node) const;
  /// A name of the file in the IR: that of a body follows that of its call.
  std::string qualify(llvm::StringRef name) const;
  /// The value that stands for an input left out.
  mlir::Value getNone();
  mlir::Location getLocation(llvm::StringRef name, unsigned number);

  mlir::Block &entry;
  ImportState &state;
  mlir::OpBuilder b;
  mlir::Value none;
  /// The call whose body is being built; null in graphs of the model.
  const Call *call = nullptr;
  unsigned subgraphDepth = 0;
};

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_BODYBUILDER_H
