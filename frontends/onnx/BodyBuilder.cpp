//===- BodyBuilder.cpp - Builds the IR of nodes and subgraphs ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/BodyBuilder.h"
#include "frontends/onnx/Functions.h"
#include "frontends/onnx/TensorReader.h"
#include "frontends/onnx/TypeReader.h"
#include "llvm/Support/SaveAndRestore.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

llvm::StringSet<> llmopt::onnx::getInitializerNames(const GraphProto &graph) {
  llvm::StringSet<> names;
  for (const TensorProto &tensor : graph.initializer())
    names.insert(tensor.name());
  return names;
}

/// The name of a node, or else of what it makes or does.
static StringRef getNodeName(const NodeProto &node) {
  if (!node.name().empty())
    return node.name();
  for (const std::string &output : node.output())
    if (!output.empty())
      return output;
  return node.op_type();
}

std::string BodyBuilder::describe(const NodeProto &node) const {
  std::string type = quoteName(node.op_type());
  std::string text;
  if (!node.name().empty())
    text = "node " + quoteName(node.name()) + " (" + type + ")";
  else
    text = "node (" + type + ") of output " +
           quoteName(node.output_size() ? StringRef(node.output(0)) : "");
  if (call)
    text += " of function " + quoteName(call->function->proto->name());
  return text;
}

std::string BodyBuilder::qualify(StringRef name) const {
  if (!call)
    return name.str();
  // A body may be inlined many times: names of any length would make the IR
  // much larger than the file.
  constexpr size_t kMaxName = 256;
  return (Twine(call->prefix) + name.take_front(kMaxName)).str();
}

static Value lookup(StringRef name, const Scope &scope) {
  for (const Scope *s = &scope; s; s = s->parent)
    if (Value value = s->values.lookup(name))
      return value;
  return {};
}

LogicalResult BodyBuilder::define(StringRef name, Value value, StringRef where,
                                  Scope &scope) {
  if (lookup(name, scope))
    return state.reporter.malformed(where + ": the value " + quoteName(name) +
                                    " is defined twice");
  scope.values[name] = value;
  return success();
}

Value BodyBuilder::getNone() {
  if (!none) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&entry);
    none = NoneOp::create(b, b.getUnknownLoc(), b.getType<ValueType>());
  }
  return none;
}

