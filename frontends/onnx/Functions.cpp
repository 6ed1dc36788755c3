//===- Functions.cpp - Functions that a model defines -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/Functions.h"
#include "frontends/onnx/ModelChecks.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;
using ::onnx::AttributeProto;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

using Nodes = google::protobuf::RepeatedPtrField<NodeProto>;

/// Identifies a function of a model among the operators.
static std::string getFunctionKey(StringRef domain, StringRef name,
                                  StringRef overload) {
  // A NUL cannot make two different triples equal, because lengths come first.
  return (Twine(domain.size()) + ":" + Twine(name.size()) + ":" + domain +
          name + overload)
      .str();
}

/// The key of what a node calls, or of a function itself.
static std::string getKey(const NodeProto &node) {
  return getFunctionKey(normalizeDomain(node.domain()), node.op_type(),
                        node.overload());
}

static std::string getKey(const FunctionProto &function) {
  return getFunctionKey(normalizeDomain(function.domain()), function.name(),
                        function.overload());
}

const FunctionInfo *llmopt::onnx::findFunction(const NodeProto &node,
                                               const ImportState &state) {
  if (state.functions.empty())
    return nullptr;
  auto it = state.functions.find(getKey(node));
  return it == state.functions.end() ? nullptr : &it->second;
}

namespace {

/// Bounds what inlining makes of a model, before anything is built.
class CallChecker {
public:
  explicit CallChecker(ImportState &state) : state(state) {}

  LogicalResult check(const ::onnx::ModelProto &model);

private:
  /// What a body becomes once all its calls are inlined. The size counts nodes;
  /// long lists and tensors by value count as several.
  struct Extent {
    uint64_t size = 0;
    unsigned depth = 0;
  };

  FailureOr<Extent> visitFunction(const FunctionInfo &function);
  LogicalResult visitNodes(const Nodes &nodes, Extent &extent);
  LogicalResult visitGraph(const GraphProto &graph, Extent &extent);
  LogicalResult visitCall(const FunctionInfo &function, Extent &extent);
  LogicalResult checkLimits(const Extent &extent);
  LogicalResult reportRecursion(const FunctionInfo &function);

  ImportState &state;
  llvm::DenseMap<const FunctionInfo *, Extent> done;
  /// The functions being visited, each called by the one before.
  SmallVector<const FunctionInfo *> stack;
};

} // namespace

LogicalResult CallChecker::reportRecursion(const FunctionInfo &function) {
  std::string path;
  for (const FunctionInfo *caller : ArrayRef(stack).drop_until(
           [&](const FunctionInfo *caller) { return caller == &function; }))
    path += quoteName(caller->proto->name()) + " calls ";
  return state.reporter.malformed("the functions of the model are recursive: " +
                                  path + quoteName(function.proto->name()));
}

LogicalResult CallChecker::checkLimits(const Extent &extent) {
  if (stack.size() + extent.depth > state.options.maxCallDepth)
    return state.reporter.unsupported(
        "calls of the model's functions are nested more than " +
        Twine(state.options.maxCallDepth) + " levels deep");
  if (extent.size > state.options.maxInlinedNodes)
    return state.reporter.unsupported(
        "inlining the functions of the model makes more than " +
        Twine(state.options.maxInlinedNodes) + " nodes");
  return success();
}

LogicalResult CallChecker::visitCall(const FunctionInfo &function,
                                     Extent &extent) {
  FailureOr<Extent> callee = visitFunction(function);
  if (failed(callee))
    return failure();
  extent.size = llvm::SaturatingAdd(extent.size, callee->size);
  extent.depth = std::max(extent.depth, callee->depth + 1);
  return checkLimits(extent);
}

LogicalResult CallChecker::visitNodes(const Nodes &nodes, Extent &extent) {
  for (const NodeProto &node : nodes) {
    // Outside of functions, only what is inlined counts.
    if (!stack.empty())
      extent.size += 1 + (node.input_size() + node.output_size()) / 8;
    if (const FunctionInfo *function = findFunction(node, state))
      if (failed(visitCall(*function, extent)))
        return failure();
    for (const AttributeProto &attribute : node.attribute())
      if (attribute.has_g() && failed(visitGraph(attribute.g(), extent)))
        return failure();
  }
  return success();
}

LogicalResult CallChecker::visitGraph(const GraphProto &graph, Extent &extent) {
  constexpr size_t kBytesPerNode = 1024;
  if (!stack.empty())
    for (const TensorProto &tensor : graph.initializer())
      extent.size += 1 + tensor.ByteSizeLong() / kBytesPerNode;
  return visitNodes(graph.node(), extent);
}

FailureOr<CallChecker::Extent>
CallChecker::visitFunction(const FunctionInfo &function) {
  if (auto it = done.find(&function); it != done.end())
    return it->second;
  if (llvm::is_contained(stack, &function))
    return reportRecursion(function);
  stack.push_back(&function);
  Extent extent;
  if (failed(checkLimits(extent)) ||
      failed(visitNodes(function.proto->node(), extent)))
    return failure();
  stack.pop_back();
  done[&function] = extent;
  return extent;
}

LogicalResult CallChecker::check(const ::onnx::ModelProto &model) {
  for (const FunctionProto &function : model.functions())
    if (failed(visitFunction(state.functions.find(getKey(function))->second)))
      return failure();
  Extent extent;
  return visitGraph(model.graph(), extent);
}

LogicalResult llmopt::onnx::readFunctions(const ::onnx::ModelProto &model,
                                          ImportState &state) {
  for (const FunctionProto &function : model.functions()) {
    std::string where = "function " + quoteName(function.name());
    FailureOr<OpsetVersions> opsets =
        readOpsets(function.opset_import(), where + ": ", state);
    if (failed(opsets))
      return failure();
    FunctionInfo info{&function, std::move(*opsets)};
    if (!state.functions.try_emplace(getKey(function), std::move(info)).second)
      return state.reporter.malformed(
          "the model defines the function " + quoteName(function.name()) +
          " of domain " + quoteName(function.domain()) + " twice");
  }
  return CallChecker(state).check(model);
}
