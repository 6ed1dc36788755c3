//===- QuantizedMatMul.cpp - Products of 8-bit matrices ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/IntegerProducts.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/QuantizedNode.h"

using namespace mlir;

namespace llmopt::graph {

static constexpr llvm::StringLiteral kMicrosoft = "com.microsoft";

namespace {

/// Products of two stacks of 8-bit integers with their zero points.
struct QuantizedProduct {
  StackProduct stack;
  Parameter aZero, bZero;
  ElementType bType;

  void emit(GraphBuilder &g, const SumSink &sink) const;
};

} // namespace

/// Plans the product of inputs `a` and `b`, whose zero points are inputs
/// `aZero` and `bZero` if they are there.
static FailureOr<QuantizedProduct>
planQuantized(Node &node, Operand a, Operand b, size_t aZero, size_t bZero) {
  GraphBuilder &g = node.g;
  QuantizedProduct q;
  bool mayStack = !node.hasInput(aZero) || g.knownCount(node.input(aZero)) == 1;
  FailureOr<StackProduct> stack = planProduct(node, a, b, mayStack);
  if (failed(stack))
    return failure();
  q.stack = *stack;
  q.bType = b.type;
  const std::pair<size_t, Parameter *> zeros[] = {{aZero, &q.aZero},
                                                  {bZero, &q.bZero}};
  for (auto [input, zero] : zeros) {
    if (!node.hasInput(input))
      continue;
    bool isA = input == aZero;
    if (node.input(input).type != (isA ? a.type : b.type))
      return node.refuse("the type of zero point " + Twine(input) +
                         " is not that of its matrix");
    FailureOr<Parameter> read = Parameter::read(
        node, input, isA ? stack->shape.rows : stack->shape.columns);
    if (failed(read))
      return failure();
    *zero = *read;
  }
  return q;
}

void QuantizedProduct::emit(GraphBuilder &g, const SumSink &sink) const {
  IntegerProducts p;
  p.shape = stack.shape;
  p.aCount = stack.shape.batch;
  p.a = stack.a;
  p.aOf = [](Value batch) { return batch; };
  p.b = [&](const PanelPart &part, Value target) {
    copyBytes(g, stack.b(part.batch), part, target);
  };
  p.bType = bType;
  if (!aZero.isZero())
    p.aZero = [&](Value, Value row, int64_t lanes) {
      return aZero.at(g, row, lanes);
    };
  if (!bZero.isZero())
    p.bZero = [&](Value, Value column, int64_t lanes) {
      return bZero.at(g, column, lanes);
    };
  emitIntegerProducts(g, p, sink);
}

/// Checks that inputs are of 8 bits.
static LogicalResult checkBytes(Node &node, ArrayRef<size_t> inputs) {
  for (size_t input : inputs)
    if (!isByte(node.input(input)))
      return node.refuse("input " + Twine(input) +
                         " must be of 8-bit integers");
  return success();
}

static LogicalResult emitMatMulInteger(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(checkBytes(node, {0, 1})))
    return failure();
  Tensor left = node.buffer(0), right = node.buffer(1);
  auto operands = matMulOperands(node, left, right);
  if (failed(operands))
    return failure();
  auto q = planQuantized(node, operands->first, operands->second, 2, 3);
  if (failed(q))
    return failure();
  Tensor result = g.allocateTensor(g.b.getI32Type(), q->stack.dims);
  q->emit(g, [&](Value sums, const Access &access) {
    g.storeElement(result, q->stack.elementOf(g, access), sums);
  });
  node.setResult(0, g.reshaped(result, withoutAdded(result.dims, left, right)));
  return success();
}

//===----------------------------------------------------------------------===//
// Scaled results
//===----------------------------------------------------------------------===//

