//===- GraphBuilder.cpp - Builds the IR of graphs ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/GraphBuilder.h"
#include "frontends/onnx/BodyBuilder.h"
#include "frontends/onnx/TypeReader.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;

namespace {

/// Builds the function of the main graph.
class GraphBuilder {
public:
  /// `function` has an empty block without arguments.
  GraphBuilder(func::FuncOp function, ImportState &state)
      : function(function), state(state), b(state.context),
        body(function.getBody().front(), state) {}

  LogicalResult build(const ::onnx::GraphProto &graph);

private:
  LogicalResult addArguments(const ::onnx::GraphProto &graph, Scope &scope);
  LogicalResult addResults(const ::onnx::GraphProto &graph,
                           ArrayRef<Value> values);

  func::FuncOp function;
  ImportState &state;
  OpBuilder b;
  BodyBuilder body;
};

} // namespace

LogicalResult GraphBuilder::addArguments(const ::onnx::GraphProto &graph,
                                         Scope &scope) {
  llvm::StringSet<> initializers = getInitializerNames(graph);
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
    if (failed(body.define(input.name(), argument, where, scope)))
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
  if (failed(addArguments(graph, scope)))
    return failure();
  Block &block = function.getBody().front();
  FailureOr<SmallVector<Value>> outputs = body.buildGraph(graph, block, scope);
  if (failed(outputs))
    return failure();
  b.setInsertionPointToEnd(&block);
  func::ReturnOp::create(b, b.getUnknownLoc(), *outputs);
  return addResults(graph, *outputs);
}

LogicalResult llmopt::onnx::buildMain(const ::onnx::GraphProto &graph,
                                      ModuleOp module, ImportState &state) {
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  auto function = func::FuncOp::create(b, module.getLoc(), "main",
                                       b.getFunctionType({}, {}));
  function.addEntryBlock();
  return GraphBuilder(function, state).build(graph);
}
