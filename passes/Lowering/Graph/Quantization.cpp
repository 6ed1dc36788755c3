//===- Quantization.cpp - QuantizeLinear and its inverse ---------*- C++
//-*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Quantization.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

static constexpr llvm::StringLiteral kMicrosoft = "com.microsoft";

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

Value toInt32(GraphBuilder &g, Value value, ElementType type) {
  return castElement(g, value, type, g.b.getI32Type());
}

Real toFloat32(GraphBuilder &g, Value value, ElementType type) {
  return {g, castElement(g, value, type, g.b.getF32Type())};
}

Value quantizeToInteger(const Real &x, Value zero, ElementType type) {
  GraphBuilder &g = x.builder();
  bool isUnsigned = type.isUnsigned();
  int64_t count = int64_t(1) << type.bits();
  double low = isUnsigned ? 0 : double(-count / 2);
  double high = double(isUnsigned ? count : count / 2) - 1;
  Real offset = toFloat32(g, zero, g.b.getI32Type());
  Real least = low - offset, most = high - offset;
  Real rounded = x.apply<math::RoundEvenOp>();
  rounded = choose(least < rounded, rounded, least);
  rounded = choose(rounded < most, rounded, most);
  Value integer = fold<arith::FPToSIOp>(
      g, GraphBuilder::withLanes(g.b.getI32Type(), x.lanes()), Value(rounded));
  Value sum = fold<arith::AddIOp>(g, integer, zero);
  return castElement(g, sum, g.b.getI32Type(), type);
}

/// (x - zero) as f32.
static Real centered(GraphBuilder &g, Value x, Value zero, ElementType type) {
  if (type.isFloat()) {
    Real real(g, x);
    return zero ? real - Real(g, zero) : real;
  }
  Value integer = toInt32(g, x, type);
  if (zero)
    integer = fold<arith::SubIOp>(g, integer, toInt32(g, zero, type));
  return toFloat32(g, integer, g.b.getI32Type());
}

//===----------------------------------------------------------------------===//
// Scales and zero points
//===----------------------------------------------------------------------===//

/// Elements [index, index + lanes) of the last dimension, each of its block.
static Value blockLanes(GraphBuilder &g, const Tensor &scale, Values indices,
                        int64_t lanes, Value blockSize) {
  Value index = indices.back();
  Value first = g.div(index, blockSize);
  Value last = g.div(g.add(index, lanes - 1), blockSize);
  auto blockElement = [&](Value block) {
    indices.back() = block;
    return g.element(scale, indices);
  };
  Type type = g.withLanes(scale.type.compute(), lanes);
  return g.ifElse(
      g.equal(first, last), type,
      [&]() -> Values { return {g.splat(blockElement(first), lanes)}; },
      [&]() -> Values {
        return g.loop(g.number(lanes), ValueRange{g.constant(type, 0)},
                      [&](Value lane, ValueRange carried) -> Values {
                        Value value =
                            blockElement(g.div(g.add(index, lane), blockSize));
                        Value place = arith::IndexCastOp::create(
                            g.b, g.loc, g.b.getIndexType(), lane);
                        return {vector::InsertOp::create(g.b, g.loc, value,
                                                         carried[0], place)};
                      });
      })[0];
}

/// A scale or zero point that holds for blocks along an axis, as a tensor of
/// the shape of x.
static FailureOr<Tensor> blockedParameter(Node &node, size_t index,
                                          int64_t blockSize) {
  GraphBuilder &g = node.g;
  const Tensor &x = node.input(0);
  FailureOr<int64_t> axis =
      node.axis(node.attribute("axis", int64_t(1)), x.rank());
  if (failed(axis))
    return failure();
  if (node.input(index).rank() != x.rank())
    return node.refuse("input " + Twine(index) + " has " +
                       Twine(node.input(index).rank()) +
                       " dimensions; with blocks it has those of the first "
                       "input, which are " +
                       Twine(x.rank()));
  Tensor scale = node.buffer(index);
  Value size = g.number(blockSize);
  for (int64_t i = 0; i < x.rank(); ++i) {
    Value expected = i == *axis ? g.divideCeil(x.dims[i], size) : x.dims[i];
    g.require(g.equal(scale.dims[i], expected),
              node.describe() + ": dimension " + Twine(i) + " of input " +
                  Twine(index) + " does not fit to the blocks of the first");
  }
  int64_t blocked = *axis;
  bool isLast = blocked == x.rank() - 1;
  Tensor result = makeExpression(
      scale.type, x.dims, {},
      [=](GraphBuilder &g, const Access &access) -> Value {
        Access own;
        own.indices = access.indices;
        own.lanes = access.lanes;
        if (isLast && access.lanes > 1)
          return blockLanes(g, scale, own.indices, access.lanes, size);
        own.indices[blocked] = g.div(own.indices[blocked], size);
        return g.element(scale, own);
      });
  result.hasLanes =
      isLast || (!scale.buffer->isPacked && !scale.type.isMiniFloat());
  return result;
}

/// A scale or zero point so that it can be broadcast to x.
static FailureOr<Tensor> parameter(Node &node, size_t index) {
  GraphBuilder &g = node.g;
  const Tensor &x = node.input(0), &tensor = node.input(index);
  int64_t blockSize = node.attribute("block_size", int64_t(0));
  if (blockSize < 0)
    return node.refuse("block_size is " + Twine(blockSize) +
                       ", expected 0 or more");
  if (blockSize > 0)
    return blockedParameter(node, index, blockSize);
  if (g.knownCount(tensor) == 1)
    return g.reshaped(tensor, {});
  if (tensor.rank() != 1)
    return node.refuse("input " + Twine(index) + " has " +
                       Twine(tensor.rank()) +
                       " dimensions, expected 1 (or block_size)");
  FailureOr<int64_t> axis =
      node.axis(node.attribute("axis", int64_t(1)), x.rank());
  if (failed(axis))
    return failure();
  g.require(g.equal(tensor.dims[0], x.dims[*axis]),
            node.describe() + ": input " + Twine(index) +
                " has not as many elements as dimension " + Twine(*axis) +
                " of the first");
  Values dims = {tensor.dims[0]};
  dims.append(x.rank() - 1 - *axis, g.number(1));
  return g.reshaped(tensor, dims);
}

