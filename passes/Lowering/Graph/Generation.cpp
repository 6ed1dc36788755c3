//===- Generation.cpp - Operators that make elements of nothing -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reals.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// ConstantOfShape
//===----------------------------------------------------------------------===//

/// The only element of a literal, in the compute type; null for others.
static Value literalElement(GraphBuilder &g, TypedAttr attribute) {
  auto literal = dyn_cast<DenseElementsAttr>(attribute);
  if (!literal || literal.getNumElements() != 1)
    return {};
  ElementType type = literal.getElementType();
  Type compute = type.compute();
  if (type.isFloat()) {
    APFloat number = literal.getSplatValue<APFloat>();
    bool losesInfo = false;
    number.convert(cast<FloatType>(compute).getFloatSemantics(),
                   APFloat::rmNearestTiesToEven, &losesInfo);
    return arith::ConstantOp::create(g.b, g.loc,
                                     FloatAttr::get(compute, number));
  }
  APInt bits = literal.getSplatValue<APInt>();
  bool isUnsigned = type.isUnsigned() || type.isBool();
  return g.integer(compute, isUnsigned ? int64_t(bits.getZExtValue())
                                       : bits.getSExtValue());
}

static LogicalResult emitConstantOfShape(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Values> shape = numbersOf(node, 0, "shape");
  if (failed(shape))
    return failure();
  for (Value size : *shape)
    if (failed(asDimension(node, size)))
      return failure();
  ElementType type = g.b.getF32Type();
  Value element = g.constant(type.get(), 0);
  if (node.hasAttribute("value")) {
    auto value = node.op.getNodeAttr<TypedAttr>("value");
    element = value ? literalElement(g, value) : Value();
    if (!element)
      return node.refuse("attribute value must be a tensor of one number");
    type = cast<ShapedType>(value.getType()).getElementType();
  }
  node.setResult(0, filled(g, type, *shape, element));
  return success();
}

//===----------------------------------------------------------------------===//
// Range
//===----------------------------------------------------------------------===//

/// Length of a Range of integers; where the step is 0, anything.
static Value integerLength(GraphBuilder &g, Value start, Value limit,
                           Value delta) {
  // i64 arithmetic holds the distance of narrower ones.
  Value isBack = g.less(delta, 0);
  Value distance = g.select(isBack, g.sub(start, limit), g.sub(limit, start));
  Value step = g.select(isBack, g.sub(g.number(0), delta), delta);
  if (!g.isDimension(distance))
    distance = g.max(distance, 0);
  g.markDimension(distance);
  Value length = g.isKnown(step, 1)
                     ? distance
                     : g.div(g.add(distance, g.sub(step, 1)), g.max(step, 1));
  g.markDimension(length);
  return length;
}

/// Length of a Range of floats.
static FailureOr<Value> floatLength(Node &node, Value start, Value limit,
                                    Value delta) {
  GraphBuilder &g = node.g;
  constexpr double kMost = 1e15;
  auto from = Reals::known(start), to = Reals::known(limit),
       step = Reals::known(delta);
  if (from && to && step) {
    double length = std::max(std::ceil((*to - *from) / *step), 0.0);
    if (*step == 0 || !(length < kMost))
      return node.refuse("start, limit and delta give no length");
    return g.number(int64_t(length));
  }
  Type f64 = g.b.getF64Type();
  auto wide = [&](Value value) -> Value {
    if (value.getType() == f64)
      return value;
    return arith::ExtFOp::create(g.b, g.loc, f64, value);
  };
  Value distance = arith::SubFOp::create(g.b, g.loc, limit, start);
  Value steps = arith::DivFOp::create(g.b, g.loc, wide(distance), wide(delta));
  Value length = math::CeilOp::create(g.b, g.loc, steps);
  // NaN, which a step of 0 gives, is not less, either.
  Value fits = arith::CmpFOp::create(g.b, g.loc, arith::CmpFPredicate::OLT,
                                     length, g.constant(f64, kMost));
  g.require(fits, node.describe() + ": start, limit and delta give no length");
  length = arith::MaximumFOp::create(g.b, g.loc, length, g.constant(f64, 0));
  Value number = arith::FPToSIOp::create(g.b, g.loc, g.b.getI64Type(), length);
  g.markDimension(number);
  return number;
}