Location BodyBuilder::getLocation(StringRef name, unsigned number) {
  Location file = FileLineColLoc::get(state.context, state.fileName, number, 0);
  return NameLoc::get(b.getStringAttr(qualify(name)), file);
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

LogicalResult BodyBuilder::checkOperator(const NodeProto &node) {
  StringRef domain = normalizeDomain(node.domain());
  if (node.op_type().empty())
    return state.reporter.malformed(describe(node) + " names no operator");
  if (!node.overload().empty())
    return state.reporter.malformed(describe(node) + " names the overload " +
                                    quoteName(node.overload()) +
                                    " of no function of the model");
  const OpsetVersions &opsets = call ? call->function->opsets : state.opsets;
  if (!opsets.contains(domain))
    return state.reporter.malformed(
        describe(node) + " belongs to the domain " + quoteName(domain) +
        ", whose operator set the " + (call ? "function" : "model") +
        " does not import");
  return success();
}

FailureOr<SmallVector<Value>> BodyBuilder::getInputs(const NodeProto &node,
                                                     const Scope &scope) {
  SmallVector<Value> inputs;
  for (const std::string &name : node.input()) {
    Value value = name.empty() ? getNone() : lookup(name, scope);
    if (!value) {
      const NodeProto *producer = scope.producers.lookup(name);
      if (producer)
        return state.reporter.malformed(
            describe(node) + " reads " + quoteName(name) + " before " +
            describe(*producer) +
            " defines it: the nodes are not sorted, or form a cycle");
      return state.reporter.malformed(describe(node) + " reads " +
                                      quoteName(name) +
                                      ", which nothing defines");
    }
    inputs.push_back(value);
  }
  return inputs;
}

IntegerAttr BodyBuilder::getVersion(const NodeProto &node) {
  if (!call)
    return {};
  StringRef domain = normalizeDomain(node.domain());
  int64_t version = call->function->opsets.lookup(domain);
  if (version == state.opsets.lookup(domain))
    return {};
  return b.getI64IntegerAttr(version);
}

NodeOp BodyBuilder::createNode(const NodeProto &node, unsigned number,
                               ArrayRef<Value> inputs,
                               const NodeAttributes &attributes) {
  ArrayAttr outputs;
  if (state.options.keepOutputNames) {
    SmallVector<Attribute> names;
    for (const std::string &name : node.output())
      names.push_back(b.getStringAttr(name.empty() ? "" : qualify(name)));
    outputs = b.getArrayAttr(names);
  }
  return NodeOp::create(
      b, getLocation(getNodeName(node), number),
      SmallVector<Type>(node.output_size(), b.getType<ValueType>()),
      b.getStringAttr(node.op_type()),
      b.getStringAttr(normalizeDomain(node.domain())), getVersion(node), inputs,
      attributes.values, outputs, b.getStrArrayAttr(attributes.graphNames),
      attributes.graphs.size());
}

LogicalResult BodyBuilder::addNode(const NodeProto &node, unsigned number,
                                   Scope &scope) {
  if (const FunctionInfo *function = findFunction(node, state))
    return inlineCall(node, *function, scope);
  if (failed(checkOperator(node)))
    return failure();
  std::string where = describe(node);
  FailureOr<NodeAttributes> attributes =
      readAttributes(node, call ? &call->attributes : nullptr, where, state);
  if (failed(attributes))
    return failure();
  FailureOr<SmallVector<Value>> inputs = getInputs(node, scope);
  if (failed(inputs))
    return failure();

  NodeOp op = createNode(node, number, *inputs, *attributes);
  for (auto [name, graph, region] : llvm::zip(
           attributes->graphNames, attributes->graphs, op.getSubgraphs())) {
    std::string whereGraph = where + ": subgraph " + quoteName(name);
    if (failed(addSubgraph(*graph, region, whereGraph, scope)))
      return failure();
  }
  for (auto [name, result] : llvm::zip(node.output(), op.getResults()))
    if (!name.empty() && failed(define(name, result, where, scope)))
      return failure();
  return success();
}

LogicalResult BodyBuilder::addNodes(
    const google::protobuf::RepeatedPtrField<NodeProto> &nodes, Scope &scope) {
  for (const NodeProto &node : nodes)
    for (const std::string &output : node.output())
      scope.producers[output] = &node;
  unsigned number = 0;
  for (const NodeProto &node : nodes)
    if (failed(addNode(node, ++number, scope)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Calls of functions
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<Value>> BodyBuilder::inlineBody(const Call &inner,
                                                      ArrayRef<Value> inputs) {
  const FunctionProto &function = *inner.function->proto;
  std::string where = "function " + quoteName(function.name());
  llvm::SaveAndRestore<const Call *> guard(call, &inner);
  Scope scope;
  for (auto [i, name] : llvm::enumerate(function.input()))
    if (failed(define(name, i < inputs.size() ? inputs[i] : getNone(), where,
                      scope)))
      return failure();
  if (failed(addNodes(function.node(), scope)))
    return failure();
  SmallVector<Value> outputs;
  for (const std::string &name : function.output()) {
    outputs.push_back(lookup(name, scope));
    if (!outputs.back())
      return state.reporter.malformed("output " + quoteName(name) + " of " +
                                      where + " is defined by nothing");
  }
  return outputs;
}

LogicalResult BodyBuilder::inlineCall(const NodeProto &node,
                                      const FunctionInfo &function,
                                      Scope &scope) {
  std::string where = describe(node);
  const FunctionProto &proto = *function.proto;
  auto reportCount = [&](StringRef what, int given, int most) {
    return state.reporter.malformed(
        where + " has " + Twine(given) + " " + what + ", but the function " +
        quoteName(proto.name()) + " has " + Twine(most));
  };
  if (node.input_size() > proto.input_size())
    return reportCount("inputs", node.input_size(), proto.input_size());
  if (node.output_size() > proto.output_size())
    return reportCount("outputs", node.output_size(), proto.output_size());
  FailureOr<BoundAttributes> attributes = bindAttributes(
      node, proto, call ? &call->attributes : nullptr, where, state);
  FailureOr<SmallVector<Value>> inputs = failure();
  if (succeeded(attributes))
    inputs = getInputs(node, scope);
  if (failed(inputs))
    return failure();

  Call inner{&function, std::move(*attributes),
             qualify(getNodeName(node)) + "/"};
  FailureOr<SmallVector<Value>> outputs = inlineBody(inner, *inputs);
  if (failed(outputs))
    return failure();
  for (auto [name, value] : llvm::zip(node.output(), *outputs))
    if (!name.empty() && failed(define(name, value, where, scope)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

LogicalResult BodyBuilder::addSubgraphInputs(const GraphProto &graph,
                                             Block &block, StringRef where,
                                             Scope &scope) {
  llvm::StringSet<> initializers = getInitializerNames(graph);
  for (const ::onnx::ValueInfoProto &input : graph.input()) {
    if (input.name().empty())
      return state.reporter.malformed(where + " has an input without a name");
    if (initializers.contains(input.name()))
      continue;
    DeclaredType declared{b.getType<ValueType>(), {}};
    if (input.has_type()) {
      FailureOr<DeclaredType> type =
          readType(input.type(),
                   (where + ": input " + quoteName(input.name())).str(), state);
      if (failed(type))
        return failure();
      declared = *type;
    }
    Value argument = block.addArgument(
        declared.type, NameLoc::get(b.getStringAttr(qualify(input.name()))));
    if (failed(define(input.name(), argument, where, scope)))
      return failure();
  }
  return success();
}

LogicalResult BodyBuilder::addSubgraph(const GraphProto &graph, Region &region,
                                       StringRef where, const Scope &outer) {
  // The scanner bounds the nesting in the file, but functions nest it again.
  llvm::SaveAndRestore<unsigned> depth(subgraphDepth, subgraphDepth + 1);
  if (subgraphDepth > state.options.maxSubgraphDepth)
    return state.reporter.unsupported(where + " is nested more than " +
                                      Twine(state.options.maxSubgraphDepth) +
                                      " levels deep");
  OpBuilder::InsertionGuard guard(b);
  Scope scope{&outer};
  Block *block = b.createBlock(&region);
  if (failed(addSubgraphInputs(graph, *block, where, scope)))
    return failure();
  FailureOr<SmallVector<Value>> outputs = buildGraph(graph, *block, scope);
  if (failed(outputs))
    return failure();
  ReturnOp::create(b, b.getUnknownLoc(), *outputs);
  return success();
}

LogicalResult BodyBuilder::addInitializer(const TensorProto &tensor,
                                          Scope &scope) {
  if (tensor.name().empty())
    return state.reporter.malformed("an initializer has no name");
  std::string where = "initializer " + quoteName(tensor.name());
  FailureOr<TypedAttr> value = readTensor(tensor, where, state);
  if (failed(value))
    return failure();
  StringAttr name = b.getStringAttr(qualify(tensor.name()));
  auto op = InitializerOp::create(b, NameLoc::get(name), (*value).getType(),
                                  name, *value);
  return define(tensor.name(), op.getResult(), where, scope);
}

FailureOr<SmallVector<Value>>
BodyBuilder::buildGraph(const GraphProto &graph, Block &block, Scope &scope) {
  b.setInsertionPointToEnd(&block);
  if (graph.sparse_initializer_size() != 0)
    return state.reporter.unsupported(
        "graph " + quoteName(graph.name()) +
        " has sparse initializers, which are not supported");
  for (const TensorProto &tensor : graph.initializer())
    if (failed(addInitializer(tensor, scope)))
      return failure();
  if (failed(addNodes(graph.node(), scope)))
    return failure();
  SmallVector<Value> outputs;
  for (const ::onnx::ValueInfoProto &output : graph.output()) {
    if (output.name().empty())
      return state.reporter.malformed("graph " + quoteName(graph.name()) +
                                      " has an output without a name");
    outputs.push_back(lookup(output.name(), scope));
    if (!outputs.back())
      return state.reporter.malformed("output " + quoteName(output.name()) +
                                      " of graph " + quoteName(graph.name()) +
                                      " is defined by nothing");
  }
  return outputs;
}
