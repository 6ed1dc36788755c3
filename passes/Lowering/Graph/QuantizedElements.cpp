//===- QuantizedElements.cpp - Elementwise, quantized -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Quantization.h"

using namespace mlir;

namespace llmopt::graph {

static constexpr llvm::StringLiteral kMicrosoft = "com.microsoft";

//===----------------------------------------------------------------------===//
// DynamicQuantizeLinear
//===----------------------------------------------------------------------===//

/// The least and the largest element of a buffer of f32 and 0.
static std::pair<Value, Value> rangeOf(GraphBuilder &g, const Tensor &x) {
  constexpr int64_t kChunk = 4096;
  Type f32 = g.b.getF32Type();
  Value total = g.count(x), chunks = g.divideCeil(total, g.number(kChunk));
  auto extend = [&](Value low, Value high, Value value) -> Values {
    return {arith::MinimumFOp::create(g.b, g.loc, low, value),
            arith::MaximumFOp::create(g.b, g.loc, high, value)};
  };
  Tensor partial = g.allocateTensor(f32, {g.mul(chunks, 2)});
  g.parallelFor(chunks, g.number(kChunk), [&](Value chunk) {
    Value begin = g.mul(chunk, kChunk);
    Value end = g.min(g.add(begin, kChunk), total);
    Value whole = g.add(
        begin, g.mul(g.div(g.sub(end, begin), kVectorLanes), kVectorLanes));
    Value zeros = g.constant(g.withLanes(f32, kVectorLanes), 0);
    Values range = g.loop(begin, whole, g.number(kVectorLanes), {zeros, zeros},
                          [&](Value i, ValueRange carried) {
                            return extend(carried[0], carried[1],
                                          g.loadElement(x, i, kVectorLanes));
                          });
    range[0] = vector::ReductionOp::create(
        g.b, g.loc, vector::CombiningKind::MINIMUMF, range[0]);
    range[1] = vector::ReductionOp::create(
        g.b, g.loc, vector::CombiningKind::MAXIMUMF, range[1]);
    range = g.loop(whole, end, g.number(1), range,
                   [&](Value i, ValueRange carried) {
                     return extend(carried[0], carried[1], g.loadElement(x, i));
                   });
    g.storeElement(partial, g.mul(chunk, 2), range[0]);
    g.storeElement(partial, g.add(g.mul(chunk, 2), 1), range[1]);
  });
  Value zero = g.constant(f32, 0);
  Values range = g.loop(chunks, {zero, zero}, [&](Value i, ValueRange carried) {
    Values low =
        extend(carried[0], carried[1], g.loadElement(partial, g.mul(i, 2)));
    return extend(low[0], low[1],
                  g.loadElement(partial, g.add(g.mul(i, 2), 1)));
  });
  return {range[0], range[1]};
}

static LogicalResult emitDynamicQuantize(Node &node) {
  GraphBuilder &g = node.g;
  if (!node.input(0).type.get().isF32())
    return node.refuse("its input has no elements of type float32");
  const Tensor &x = node.buffer(0);
  auto [least, largest] = rangeOf(g, x);
  Real low(g, least), high(g, largest);
  Real scale = choose(low == high, low.constant(1), (high - low) / 255);
  Real zero = clamp(0.0 - low / scale, low.constant(0), low.constant(255));
  ElementType bytes = g.b.getIntegerType(8, /*isSigned=*/false);
  Value zeroPoint =
      quantizeToInteger(zero, g.integer(g.b.getI32Type(), 0), bytes);
  Tensor scaleTensor = g.scalar(g.b.getF32Type(), scale);
  Tensor zeroTensor = g.scalar(bytes, zeroPoint);
  node.setResult(0, mapElements(
                        g, {x, scaleTensor, zeroTensor}, bytes,
                        [bytes](GraphBuilder &g, ArrayRef<Value> in) {
                          return quantizeToInteger(
                              Real(g, in[0]) / Real(g, in[1]),
                              toInt32(g, in[2], bytes), bytes);
                        },
                        node.describe()));
  node.setResult(1, scaleTensor);
  node.setResult(2, zeroTensor);
  return success();
}

//===----------------------------------------------------------------------===//
// Operators of ONNX Runtime on quantized tensors
//===----------------------------------------------------------------------===//

/// A scale (or zero point) of one element.
static FailureOr<Value> scalarInput(Node &node, size_t index,
                                    ElementType type) {
  GraphBuilder &g = node.g;
  if (!node.hasInput(index))
    return g.integer(type.compute(), 0);
  const Tensor &tensor = node.input(index);
  if (tensor.type != type || g.knownCount(tensor) != 1)
    return node.refuse("input " + Twine(index) +
                       " is not a scalar of the expected element type");
  return node.elements(index)->front();
}

/// Inputs x, scale and zero from `first` on.
struct QuantizedInput {
  Value scale, zero;
};

static FailureOr<QuantizedInput> quantizedInput(Node &node, size_t scale,
                                                ElementType type) {
  FailureOr<Value> scaleValue = scalarInput(node, scale, node.g.b.getF32Type());
  FailureOr<Value> zero = scalarInput(node, scale + 1, type);
  if (failed(scaleValue) || failed(zero))
    return failure();
  return QuantizedInput{*scaleValue, toInt32(node.g, *zero, type)};
}

static Real splat(GraphBuilder &g, Value scalar, int64_t lanes) {
  return {g, g.splat(scalar, lanes)};
}

/// QLinearAdd, QLinearMul, in the order of operations of ONNX Runtime.
template <bool isProduct> static LogicalResult quantizedBinary(Node &node) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  if (!type.isInteger() || type.bits() != 8 || node.input(3).type != type)
    return node.refuse("its inputs must have the same 8-bit element type");
  FailureOr<QuantizedInput> a = quantizedInput(node, 1, type);
  FailureOr<QuantizedInput> b = quantizedInput(node, 4, type);
  FailureOr<QuantizedInput> c = quantizedInput(node, 6, type);
  if (failed(a) || failed(b) || failed(c))
    return failure();
  ElementType i32 = g.b.getI32Type();
  Real scaleA(g, a->scale), scaleB(g, b->scale), scaleC(g, c->scale);
  Real first = isProduct ? scaleA * scaleB / scaleC : scaleA / scaleC;
  Real second = scaleB / scaleC;
  Real fixed =
      toFloat32(g, c->zero, i32) - (first * toFloat32(g, a->zero, i32) +
                                    second * toFloat32(g, b->zero, i32));
  auto combine = [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
    Value x = toInt32(g, in[0], type), y = toInt32(g, in[1], type);
    int64_t lanes = Real(g, in[0]).lanes();
    if (isProduct) {
      x = fold<arith::SubIOp>(g, x, g.splat(a->zero, lanes));
      y = fold<arith::SubIOp>(g, y, g.splat(b->zero, lanes));
      Real product = toFloat32(g, fold<arith::MulIOp>(g, x, y), i32);
      return quantizeToInteger(product * splat(g, first, lanes),
                               g.splat(c->zero, lanes), type);
    }
    Real sum =
        toFloat32(g, x, i32) * splat(g, first, lanes) + splat(g, fixed, lanes);
    sum = toFloat32(g, y, i32) * splat(g, second, lanes) + sum;
    return quantizeToInteger(
        sum, g.integer(g.withLanes(g.b.getI32Type(), lanes), 0), type);
  };
  node.setResult(0, mapElements(g, {node.input(0), node.input(3)}, type,
                                combine, node.describe()));
  return success();
}

