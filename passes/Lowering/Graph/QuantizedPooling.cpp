//===- QuantizedPooling.cpp - Softmax and means of 8-bit tensors -*- C++ -*-==//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Elements are converted to f32 while they are read, and the result while it is
// written.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Pooling.h"
#include "passes/Lowering/Graph/Reductions.h"
#include "passes/Lowering/Graph/Softmax.h"

using namespace mlir;

namespace llmopt::graph {

/// 8-bit elements as f32, which is exact.
static Value toFloat(GraphBuilder &g, ElementType type, Value value) {
  Type target = g.b.getF32Type();
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    target = VectorType::get(vector.getShape(), target);
  if (type.isUnsigned())
    return arith::UIToFPOp::create(g.b, g.loc, target, value);
  return arith::SIToFPOp::create(g.b, g.loc, target, value);
}

/// An input with one element, as a scalar; 0 of `type` if it is left out.
static FailureOr<Tensor> parameter(Node &node, size_t index, ElementType type) {
  GraphBuilder &g = node.g;
  if (!node.hasInput(index))
    return g.scalar(type, g.constant(type.compute(), 0));
  if (failed(node.requireType(index, type)))
    return failure();
  if (g.knownCount(node.input(index)) != 1)
    return node.refuse("input " + Twine(index) +
                       " must have one element; scales of channels are not "
                       "supported");
  return g.reshaped(node.buffer(index), {});
}

/// (x - zero point) * scale of inputs 0, 2 and 1.
static FailureOr<Tensor> dequantized(Node &node) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  if (!type.isInteger() || type.bits() != 8)
    return node.refuse("its input must have 8-bit integers");
  FailureOr<Tensor> scale = parameter(node, 1, g.b.getF32Type());
  FailureOr<Tensor> zero = parameter(node, 2, type);
  if (failed(scale) || failed(zero))
    return failure();
  auto convert = [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
    Value difference = arith::SubFOp::create(
        g.b, g.loc, toFloat(g, type, in[0]), toFloat(g, type, in[1]));
    return arith::MulFOp::create(g.b, g.loc, difference, in[2]);
  };
  return mapElements(g, {node.input(0), *zero, *scale}, g.b.getF32Type(),
                     convert, node.describe());
}

/// Sets the result: x / scale + zero point of inputs 4 and 3, rounded to even
/// and saturated.
static LogicalResult setQuantized(Node &node, const Tensor &x) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  FailureOr<Tensor> scale = parameter(node, 3, g.b.getF32Type());
  FailureOr<Tensor> zero = parameter(node, 4, type);
  if (failed(scale) || failed(zero))
    return failure();
  auto convert = [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
    Value value = arith::DivFOp::create(g.b, g.loc, in[0], in[1]);
    value = math::RoundEvenOp::create(g.b, g.loc, value);
    value = arith::AddFOp::create(g.b, g.loc, value, toFloat(g, type, in[2]));
    Type floats = value.getType();
    double least = type.isUnsigned() ? 0 : -128;
    // In this order a NaN becomes the least integer.
    value =
        arith::MaxNumFOp::create(g.b, g.loc, value, g.constant(floats, least));
    value = arith::MinNumFOp::create(g.b, g.loc, value,
                                     g.constant(floats, least + 255));
    Type i32 = g.b.getI32Type(), i8 = g.b.getI8Type();
    if (auto vector = dyn_cast<VectorType>(floats)) {
      i32 = VectorType::get(vector.getShape(), i32);
      i8 = VectorType::get(vector.getShape(), i8);
    }
    value = arith::FPToSIOp::create(g.b, g.loc, i32, value);
    return arith::TruncIOp::create(g.b, g.loc, i8, value);
  };
  node.setResult(
      0, mapElements(g, {x, *scale, *zero}, type, convert, node.describe()));
  return success();
}

static LogicalResult emitQLinearSoftmax(Node &node) {
  auto dims = softmaxDims(node, node.attribute("opset", int64_t(13)));
  FailureOr<Tensor> x = dequantized(node);
  if (failed(dims) || failed(x))
    return failure();
  auto [first, last] = *dims;
  return setQuantized(node,
                      softmaxTensor(node.g, *x, first, last, /*isLog=*/false));
}

static LogicalResult emitQLinearGlobalAveragePool(Node &node) {
  FailureOr<Tensor> x = dequantized(node);
  if (failed(x))
    return failure();
  if (x->rank() < 3)
    return node.refuse("its input has " + Twine(x->rank()) +
                       " dimensions, expected at least 3");
  bool isLast = node.attribute("channels_last", int64_t(0));
  int64_t first = isLast ? 1 : 2, last = isLast ? x->rank() - 1 : x->rank();
  return setQuantized(node,
                      reduceTensor(node.g, *x, first, last, ReduceKind::Mean));
}

static LogicalResult emitQLinearAveragePool(Node &node) {
  GraphBuilder &g = node.g;
  if (node.attribute("channels_last", int64_t(0)))
    return node.refuse("channels_last is not supported");
  FailureOr<Tensor> x = dequantized(node);
  FailureOr<SmallVector<PoolDim>> dims = poolDims(node, node.input(0));
  if (failed(x) || failed(dims))
    return failure();
  Tensor input = g.materialize(*x);
  PoolFunction average = averageFunction(
      g, input.type, node.attribute("count_include_pad", int64_t(0)));
  return setQuantized(node, poolTensor(g, input, *dims, average));
}

static LogicalResult emitQLinearReduceMean(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Tensor> x = dequantized(node);
  if (failed(x))
    return failure();
  SmallVector<int64_t> axes =
      node.integers("axes").value_or(SmallVector<int64_t>());
  Values isReduced(x->rank(), g.integer(g.b.getI1Type(), axes.empty()));
  for (int64_t axis : axes) {
    FailureOr<int64_t> place = node.axis(axis, x->rank());
    if (failed(place))
      return failure();
    isReduced[*place] = g.integer(g.b.getI1Type(), 1);
  }
  Tensor mean = reduceTensor(g, *x, isReduced, ReduceKind::Mean);
  Values kept;
  for (auto [dim, reduced] : llvm::zip_equal(x->dims, isReduced))
    if (!*g.knownBool(reduced))
      kept.push_back(dim);
  if (!node.attribute("keepdims", int64_t(1)))
    mean = g.reshaped(mean, kept);
  return setQuantized(node, mean);
}

static const OperatorRow rows[] = {
    {"QLinearSoftmax", emitQLinearSoftmax, 5, 5, 1, 1, 1, INT64_MAX,
     "com.microsoft"},
    {"QLinearGlobalAveragePool", emitQLinearGlobalAveragePool, 5, 5, 1, 1, 1,
     INT64_MAX, "com.microsoft"},
    {"QLinearAveragePool", emitQLinearAveragePool, 4, 5, 1, 1, 1, INT64_MAX,
     "com.microsoft"},
    {"QLinearReduceMean", emitQLinearReduceMean, 4, 5, 1, 1, 1, INT64_MAX,
     "com.microsoft"},
};

ArrayRef<OperatorRow> quantizedPoolingOperators() { return rows; }

} // namespace llmopt::graph
