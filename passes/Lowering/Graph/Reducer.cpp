//===- Reducer.cpp - What a reduction does with an element ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Reducer.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Functions.h"
#include <cmath>

using namespace mlir;

namespace llmopt::graph {

static int64_t lanesOf(Value value) {
  auto vector = dyn_cast<VectorType>(value.getType());
  return vector ? vector.getNumElements() : 1;
}

static bool isFloatValue(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value));
}

Value addValues(GraphBuilder &g, Value a, Value b) {
  if (isFloatValue(a))
    return arith::AddFOp::create(g.b, g.loc, a, b);
  return a.getType().isInteger(64) ? g.add(a, b)
                                   : arith::AddIOp::create(g.b, g.loc, a, b);
}

Value mulValues(GraphBuilder &g, Value a, Value b) {
  if (isFloatValue(a))
    return arith::MulFOp::create(g.b, g.loc, a, b);
  return a.getType().isInteger(64) ? g.mul(a, b)
                                   : arith::MulIOp::create(g.b, g.loc, a, b);
}

Value maxValues(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return arith::MaximumFOp::create(g.b, g.loc, a, b);
  if (type.isBool())
    return arith::OrIOp::create(g.b, g.loc, a, b);
  if (type.isUnsigned())
    return arith::MaxUIOp::create(g.b, g.loc, a, b);
  return a.getType().isInteger(64) ? g.max(a, b)
                                   : arith::MaxSIOp::create(g.b, g.loc, a, b);
}

Value minValues(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return arith::MinimumFOp::create(g.b, g.loc, a, b);
  if (type.isBool())
    return arith::AndIOp::create(g.b, g.loc, a, b);
  if (type.isUnsigned())
    return arith::MinUIOp::create(g.b, g.loc, a, b);
  return a.getType().isInteger(64) ? g.min(a, b)
                                   : arith::MinSIOp::create(g.b, g.loc, a, b);
}

Value lowestValue(GraphBuilder &g, ElementType type) {
  Type compute = type.compute();
  if (type.isFloat())
    return g.constant(compute, -std::numeric_limits<double>::infinity());
  if (type.isBool() || type.isUnsigned())
    return g.integer(compute, 0);
  return g.integer(compute, llvm::minIntN(type.bits()));
}

Value highestValue(GraphBuilder &g, ElementType type) {
  Type compute = type.compute();
  if (type.isFloat())
    return g.constant(compute, std::numeric_limits<double>::infinity());
  if (type.isBool() || type.isUnsigned())
    return g.integer(compute, int64_t(llvm::maxUIntN(type.bits())));
  return g.integer(compute, llvm::maxIntN(type.bits()));
}

Value fromNumber(GraphBuilder &g, Value number, Type type) {
  if (isa<FloatType>(type)) {
    if (std::optional<int64_t> value = g.known(number))
      return g.constant(type, static_cast<double>(*value));
    return arith::SIToFPOp::create(g.b, g.loc, type, number);
  }
  if (type.isInteger(64))
    return number;
  return arith::TruncIOp::create(g.b, g.loc, type, number);
}

static Type accumulatorType(GraphBuilder &g, ElementType type,
                            ReduceKind kind) {
  if (type.isFloat() || type.isBool())
    return type.compute();
  switch (kind) {
  case ReduceKind::L2:
  case ReduceKind::LogSum:
  case ReduceKind::LogSumExp:
    return g.b.getF64Type();
  case ReduceKind::Mean:
    return g.b.getI64Type();
  default:
    return type.compute();
  }
}

Reducer::Reducer(GraphBuilder &g, ElementType type, ReduceKind kind)
    : g(g), type(type), kind(kind),
      accumulator(accumulatorType(g, type, kind)) {}

Value Reducer::identity() const {
  switch (kind) {
  case ReduceKind::Max:
    return lowestValue(g, type);
  case ReduceKind::Min:
    return highestValue(g, type);
  case ReduceKind::Prod:
    return g.constant(accumulator, 1);
  default:
    return g.constant(accumulator, 0);
  }
}

Value Reducer::toAccumulator(Value element) const {
  Type target = g.withLanes(accumulator, lanesOf(element));
  if (element.getType() == target)
    return element;
  bool isUnsigned = type.isUnsigned();
  if (isa<FloatType>(accumulator))
    return isUnsigned
               ? Value(arith::UIToFPOp::create(g.b, g.loc, target, element))
               : Value(arith::SIToFPOp::create(g.b, g.loc, target, element));
  return isUnsigned
             ? Value(arith::ExtUIOp::create(g.b, g.loc, target, element))
             : Value(arith::ExtSIOp::create(g.b, g.loc, target, element));
}

Value Reducer::fromAccumulator(Value value) const {
  Type target = g.withLanes(type.compute(), lanesOf(value));
  if (value.getType() == target)
    return value;
  if (!isFloatValue(value))
    return arith::TruncIOp::create(g.b, g.loc, target, value);
  // Saturated (the logarithm of 0 has no integer): 2^b is a float, the greatest
  // integer of 64 bits is not.
  unsigned bits = type.bits();
  double least = type.isUnsigned() ? 0 : -std::ldexp(1.0, bits - 1);
  double bound = std::ldexp(1.0, type.isUnsigned() ? bits : bits - 1);
  Value low = g.constant(value.getType(), least);
  Value high = g.constant(value.getType(), std::nextafter(bound, 0.0));
  value = arith::MaxNumFOp::create(g.b, g.loc, value, low);
  value = arith::MinNumFOp::create(g.b, g.loc, value, high);
  return type.isUnsigned()
             ? Value(arith::FPToUIOp::create(g.b, g.loc, target, value))
             : Value(arith::FPToSIOp::create(g.b, g.loc, target, value));
}

Value Reducer::prepare(Value element) const {
  Value x = toAccumulator(element);
  switch (kind) {
  case ReduceKind::L1:
    if (isFloatValue(x))
      return math::AbsFOp::create(g.b, g.loc, x);
    return type.isUnsigned() ? x : math::AbsIOp::create(g.b, g.loc, x);
  case ReduceKind::L2:
  case ReduceKind::SumSquare:
    return mulValues(g, x, x);
  default:
    return x;
  }
}

Value Reducer::join(Value a, Value b) const {
  switch (kind) {
  case ReduceKind::Max:
    return maxValues(g, type, a, b);
  case ReduceKind::Min:
    return minValues(g, type, a, b);
  case ReduceKind::Prod:
    return mulValues(g, a, b);
  default:
    return addValues(g, a, b);
  }
}

Value Reducer::mean(Value sum, Value count) const {
  if (isa<FloatType>(accumulator)) {
    Value divisor = fromNumber(g, count, accumulator);
    return arith::DivFOp::create(g.b, g.loc, sum,
                                 g.splat(divisor, lanesOf(sum)));
  }
  Value divisor = g.splat(g.max(count, 1), lanesOf(sum));
  return type.isUnsigned()
             ? Value(arith::DivUIOp::create(g.b, g.loc, sum, divisor))
             : Value(arith::DivSIOp::create(g.b, g.loc, sum, divisor));
}

Value Reducer::finish(Value value, Value count) const {
  switch (kind) {
  case ReduceKind::Mean:
    return fromAccumulator(mean(value, count));
  case ReduceKind::L2:
    return fromAccumulator(sqrt(g, value));
  case ReduceKind::LogSum:
    return fromAccumulator(log(g, value));
  default:
    return fromAccumulator(value);
  }
}

} // namespace llmopt::graph