/// QLinearSigmoid, QLinearLeakyRelu.
template <bool isSigmoid> static LogicalResult quantizedUnary(Node &node) {
  ElementType type = node.input(0).type;
  if (!type.isInteger() || type.bits() != 8)
    return node.refuse("its input has no 8-bit integer elements");
  FailureOr<QuantizedInput> from = quantizedInput(node, 1, type);
  FailureOr<QuantizedInput> to = quantizedInput(node, 3, type);
  if (failed(from) || failed(to))
    return failure();
  double alpha = node.attribute("alpha", 0.01);
  auto map = [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
    int64_t lanes = Real(g, in[0]).lanes();
    Value integer = fold<arith::SubIOp>(g, toInt32(g, in[0], type),
                                        g.splat(from->zero, lanes));
    Real x =
        toFloat32(g, integer, g.b.getI32Type()) * splat(g, from->scale, lanes);
    Real y = isSigmoid ? Real(g, sigmoid(g, x)) : choose(x < 0, alpha * x, x);
    return quantizeToInteger(y / splat(g, to->scale, lanes),
                             g.splat(to->zero, lanes), type);
  };
  node.setResult(
      0, mapElements(node.g, {node.input(0)}, type, map, node.describe()));
  return success();
}

static const OperatorRow rows[] = {
    {"DynamicQuantizeLinear", emitDynamicQuantize, 1, 1, 3, 3},
    {"QLinearAdd", quantizedBinary<false>, 7, 8, 1, 1, 1, INT64_MAX,
     kMicrosoft},
    {"QLinearMul", quantizedBinary<true>, 7, 8, 1, 1, 1, INT64_MAX, kMicrosoft},
    {"QLinearSigmoid", quantizedUnary<true>, 4, 5, 1, 1, 1, INT64_MAX,
     kMicrosoft},
    {"QLinearLeakyRelu", quantizedUnary<false>, 4, 5, 1, 1, 1, INT64_MAX,
     kMicrosoft},
};

ArrayRef<OperatorRow> quantizedElementOperators() { return rows; }

} // namespace llmopt::graph