/// An attribute that names an element type, 0 for none.
static FailureOr<std::optional<ElementType>> typeAttribute(Node &node,
                                                           StringRef name) {
  int64_t number = node.attribute(name, int64_t(0));
  if (number == 0)
    return std::optional<ElementType>();
  std::optional<ElementType> type =
      ElementType::fromNumber(number, node.g.b.getContext());
  if (!type)
    return node.refuse(name + " is the unknown element type " + Twine(number));
  return type;
}

//===----------------------------------------------------------------------===//
// QuantizeLinear, DequantizeLinear
//===----------------------------------------------------------------------===//

/// Inputs of either operator, ready for mapElements.
static FailureOr<SmallVector<Tensor>> scaledInputs(Node &node) {
  SmallVector<Tensor> inputs = {node.input(0)};
  for (size_t i : {1, 2}) {
    if (!node.hasInput(i))
      continue;
    FailureOr<Tensor> tensor = parameter(node, i);
    if (failed(tensor))
      return failure();
    inputs.push_back(*tensor);
  }
  if (!inputs[1].type.isFloat())
    return node.refuse("its scale has no floating-point elements");
  return inputs;
}

/// The type that QuantizeLinear quantizes to.
static FailureOr<ElementType> quantizedType(Node &node) {
  FailureOr<std::optional<ElementType>> named =
      typeAttribute(node, "output_dtype");
  if (failed(named))
    return failure();
  ElementType type = node.g.b.getIntegerType(8, /*isSigned=*/false);
  if (node.hasInput(2))
    type = node.input(2).type;
  else if (*named)
    type = **named;
  if (node.hasInput(2) && *named && **named != type)
    return node.refuse("output_dtype is not the element type of the zero "
                       "point");
  if (type.isMiniFloat() || (type.isInteger() && type.bits() <= 16))
    return type;
  return node.refuse("cannot quantize to this element type; integers of up to "
                     "16 bits, float8 and float4 are supported");
}

static LogicalResult emitQuantize(Node &node) {
  FailureOr<SmallVector<Tensor>> inputs = scaledInputs(node);
  FailureOr<ElementType> type = quantizedType(node);
  FailureOr<std::optional<ElementType>> precision =
      typeAttribute(node, "precision");
  if (failed(inputs) || failed(type) || failed(precision))
    return failure();
  ElementType from = node.input(0).type, scaleType = node.input(1).type;
  CastRules rules;
  rules.saturate = node.attribute("saturate", int64_t(1)) != 0;
  auto quantize = [=, type = *type, precision = *precision](
                      GraphBuilder &g, ArrayRef<Value> in) -> Value {
    Real x = toFloat32(g, in[0], from) / toFloat32(g, in[1], scaleType);
    ElementType f32 = g.b.getF32Type();
    if (precision && precision->isSmallFloat())
      x = Real(g, castElement(g, castElement(g, x, f32, *precision), *precision,
                              f32));
    if (type.isFloat()) {
      Real sum = in.size() > 2 ? x + Real(g, in[2]) : x;
      return castElement(g, sum, f32, type, rules);
    }
    Value zero = in.size() > 2
                     ? toInt32(g, in[2], type)
                     : g.integer(g.withLanes(g.b.getI32Type(), x.lanes()), 0);
    return quantizeToInteger(x, zero, type);
  };
  node.setResult(
      0, mapElements(node.g, *inputs, *type, quantize, node.describe()));
  return success();
}

static LogicalResult emitDequantize(Node &node) {
  FailureOr<SmallVector<Tensor>> inputs = scaledInputs(node);
  FailureOr<std::optional<ElementType>> named =
      typeAttribute(node, "output_dtype");
  if (failed(inputs) || failed(named))
    return failure();
  ElementType from = node.input(0).type, scaleType = node.input(1).type;
  ElementType to = named->value_or(scaleType);
  if (!to.isFloat())
    return node.refuse("output_dtype is no floating-point type");
  if (node.hasInput(2) && node.input(2).type != from)
    return node.refuse("its zero point has not the element type of its input");
  if (!from.isFloat() && !from.isInteger())
    return node.refuse("its input has neither integers nor float8 elements");
  auto dequantize = [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
    Real x = centered(g, in[0], in.size() > 2 ? in[2] : Value(), from);
    return castElement(g, x * toFloat32(g, in[1], scaleType), g.b.getF32Type(),
                       to);
  };
  node.setResult(0,
                 mapElements(node.g, *inputs, to, dequantize, node.describe()));
  return success();
}

static const OperatorRow rows[] = {
    {"QuantizeLinear", emitQuantize, 2, 3},
    {"QuantizeLinear", emitQuantize, 2, 3, 1, 1, 1, INT64_MAX, kMicrosoft},
    {"DequantizeLinear", emitDequantize, 2, 3},
    {"DequantizeLinear", emitDequantize, 2, 3, 1, 1, 1, INT64_MAX, kMicrosoft},
};

ArrayRef<OperatorRow> quantizationOperators() { return rows; }

} // namespace llmopt::graph