static LogicalResult emitQLinearMatMul(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(checkBytes(node, {0, 3, 7})))
    return failure();
  Tensor left = node.buffer(0), right = node.buffer(3);
  auto operands = matMulOperands(node, left, right);
  if (failed(operands))
    return failure();
  auto q = planQuantized(node, operands->first, operands->second, 2, 5);
  if (failed(q))
    return failure();
  const ProductShape &shape = q->stack.shape;
  auto aScale = Parameter::read(node, 1, shape.rows);
  auto bScale = Parameter::read(node, 4, shape.columns);
  auto yScale = Parameter::read(node, 6, shape.rows);
  auto yZero = Parameter::read(node, 7, shape.rows);
  if (failed(aScale) || failed(bScale) || failed(yScale) || failed(yZero))
    return failure();
  Tensor result = g.allocateTensor(node.input(7).type, q->stack.dims);
  q->emit(g, [&](Value sums, const Access &access) {
    Value row = access.indices[1], column = access.indices[2];
    int64_t lanes = access.lanes;
    Value scale =
        arith::MulFOp::create(g.b, g.loc, g.splat(aScale->at(g, row, 1), lanes),
                              bScale->at(g, column, lanes));
    scale = arith::DivFOp::create(g.b, g.loc, scale,
                                  g.splat(yScale->at(g, row, 1), lanes));
    Value zero = g.splat(yZero->at(g, row, 1), lanes);
    g.storeElement(result, q->stack.elementOf(g, access),
                   requantize(g, sums, scale, zero, result.type));
  });
  node.setResult(0, g.reshaped(result, withoutAdded(result.dims, left, right)));
  return success();
}

/// sums * (a scale * b scale) + bias, stored to the result.
static LogicalResult emitScaled(Node &node, const QuantizedProduct &q,
                                const Parameter &aScale, size_t bScaleInput,
                                size_t biasInput, const Tensor &result) {
  GraphBuilder &g = node.g;
  Value columns = q.stack.shape.columns;
  auto bScale = Parameter::read(node, bScaleInput, columns);
  Parameter bias;
  if (failed(bScale))
    return failure();
  if (node.hasInput(biasInput)) {
    auto read = Parameter::read(node, biasInput, columns);
    if (failed(read))
      return failure();
    bias = *read;
  }
  q.emit(g, [&](Value sums, const Access &access) {
    Value column = access.indices[2];
    int64_t lanes = access.lanes;
    Value scale = arith::MulFOp::create(
        g.b, g.loc, g.splat(aScale.at(g, access.indices[1], 1), lanes),
        bScale->at(g, column, lanes));
    Type floats = g.withLanes(g.b.getF32Type(), lanes);
    Value value = arith::SIToFPOp::create(g.b, g.loc, floats, sums);
    value = arith::MulFOp::create(g.b, g.loc, value, scale);
    if (node.hasInput(biasInput))
      value =
          arith::AddFOp::create(g.b, g.loc, value, bias.at(g, column, lanes));
    g.storeElement(result, q.stack.elementOf(g, access), value);
  });
  return success();
}

static LogicalResult emitMatMulIntegerToFloat(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(checkBytes(node, {0, 1})))
    return failure();
  Tensor left = node.buffer(0), right = node.buffer(1);
  auto operands = matMulOperands(node, left, right);
  if (failed(operands))
    return failure();
  auto q = planQuantized(node, operands->first, operands->second, 4, 5);
  if (failed(q))
    return failure();
  auto aScale = Parameter::read(node, 2, q->stack.shape.rows);
  if (failed(aScale))
    return failure();
  Tensor result = g.allocateTensor(node.input(2).type, q->stack.dims);
  if (failed(emitScaled(node, *q, *aScale, 3, 6, result)))
    return failure();
  node.setResult(0, g.reshaped(result, withoutAdded(result.dims, left, right)));
  return success();
}

//===----------------------------------------------------------------------===//
// DynamicQuantizeMatMul
//===----------------------------------------------------------------------===//

