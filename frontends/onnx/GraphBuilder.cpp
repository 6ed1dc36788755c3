//===- GraphBuilder.cpp - Builds the IR of graphs ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/GraphBuilder.h"
#include "dialects/ONNX/ONNXOps.h"
#include "frontends/onnx/AttributeReader.h"
#include "frontends/onnx/TensorReader.h"
#include "frontends/onnx/TypeReader.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;

namespace {

/// The values of one graph by name. Names of the graphs around it are visible.
struct Scope {
  const Scope *parent = nullptr;
  llvm::StringMap<Value> values;
  /// The nodes of the graph that define a name, for messages.
  llvm::StringMap<const ::onnx::NodeProto *> producers;
};

/// Builds one function.
class GraphBuilder {
public:
  GraphBuilder(func::FuncOp function, ImportState &state)
      : function(function), state(state), b(state.context) {}

  LogicalResult build(const ::onnx::GraphProto &graph);

private:
  LogicalResult addArguments(const ::onnx::GraphProto &graph, Scope &scope);
  LogicalResult addResults(const ::onnx::GraphProto &graph,
                           ArrayRef<Value> values);

  /// Adds initializers and nodes at the end of `block`, and returns the values
  /// of the outputs of the graph.
  FailureOr<SmallVector<Value>> buildBody(const ::onnx::GraphProto &graph,
                                          Block *block, Scope &scope);
  LogicalResult addInitializer(const ::onnx::TensorProto &tensor, Scope &scope);
  LogicalResult addNode(const ::onnx::NodeProto &node, unsigned number,
                        Scope &scope);
  LogicalResult checkOperator(const ::onnx::NodeProto &node);
  /// Creates the op with empty regions.
  NodeOp createNode(const ::onnx::NodeProto &node, unsigned number,
                    ArrayRef<Value> inputs, const NodeAttributes &attributes);
  LogicalResult addSubgraph(const ::onnx::GraphProto &graph, Region &region,
                            StringRef where, const Scope &outer);

  FailureOr<SmallVector<Value>> getInputs(const ::onnx::NodeProto &node,
                                          const Scope &scope);
  LogicalResult define(StringRef name, Value value, StringRef where,
                       Scope &scope);
  /// The value that stands for an input left out.
  Value getNone();
  Location getLocation(StringRef name, unsigned number);

  func::FuncOp function;
  ImportState &state;
  OpBuilder b;
  Value none;
};

} // namespace

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// How messages call a node.
static std::string describe(const ::onnx::NodeProto &node) {
  std::string type = quoteName(node.op_type());
  if (!node.name().empty())
    return "node " + quoteName(node.name()) + " (" + type + ")";
  StringRef output = node.output_size() ? StringRef(node.output(0)) : "";
  return "node (" + type + ") of output " + quoteName(output);
}

static Value lookup(StringRef name, const Scope &scope) {
  for (const Scope *s = &scope; s; s = s->parent)
    if (Value value = s->values.lookup(name))
      return value;
  return {};
}

LogicalResult GraphBuilder::define(StringRef name, Value value, StringRef where,
                                   Scope &scope) {
  if (lookup(name, scope))
    return state.reporter.malformed(where + ": the value " + quoteName(name) +
                                    " is defined twice");
  scope.values[name] = value;
  return success();
}

Value GraphBuilder::getNone() {
  if (!none) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    none = NoneOp::create(b, b.getUnknownLoc(), b.getType<ValueType>());
  }
  return none;
}

