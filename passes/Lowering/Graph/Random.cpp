//===- Random.cpp - Operators with random results ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Philox.h"
#include "passes/Lowering/Graph/Real.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

/// The key of a node: its seed, or else its place in the graph. Refused where
/// the node is executed more than once, as it would give the same each time.
static FailureOr<RandomKey> keyOf(Node &node) {
  for (Operation *outer = node.op->getParentOp(); outer;
       outer = outer->getParentOp())
    if (auto loop = dyn_cast<onnx::NodeOp>(outer))
      if (loop.getOpType() != "If")
        return node.refuse("random numbers inside of a " + loop.getOpType() +
                           " would be the same in every iteration");
  if (node.hasAttribute("seed"))
    return RandomKey{
        llvm::bit_cast<uint32_t>(float(node.attribute("seed", 0.0))), 0};
  RandomKey key{0, 1};
  for (Operation *op = node.op; op; op = op->getParentOp())
    if (op->getBlock())
      for (Operation &other : *op->getBlock()) {
        if (&other == op)
          break;
        ++key.high;
      }
  return key;
}

/// The element type that attribute dtype says.
static FailureOr<ElementType> typeOf(Node &node, ElementType byDefault) {
  if (!node.hasAttribute("dtype"))
    return byDefault;
  int64_t number = node.attribute("dtype", int64_t(1));
  auto type = ElementType::fromNumber(number, node.g.b.getContext());
  if (!type)
    return node.refuse("cannot make elements of type " + Twine(number));
  return *type;
}

//===----------------------------------------------------------------------===//
// RandomNormal, RandomUniform
//===----------------------------------------------------------------------===//

static LogicalResult emitNumbers(Node &node, ArrayRef<Value> dims,
                                 ElementType type, bool isNormal) {
  FailureOr<RandomKey> key = keyOf(node);
  if (failed(key))
    return failure();
  if (!type.isFloat() || type.isMiniFloat())
    return node.refuse("its elements must be f16, bf16, f32 or f64");
  double start =
      isNormal ? node.attribute("mean", 0.0) : node.attribute("low", 0.0);
  double scale = isNormal ? node.attribute("scale", 1.0)
                          : node.attribute("high", 1.0) - start;
  Tensor result = makeExpression(
      type, dims, {},
      [=, key = *key, part = type.compute()](GraphBuilder &g,
                                             const Access &access) {
        Value counter = consecutive(g, access.linear, access.lanes);
        Real number(g, isNormal ? normalNumber(g, key, counter, part)
                                : uniformNumber(g, key, counter, part));
        return Value(number * scale + start);
      });
  result.isLinear = true;
  result.hasLanes = true;
  // It takes too many operations to be done again by every reader.
  node.setResult(0, node.g.materialize(result));
  return success();
}

static LogicalResult emitOfShape(Node &node, bool isNormal) {
  std::optional<SmallVector<int64_t>> shape = node.integers("shape");
  if (!shape)
    return node.refuse("attribute shape is missing");
  Values dims;
  for (int64_t size : *shape) {
    if (size < 0)
      return node.refuse("attribute shape has the entry " + Twine(size) +
                         ", expected 0 or more");
    dims.push_back(node.g.number(size));
  }
  FailureOr<ElementType> type = typeOf(node, node.g.b.getF32Type());
  if (failed(type))
    return failure();
  return emitNumbers(node, dims, *type, isNormal);
}

static LogicalResult emitLike(Node &node, bool isNormal) {
  FailureOr<ElementType> type = typeOf(node, node.input(0).type);
  if (failed(type))
    return failure();
  return emitNumbers(node, Values(node.input(0).dims), *type, isNormal);
}

static LogicalResult emitRandomNormal(Node &node) {
  return emitOfShape(node, /*isNormal=*/true);
}
static LogicalResult emitRandomUniform(Node &node) {
  return emitOfShape(node, /*isNormal=*/false);
}
static LogicalResult emitRandomNormalLike(Node &node) {
  return emitLike(node, /*isNormal=*/true);
}
static LogicalResult emitRandomUniformLike(Node &node) {
  return emitLike(node, /*isNormal=*/false);
}

//===----------------------------------------------------------------------===//
// Bernoulli
//===----------------------------------------------------------------------===//