/// The least and the greatest of f32 numbers and 0.
static std::pair<Value, Value> rangeOf(GraphBuilder &g, const Tensor &x) {
  constexpr int64_t kChunk = 4096;
  Type f32 = g.b.getF32Type();
  Value total = g.count(x), chunks = g.divideCeil(total, g.number(kChunk));
  Value zero = g.constant(f32, 0);
  Tensor parts = g.allocateTensor(f32, {chunks, g.number(2)});
  auto fold = [&](ValueRange in, Value low, Value high) -> Values {
    return {arith::MinNumFOp::create(g.b, g.loc, in[0], low),
            arith::MaxNumFOp::create(g.b, g.loc, in[1], high)};
  };
  g.parallelFor(chunks, g.number(kChunk), [&](Value chunk) {
    Value first = g.mul(chunk, kChunk);
    Value end = g.min(g.add(first, kChunk), total);
    Values range = g.loop(first, end, g.number(1), {zero, zero},
                          [&](Value i, ValueRange in) {
                            Value value = g.loadElement(x, i);
                            return fold(in, value, value);
                          });
    g.storeElement(parts, g.mul(chunk, 2), range[0]);
    g.storeElement(parts, g.add(g.mul(chunk, 2), 1), range[1]);
  });
  Values range = g.loop(chunks, {zero, zero}, [&](Value chunk, ValueRange in) {
    return fold(in, g.loadElement(parts, g.mul(chunk, 2)),
                g.loadElement(parts, g.add(g.mul(chunk, 2), 1)));
  });
  return {range[0], range[1]};
}

/// round(x / scale) + zero, saturated to uint8; scalars or vectors.
static Value quantize(GraphBuilder &g, Value x, Value scale, Value zero) {
  auto vector = dyn_cast<VectorType>(x.getType());
  int64_t lanes = vector ? vector.getNumElements() : 1;
  Type ints = g.withLanes(g.b.getI32Type(), lanes);
  Value value = arith::DivFOp::create(g.b, g.loc, x, g.splat(scale, lanes));
  value = math::RoundEvenOp::create(g.b, g.loc, value);
  value = arith::AddFOp::create(g.b, g.loc, value, g.splat(zero, lanes));
  value =
      arith::MaxNumFOp::create(g.b, g.loc, value, g.constant(x.getType(), 0));
  value =
      arith::MinNumFOp::create(g.b, g.loc, value, g.constant(x.getType(), 255));
  return arith::FPToSIOp::create(g.b, g.loc, ints, value);
}

static LogicalResult emitDynamicQuantizeMatMul(Node &node) {
  GraphBuilder &g = node.g;
  Type f32 = g.b.getF32Type();
  if (!node.input(0).type.get().isF32())
    return node.refuse("input 0 must be of f32");
  if (failed(checkBytes(node, {1})))
    return failure();
  Tensor x = node.buffer(0), right = node.buffer(1);
  auto [low, high] = rangeOf(g, x);
  Value steps = g.constant(f32, 255);
  Value scale = arith::DivFOp::create(
      g.b, g.loc, arith::SubFOp::create(g.b, g.loc, high, low), steps);
  Value isFlat = arith::CmpFOp::create(g.b, g.loc, arith::CmpFPredicate::OEQ,
                                       scale, g.constant(f32, 0));
  scale = g.select(isFlat, g.constant(f32, 1), scale);
  Value none = g.constant(f32, 0);
  Value negative = arith::SubFOp::create(g.b, g.loc, none, low);
  Value zeroBits = quantize(g, negative, scale, none);
  Value zero = arith::SIToFPOp::create(g.b, g.loc, f32, zeroBits);
  Tensor left = g.materialize(mapElements(
      g, {x}, g.b.getIntegerType(8, false),
      [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
        Value wide = quantize(g, in[0], scale, zero);
        auto vector = dyn_cast<VectorType>(wide.getType());
        return arith::TruncIOp::create(
            g.b, g.loc,
            g.withLanes(g.b.getI8Type(), vector ? vector.getNumElements() : 1),
            wide);
      },
      node.describe()));
  auto operands = matMulOperands(node, left, right);
  if (failed(operands))
    return failure();
  auto q =
      planQuantized(node, operands->first, operands->second, ~size_t(0), 3);
  if (failed(q))
    return failure();
  q->aZero = Parameter::number(zeroBits);
  Tensor result = g.allocateTensor(f32, q->stack.dims);
  if (failed(emitScaled(node, *q, Parameter::number(scale), 2, 4, result)))
    return failure();
  node.setResult(0, g.reshaped(result, withoutAdded(result.dims, left, right)));
  return success();
}

//===----------------------------------------------------------------------===//
// QGemm
//===----------------------------------------------------------------------===//

