//===- NodeEmitter.cpp - Access to a node for its emitter -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/NodeEmitter.h"
#include "passes/Lowering/Graph/ChannelsLast.h"
#include "passes/Lowering/Graph/GraphEmitter.h"

using namespace mlir;

namespace llmopt::graph {

Node::Node(GraphEmitter &emitter, GraphBuilder &g, onnx::NodeOp op)
    : emitter(emitter), g(g), op(op), results(op->getNumResults()) {
  bool isAware = readsChannelsLast(op);
  for (Value value : op.getInputs()) {
    if (!isAware && value.getParentBlock() == op->getBlock())
      emitter.requireKnownLayout(value);
    Tensor *tensor =
        value.getDefiningOp<onnx::NoneOp>() ? nullptr : emitter.find(value);
    // What is computed inside of a region is not known outside of it.
    if (tensor && value.getParentBlock() != op->getBlock()) {
      captured.push_back(std::make_unique<Tensor>(*tensor));
      tensor = captured.back().get();
    }
    inputs.push_back(tensor);
  }
}

StringRef Node::name() const {
  Location loc = op->getLoc();
  if (auto name = dyn_cast<NameLoc>(loc))
    return name.getName();
  return onnx::NodeOp(op).getOpType();
}

StringRef Node::opType() const { return onnx::NodeOp(op).getOpType(); }

int64_t Node::version() const {
  return onnx::NodeOp(op).getOpsetVersion().value_or(1);
}

const Tensor &Node::buffer(size_t index) {
  Tensor &tensor = *inputs[index];
  if (!tensor.buffer) {
    Tensor made = g.materialize(tensor);
    // Scalars stay known.
    tensor.buffer = made.buffer;
    tensor.expression = nullptr;
  }
  return tensor;
}

std::optional<Values> Node::elements(size_t index) {
  Tensor &tensor = *inputs[index];
  std::optional<Values> elements = g.elementsOf(tensor);
  if (elements && !tensor.hasElements) {
    tensor.elements.assign(elements->begin(), elements->end());
    tensor.hasElements = true;
  }
  return elements;
}

bool Node::needsResult(size_t index) const {
  return index < op->getNumResults() && !op->getResult(index).use_empty();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

bool Node::hasAttribute(StringRef name) const {
  return bool(onnx::NodeOp(op).getNodeAttr(name));
}

int64_t Node::attribute(StringRef name, int64_t byDefault) const {
  auto value = onnx::NodeOp(op).getNodeAttr<IntegerAttr>(name);
  return value ? value.getValue().getSExtValue() : byDefault;
}

double Node::attribute(StringRef name, double byDefault) const {
  auto value = onnx::NodeOp(op).getNodeAttr<FloatAttr>(name);
  return value ? value.getValueAsDouble() : byDefault;
}

std::string Node::attribute(StringRef name, StringRef byDefault) const {
  auto value = onnx::NodeOp(op).getNodeAttr<StringAttr>(name);
  return value ? value.str() : byDefault.str();
}

std::optional<SmallVector<int64_t>> Node::integers(StringRef name) const {
  auto value = onnx::NodeOp(op).getNodeAttr<DenseI64ArrayAttr>(name);
  if (!value)
    return std::nullopt;
  return SmallVector<int64_t>(value.asArrayRef());
}

std::optional<SmallVector<double>> Node::floats(StringRef name) const {
  auto value = onnx::NodeOp(op).getNodeAttr<DenseF32ArrayAttr>(name);
  if (!value)
    return std::nullopt;
  return SmallVector<double>(value.asArrayRef().begin(),
                             value.asArrayRef().end());
}

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

FailureOr<int64_t> Node::axis(int64_t axis, int64_t rank) {
  if (axis >= -rank && axis < rank)
    return axis < 0 ? axis + rank : axis;
  return refuse("axis " + Twine(axis) + " is out of range for " + Twine(rank) +
                " dimensions");
}

static std::string asString(ElementType type) {
  std::string text;
  llvm::raw_string_ostream(text) << type.get();
  return text;
}

LogicalResult Node::requireFloat(size_t index) {
  if (input(index).type.isFloat())
    return success();
  return refuse("input " + Twine(index) + " has element type " +
                asString(input(index).type) + ", expected a float type");
}

LogicalResult Node::requireType(size_t index, ElementType type) {
  if (input(index).type == type)
    return success();
  return refuse("input " + Twine(index) + " has element type " +
                asString(input(index).type) + ", expected " + asString(type));
}

LogicalResult Node::refuse(const Twine &what) {
  StringRef domain = op.getDomain();
  return op->emitError() << "node '" << name() << "': operator " << opType()
                         << " (domain "
                         << (domain.empty() ? StringRef(onnx::kDefaultDomain)
                                            : domain)
                         << ", version " << version() << "): " << what;
}

std::string Node::describe() const {
  return (opType() + " '" + name() + "'").str();
}

} // namespace llmopt::graph