Location GraphBuilder::getLocation(StringRef name, unsigned number) {
  Location file = FileLineColLoc::get(state.context, state.fileName, number, 0);
  return NameLoc::get(b.getStringAttr(name), file);
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

LogicalResult GraphBuilder::checkOperator(const ::onnx::NodeProto &node) {
  StringRef domain = normalizeDomain(node.domain());
  if (node.op_type().empty())
    return state.reporter.malformed(describe(node) + " names no operator");
  if (state.functions.contains(
          getFunctionKey(domain, node.op_type(), node.overload())))
    return state.reporter.unsupported(
        describe(node) + " calls the function " + quoteName(node.op_type()) +
        " of the model, which is not supported; export the model with its "
        "functions inlined");
  if (!node.overload().empty())
    return state.reporter.malformed(describe(node) + " names the overload " +
                                    quoteName(node.overload()) +
                                    " of no function of the model");
  if (!state.opsets.contains(domain))
    return state.reporter.malformed(
        describe(node) + " belongs to the domain " + quoteName(domain) +
        ", whose operator set the model does not import");
  return success();
}

FailureOr<SmallVector<Value>>
GraphBuilder::getInputs(const ::onnx::NodeProto &node, const Scope &scope) {
  SmallVector<Value> inputs;
  for (const std::string &name : node.input()) {
    Value value = name.empty() ? getNone() : lookup(name, scope);
    if (!value) {
      const ::onnx::NodeProto *producer = scope.producers.lookup(name);
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

LogicalResult GraphBuilder::addSubgraph(const ::onnx::GraphProto &graph,
                                        Region &region, StringRef where,
                                        const Scope &outer) {
  OpBuilder::InsertionGuard guard(b);
  Scope scope;
  scope.parent = &outer;
  Block *block = b.createBlock(&region);
  for (const ::onnx::ValueInfoProto &input : graph.input()) {
    DeclaredType declared{b.getType<ValueType>(), {}};
    std::string whereInput =
        (where + ": input " + quoteName(input.name())).str();
    if (input.name().empty())
      return state.reporter.malformed(where + " has an input without a name");
    if (input.has_type()) {
      FailureOr<DeclaredType> type = readType(input.type(), whereInput, state);
      if (failed(type))
        return failure();
      declared = *type;
    }
    Value argument = block->addArgument(
        declared.type, NameLoc::get(b.getStringAttr(input.name())));
    if (failed(define(input.name(), argument, where, scope)))
      return failure();
  }
  FailureOr<SmallVector<Value>> outputs = buildBody(graph, block, scope);
  if (failed(outputs))
    return failure();
  ReturnOp::create(b, b.getUnknownLoc(), *outputs);
  return success();
}

NodeOp GraphBuilder::createNode(const ::onnx::NodeProto &node, unsigned number,
                                ArrayRef<Value> inputs,
                                const NodeAttributes &attributes) {
  SmallVector<StringRef> outputs(node.output().begin(), node.output().end());
  SmallVector<StringRef> graphNames;
  for (const ::onnx::AttributeProto *attribute : attributes.graphs)
    graphNames.push_back(attribute->name());
  // A node without a name is known by its first output.
  StringRef name = node.name();
  if (name.empty() && !outputs.empty())
    name = outputs.front();
  if (name.empty())
    name = node.op_type();
  return NodeOp::create(
      b, getLocation(name, number),
      SmallVector<Type>(outputs.size(), b.getType<ValueType>()),
      b.getStringAttr(node.op_type()),
      b.getStringAttr(normalizeDomain(node.domain())),
      /*version=*/IntegerAttr(), inputs, attributes.values,
      state.options.keepOutputNames ? b.getStrArrayAttr(outputs) : ArrayAttr(),
      b.getStrArrayAttr(graphNames), graphNames.size());
}

LogicalResult GraphBuilder::addNode(const ::onnx::NodeProto &node,
                                    unsigned number, Scope &scope) {
  if (failed(checkOperator(node)))
    return failure();
  std::string where = describe(node);
  FailureOr<NodeAttributes> attributes = readAttributes(node, where, state);
  if (failed(attributes))
    return failure();
  FailureOr<SmallVector<Value>> inputs = getInputs(node, scope);
  if (failed(inputs))
    return failure();

  NodeOp op = createNode(node, number, *inputs, *attributes);
  for (auto [attribute, region] :
       llvm::zip(attributes->graphs, op.getSubgraphs())) {
    std::string whereGraph =
        where + ": subgraph " + quoteName(attribute->name());
    if (failed(addSubgraph(attribute->g(), region, whereGraph, scope)))
      return failure();
  }
  for (auto [name, result] : llvm::zip(node.output(), op.getResults()))
    if (!name.empty() && failed(define(name, result, where, scope)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

LogicalResult GraphBuilder::addInitializer(const ::onnx::TensorProto &tensor,
                                           Scope &scope) {
  if (tensor.name().empty())
    return state.reporter.malformed("an initializer has no name");
  std::string where = "initializer " + quoteName(tensor.name());
  FailureOr<TypedAttr> value = readTensor(tensor, where, state);
  if (failed(value))
    return failure();
  auto op = InitializerOp::create(
      b, NameLoc::get(b.getStringAttr(tensor.name())), (*value).getType(),
      b.getStringAttr(tensor.name()), *value);
  return define(tensor.name(), op.getResult(), where, scope);
}

FailureOr<SmallVector<Value>>
GraphBuilder::buildBody(const ::onnx::GraphProto &graph, Block *block,
                        Scope &scope) {
  b.setInsertionPointToEnd(block);
  if (graph.sparse_initializer_size() != 0)
    return state.reporter.unsupported(
        "graph " + quoteName(graph.name()) +
        " has sparse initializers, which are not supported");
  for (const ::onnx::TensorProto &tensor : graph.initializer())
    if (failed(addInitializer(tensor, scope)))
      return failure();
  for (const ::onnx::NodeProto &node : graph.node())
    for (const std::string &output : node.output())
      scope.producers[output] = &node;
  unsigned number = 0;
  for (const ::onnx::NodeProto &node : graph.node())
    if (failed(addNode(node, ++number, scope)))
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

LogicalResult GraphBuilder::addArguments(const ::onnx::GraphProto &graph,
                                         Scope &scope) {
  llvm::StringSet<> initializers;
  for (const ::onnx::TensorProto &tensor : graph.initializer())
    initializers.insert(tensor.name());
  Block &block = function.getBody().front();
  SmallVector<DictionaryAttr> attributes;
  for (const ::onnx::ValueInfoProto &input : graph.input()) {
    if (input.name().empty())
      return state.reporter.malformed("the model has an input without a name");
    if (initializers.contains(input.name()))
      continue;
    std::string where = "input " + quoteName(input.name());
    FailureOr<DeclaredType> declared = readType(input.type(), where, state);
    if (failed(declared))
      return failure();
    NamedAttrList list;
    list.set(kNameAttr, b.getStringAttr(input.name()));
    if (declared->dims)
      list.set(kDimsAttr, declared->dims);
    attributes.push_back(list.getDictionary(state.context));
    Value argument = block.addArgument(
        declared->type, NameLoc::get(b.getStringAttr(input.name())));
    if (failed(define(input.name(), argument, where, scope)))
      return failure();
  }
  function.setFunctionType(
      b.getFunctionType(block.getArgumentTypes(), TypeRange()));
  function.setAllArgAttrs(attributes);
  return success();
}

LogicalResult GraphBuilder::addResults(const ::onnx::GraphProto &graph,
                                       ArrayRef<Value> values) {
  if (values.empty())
    return state.reporter.malformed("the model has no outputs");
  llvm::StringSet<> names;
  SmallVector<DictionaryAttr> attributes;
  for (const ::onnx::ValueInfoProto &output : graph.output()) {
    std::string where = "output " + quoteName(output.name());
    if (!names.insert(output.name()).second)
      return state.reporter.malformed(where + " is given twice");
    NamedAttrList list;
    list.set(kNameAttr, b.getStringAttr(output.name()));
    if (output.has_type()) {
      FailureOr<DeclaredType> declared = readType(output.type(), where, state);
      if (failed(declared))
        return failure();
      list.set(kTypeAttr, TypeAttr::get(declared->type));
      if (declared->dims)
        list.set(kDimsAttr, declared->dims);
    }
    attributes.push_back(list.getDictionary(state.context));
  }
  function.setFunctionType(b.getFunctionType(function.getArgumentTypes(),
                                             TypeRange(ValueRange(values))));
  function.setAllResultAttrs(attributes);
  return success();
}

LogicalResult GraphBuilder::build(const ::onnx::GraphProto &graph) {
  Scope scope;
  Block *block = b.createBlock(&function.getBody());
  if (failed(addArguments(graph, scope)))
    return failure();
  FailureOr<SmallVector<Value>> outputs = buildBody(graph, block, scope);
  if (failed(outputs))
    return failure();
  func::ReturnOp::create(b, b.getUnknownLoc(), *outputs);
  return addResults(graph, *outputs);
}

LogicalResult llmopt::onnx::buildMain(const ::onnx::GraphProto &graph,
                                      ModuleOp module, ImportState &state) {
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  auto function = func::FuncOp::create(b, module.getLoc(), "main",
                                       b.getFunctionType({}, {}));
  return GraphBuilder(function, state).build(graph);
}