static LogicalResult emitQGemm(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(checkBytes(node, {0, 3})))
    return failure();
  if (node.input(0).rank() != 2 || node.input(3).rank() != 2)
    return node.refuse("expected matrices of 2 dimensions");
  Operand a(g, node.buffer(0)), b(g, node.buffer(3));
  if (node.attribute("transA", int64_t(0))) {
    a.swap(0, 1);
    a.isRowMajor = false;
  }
  if (node.attribute("transB", int64_t(0)))
    b.swap(0, 1);
  auto q = planQuantized(node, a, b, 2, 5);
  if (failed(q))
    return failure();
  const ProductShape &shape = q->stack.shape;
  auto aScale = Parameter::read(node, 1, shape.rows);
  auto bScale = Parameter::read(node, 4, shape.columns);
  if (failed(aScale) || failed(bScale))
    return failure();
  bool isQuantized = node.hasInput(7);
  if (isQuantized != node.hasInput(8))
    return node.refuse("inputs 7 and 8 must both be there or left out");
  Parameter yScale, yZero;
  ElementType type = g.b.getF32Type();
  if (isQuantized) {
    auto scale = Parameter::read(node, 7, g.number(1));
    auto zero = Parameter::read(node, 8, g.number(1));
    if (failed(scale) || failed(zero))
      return failure();
    yScale = *scale;
    yZero = *zero;
    type = node.input(8).type;
  }
  Tensor c;
  if (node.hasInput(6)) {
    c = node.buffer(6);
    if (c.type != ElementType(g.b.getI32Type()) || c.rank() > 2)
      return node.refuse("input 6 must be of int32 and at most 2 dimensions");
    // It is read element by element where it may be broadcast along rows.
    Tensor whole;
    whole.dims = q->stack.dims;
    Values dims = g.broadcast({c, whole}, node.describe());
    for (auto [dim, wanted] : llvm::zip_equal(dims, whole.dims))
      g.require(g.equal(dim, wanted),
                node.describe() + ": input 6 does not fit the product");
    bool isRow = c.rank() && (g.isKnown(c.dims.back(), 1) ||
                              g.same(c.dims.back(), shape.columns));
    if (c.rank() && !isRow)
      return node.refuse("input 6 must have a known width");
  }
  double alpha = node.attribute("alpha", 1.0);
  Tensor result = g.allocateTensor(type, q->stack.dims);
  q->emit(g, [&](Value sums, const Access &access) {
    Value row = access.indices[1], column = access.indices[2];
    int64_t lanes = access.lanes;
    if (c.buffer) {
      Access place{{row, column}, nullptr, lanes};
      sums = arith::AddIOp::create(g.b, g.loc, sums,
                                   g.broadcastElement(c, place, result.dims));
    }
    Type floats = g.withLanes(g.b.getF32Type(), lanes);
    Value scale =
        arith::MulFOp::create(g.b, g.loc, g.splat(aScale->at(g, row, 1), lanes),
                              bScale->at(g, column, lanes));
    if (alpha != 1)
      scale =
          arith::MulFOp::create(g.b, g.loc, g.constant(floats, alpha), scale);
    Value value;
    if (isQuantized) {
      scale =
          arith::DivFOp::create(g.b, g.loc, scale, yScale.at(g, column, lanes));
      value = requantize(g, sums, scale, yZero.at(g, column, lanes), type);
    } else {
      value = arith::SIToFPOp::create(g.b, g.loc, floats, sums);
      value = arith::MulFOp::create(g.b, g.loc, value, scale);
    }
    g.storeElement(result, q->stack.elementOf(g, access), value);
  });
  node.setResult(0, result);
  return success();
}

static const OperatorRow rows[] = {
    {"MatMulInteger", emitMatMulInteger, 2, 4, 1, 1, 10},
    {"QLinearMatMul", emitQLinearMatMul, 8, 8, 1, 1, 10},
    {"MatMulIntegerToFloat", emitMatMulIntegerToFloat, 4, 7, 1, 1, 1, INT64_MAX,
     kMicrosoft},
    {"DynamicQuantizeMatMul", emitDynamicQuantizeMatMul, 3, 5, 1, 1, 1,
     INT64_MAX, kMicrosoft},
    {"QGemm", emitQGemm, 6, 9, 1, 1, 1, INT64_MAX, kMicrosoft},
};

ArrayRef<OperatorRow> quantizedMatMulOperators() { return rows; }

} // namespace llmopt::graph
