//===- ONNXMatch.cpp - Questions about onnx nodes ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/ONNXMatch.h"

using namespace mlir;

namespace llmopt {

onnx::NodeOp getNode(Value value, StringRef opType, StringRef domain) {
  auto node = value ? value.getDefiningOp<onnx::NodeOp>() : onnx::NodeOp();
  if (node && node.getOpType() == opType && node.getDomain() == domain)
    return node;
  return {};
}

Value getInput(onnx::NodeOp node, unsigned index) {
  if (index >= node.getInputs().size())
    return {};
  Value input = node.getInputs()[index];
  return input.getDefiningOp<onnx::NoneOp>() ? Value() : input;
}

Value getUsedResult(onnx::NodeOp node, unsigned index) {
  if (index >= node.getNumResults() || node.getResult(index).use_empty())
    return {};
  return node.getResult(index);
}

Value lookThroughIntegerCasts(Value value) {
  while (onnx::NodeOp cast = getNode(value, "Cast")) {
    // 6 and 7 are INT32 and INT64 of TensorProto.
    int64_t to = getIntAttr(cast, "to", 0);
    if ((to != 6 && to != 7) || cast.getInputs().size() != 1)
      break;
    value = cast.getInputs()[0];
  }
  return value;
}

DenseElementsAttr getLiteral(Value value) {
  auto initializer = value ? value.getDefiningOp<onnx::InitializerOp>()
                           : onnx::InitializerOp();
  return initializer ? dyn_cast<DenseElementsAttr>(initializer.getValue())
                     : DenseElementsAttr();
}

std::optional<SmallVector<int64_t>> getIntegers(Value value) {
  DenseElementsAttr literal = getLiteral(value);
  if (!literal || literal.getType().getRank() > 1 ||
      !isa<IntegerType>(literal.getElementType()))
    return std::nullopt;
  SmallVector<int64_t> integers;
  for (const APInt &element : literal.getValues<APInt>())
    integers.push_back(element.getSExtValue());
  return integers;
}

std::optional<float> getScalarFloat(Value value) {
  DenseElementsAttr literal = getLiteral(value);
  if (!literal || literal.getNumElements() != 1 ||
      !isa<FloatType>(literal.getElementType()))
    return std::nullopt;
  APFloat number = *literal.getValues<APFloat>().begin();
  bool losesInfo = false;
  number.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
  return number.convertToFloat();
}

int64_t getIntAttr(onnx::NodeOp node, StringRef name, int64_t byDefault) {
  auto attribute = node.getNodeAttr<IntegerAttr>(name);
  return attribute ? attribute.getInt() : byDefault;
}

float getFloatAttr(onnx::NodeOp node, StringRef name, float byDefault) {
  auto attribute = node.getNodeAttr<FloatAttr>(name);
  return attribute ? attribute.getValue().convertToFloat() : byDefault;
}

RankedTensorType getFloatTensorType(Value value) {
  auto type =
      value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType();
  return type && type.getElementType().isF32() ? type : RankedTensorType();
}

StringRef getNodeName(Operation *op) {
  auto location = dyn_cast<NameLoc>(op->getLoc());
  return location ? location.getName().getValue() : StringRef();
}

std::optional<int64_t> normalizeAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return std::nullopt;
  return axis < 0 ? axis + rank : axis;
}

} // namespace llmopt