/// start + number * delta in the compute type.
static Value rangeElement(GraphBuilder &g, ElementType type, Value start,
                          Value delta, Value number, int64_t lanes) {
  ElementType i64 = g.b.getI64Type();
  number = consecutive(g, number, lanes);
  Value scaled = g.isKnown(delta, 1)
                     ? castElement(g, number, i64, type)
                     : mulValues(g, castElement(g, number, i64, type),
                                 g.splat(delta, lanes));
  return addValues(g, g.splat(start, lanes), scaled);
}

static LogicalResult emitRange(Node &node) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  Values values;
  for (size_t i = 0; i < 3; ++i) {
    if (failed(node.requireType(i, type)))
      return failure();
    std::optional<Values> element = node.elements(i);
    if (!element || element->size() != 1)
      return node.refuse("start, limit and delta must have one element");
    values.push_back(element->front());
  }
  if (type.isBool())
    return node.refuse("start, limit and delta must be numbers");
  Value start = values[0], delta = values[2], length;
  if (type.isFloat()) {
    FailureOr<Value> found = floatLength(node, start, values[1], delta);
    if (failed(found))
      return failure();
    length = *found;
  } else {
    Value step = asNumber(g, type, delta);
    if (g.isKnown(step, 0))
      return node.refuse("delta is 0");
    g.require(g.logicalNot(g.equal(step, 0)), node.describe() + ": delta is 0");
    length = integerLength(g, asNumber(g, type, start),
                           asNumber(g, type, values[1]), step);
  }
  std::optional<int64_t> count = g.known(length);
  if (count && *count <= kMaxScalars) {
    Values elements;
    for (int64_t i = 0; i < *count; ++i)
      elements.push_back(rangeElement(g, type, start, delta, g.number(i), 1));
    node.setResult(0, g.scalars(type, {length}, elements));
    return success();
  }
  Tensor result = makeExpression(
      type, {length}, {}, [=](GraphBuilder &g, const Access &access) {
        Value number = access.linear ? access.linear : access.indices[0];
        return rangeElement(g, type, start, delta, number, access.lanes);
      });
  result.isLinear = true;
  result.hasLanes = !type.isMiniFloat();
  node.setResult(0, result);
  return success();
}

//===----------------------------------------------------------------------===//
// EyeLike
//===----------------------------------------------------------------------===//

static LogicalResult emitEyeLike(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  if (input.rank() != 2)
    return node.refuse("its input has " + Twine(input.rank()) +
                       " dimensions, expected 2");
  ElementType type = input.type;
  if (node.hasAttribute("dtype")) {
    int64_t number = node.attribute("dtype", int64_t(0));
    auto wanted = ElementType::fromNumber(number, g.b.getContext());
    if (!wanted)
      return node.refuse("cannot make elements of type " + Twine(number));
    type = *wanted;
  }
  Value zero = g.constant(type.compute(), 0);
  Value one = g.constant(type.compute(), 1);
  int64_t diagonal = node.attribute("k", int64_t(0));
  node.setResult(0, computed(g, type, input.dims, {}, /*fold=*/true,
                             [=](GraphBuilder &g, ArrayRef<Value> at) {
                               Value isOne =
                                   g.equal(at[1], g.add(at[0], diagonal));
                               return g.select(isOne, one, zero);
                             }));
  return success();
}

static const OperatorRow rows[] = {
    {"ConstantOfShape", emitConstantOfShape, 1, 1},
    {"EyeLike", emitEyeLike, 1, 1},
    {"Range", emitRange, 3, 3},
};

ArrayRef<OperatorRow> generationOperators() { return rows; }

} // namespace llmopt::graph
