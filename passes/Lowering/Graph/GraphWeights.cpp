//===- GraphWeights.cpp - Constants of a graph in the weights ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/GraphWeights.h"
#include "dialects/Kernel/KernelOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/WeightParts.h"
#include "target/CallLayout.h"

using namespace mlir;

namespace llmopt::graph {

/// Known scalars of floats cost an operation each; few are ever asked for.
static constexpr int64_t kMaxFloatScalars = 16;

GraphWeights::GraphWeights(GraphBuilder &g) : g(g) {
  base = g.load(g.call.getType(),
                g.at(g.call, g.number(GraphCallLayout::weights)));
}

/// Null for what has no elements.
static kernel::WeightDataOp placedData(Operation *constant) {
  auto symbol =
      constant->getAttrOfType<FlatSymbolRefAttr>(kPlacedConstantAttrName);
  return symbol ? SymbolTable::lookupNearestSymbolFrom<kernel::WeightDataOp>(
                      constant, symbol)
                : kernel::WeightDataOp();
}

Value GraphWeights::data(Operation *constant) {
  kernel::WeightDataOp placed = placedData(constant);
  return placed ? g.at(base, g.number(placed.getOffset())) : base;
}

/// What the packed bytes are if they are the weights of convolutions.
static std::optional<ConvWeights> convolution(Operation *constant) {
  kernel::WeightDataOp placed = placedData(constant);
  auto part = placed ? cast<DictionaryAttr>(placed.getParts()[0]) : nullptr;
  auto taps = part ? part.getAs<IntegerAttr>("taps") : nullptr;
  if (!taps)
    return std::nullopt;
  return convWeights(cast<kernel::WeightType>(placed.getType()), taps.getInt());
}

/// The elements of a literal as constants of the compute type.
static std::vector<Value>
literalElements(GraphBuilder &g, DenseElementsAttr literal, ElementType type) {
  std::vector<Value> elements;
  Type compute = type.compute();
  if (type.isFloat()) {
    for (const APFloat &value : literal.getValues<APFloat>()) {
      APFloat number = value;
      bool losesInfo = false;
      number.convert(cast<FloatType>(compute).getFloatSemantics(),
                     APFloat::rmNearestTiesToEven, &losesInfo);
      elements.push_back(arith::ConstantOp::create(
          g.b, g.loc, FloatAttr::get(compute, number)));
    }
    return elements;
  }
  for (const APInt &value : literal.getValues<APInt>())
    elements.push_back(g.integer(compute, type.isUnsigned() || type.isBool()
                                              ? int64_t(value.getZExtValue())
                                              : value.getSExtValue()));
  return elements;
}

Tensor GraphWeights::constant(onnx::InitializerOp initializer) {
  TypedAttr value = initializer.getValue();
  auto type = cast<RankedTensorType>(value.getType());
  Tensor tensor;
  tensor.type = type.getElementType();
  for (int64_t dim : type.getShape())
    tensor.dims.push_back(g.number(dim));
  int64_t count = type.getNumElements();
  bool isFile = isa<onnx::FileBlobAttr>(value);
  int64_t most = tensor.type.isFloat() ? kMaxFloatScalars : kMaxScalars;
  if (auto literal = dyn_cast<DenseElementsAttr>(value);
      literal && count <= most) {
    tensor.elements = literalElements(g, literal, tensor.type);
    tensor.hasElements = true;
  }
  if (count > 1 || !tensor.hasElements) {
    tensor.buffer =
        std::make_shared<Buffer>(data(initializer), /*isOwned=*/false);
    tensor.buffer->convolution = convolution(initializer);
    tensor.buffer->isPacked =
        isFile && tensor.type.bits() < 8 && !tensor.type.isBool();
  }
  return tensor;
}

} // namespace llmopt::graph