static LogicalResult emitBernoulli(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<RandomKey> key = keyOf(node);
  FailureOr<ElementType> type = typeOf(node, node.input(0).type);
  if (failed(key) || failed(type) || failed(node.requireFloat(0)))
    return failure();
  Tensor chances = node.buffer(0);
  Type part = chances.type.compute();
  Tensor result = makeExpression(
      *type, chances.dims, {chances},
      [=, key = *key, to = *type](GraphBuilder &g, const Access &access) {
        Value counter = consecutive(g, access.linear, access.lanes);
        Real number(g, uniformNumber(g, key, counter, part));
        Real chance(g, g.loadElement(chances, access.linear, access.lanes));
        Value isOne = number < chance;
        return castElement(g, isOne, g.b.getI1Type(), to);
      });
  result.isLinear = true;
  result.hasLanes = !type->isMiniFloat() && !chances.type.isMiniFloat();
  node.setResult(0, g.materialize(result));
  return success();
}

//===----------------------------------------------------------------------===//
// Multinomial
//===----------------------------------------------------------------------===//

/// The class that a fraction of the sum of all weights e^x falls to.
static Value drawnClass(GraphBuilder &g, const Tensor &weights, Value row,
                        Value classes, const Real &most, const Real &fraction) {
  Type type = weights.type.compute();
  Value first = g.mul(row, classes);
  auto weight = [&](Value i) {
    Real own(g, g.loadElement(weights, g.add(first, i)));
    return Real(g, exp(g, own - most));
  };
  Value zero = g.constant(type, 0);
  Value sum = g.loop(classes, {zero}, [&](Value i, ValueRange carried) {
    return Values{Real(g, carried[0]) + weight(i)};
  })[0];
  Real wanted = fraction * Real(g, sum);
  Values inits{zero, g.number(0)};
  Value drawn = g.loop(classes, inits, [&](Value i, ValueRange carried) {
    Real below = Real(g, carried[0]) + weight(i);
    Value isPast = below <= wanted;
    return Values{
        below, g.add(carried[1], g.select(isPast, g.number(1), g.number(0)))};
  })[1];
  return g.min(drawn, g.sub(classes, 1));
}

static LogicalResult emitMultinomial(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<RandomKey> key = keyOf(node);
  FailureOr<ElementType> type = typeOf(node, g.b.getIntegerType(32));
  if (failed(key) || failed(type) || failed(node.requireFloat(0)))
    return failure();
  if (!type->isInteger())
    return node.refuse("its elements must be int32 or int64");
  if (node.input(0).rank() != 2)
    return node.refuse("its input has " + Twine(node.input(0).rank()) +
                       " dimensions, expected 2");
  int64_t samples = node.attribute("sample_size", int64_t(1));
  if (samples < 1)
    return node.refuse("sample_size is " + Twine(samples) +
                       ", expected 1 or more");
  const Tensor &weights = node.buffer(0);
  Value classes = weights.dims[1];
  g.require(g.less(g.number(0), classes),
            node.describe() + ": there are no classes");
  Tensor result = g.allocateTensor(*type, {weights.dims[0], g.number(samples)});
  Type part = weights.type.compute();
  g.parallelFor(g.count(result), g.mul(classes, 64), [&](Value number) {
    Value row = g.div(number, samples), first = g.mul(row, classes);
    Value most =
        g.loop(classes, {lowestValue(g, weights.type)},
               [&](Value i, ValueRange carried) {
                 Value own = g.loadElement(weights, g.add(first, i));
                 return Values{maxValues(g, weights.type, carried[0], own)};
               })[0];
    Real fraction(g, uniformNumber(g, *key, number, part));
    Value drawn = drawnClass(g, weights, row, classes, Real(g, most), fraction);
    g.storeElement(result, number,
                   castElement(g, drawn, g.b.getI64Type(), *type));
  });
  node.setResult(0, result);
  return success();
}

static const OperatorRow rows[] = {
    {"Bernoulli", emitBernoulli, 1, 1, 1, 1, 15},
    {"Multinomial", emitMultinomial, 1, 1, 1, 1, 7},
    {"RandomNormal", emitRandomNormal, 0, 0},
    {"RandomNormalLike", emitRandomNormalLike, 1, 1},
    {"RandomUniform", emitRandomUniform, 0, 0},
    {"RandomUniformLike", emitRandomUniformLike, 1, 1},
};

ArrayRef<OperatorRow> randomOperators() { return rows; }

} // namespace llmopt::graph
