//===- Activations.cpp - Activations with several inputs --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Real.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// Clip
//===----------------------------------------------------------------------===//

static Value isBelow(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return fold<arith::CmpFOp>(g, arith::CmpFPredicate::OLT, a, b);
  return fold<arith::CmpIOp>(g,
                             type.isUnsigned() ? arith::CmpIPredicate::ult
                                               : arith::CmpIPredicate::slt,
                             a, b);
}

/// Versions before 11: the bounds are attributes of floats.
static LogicalResult emitClipWithAttributes(Node &node) {
  ElementType type = node.input(0).type;
  if (!type.isFloat())
    return node.refuse("its input has no floating-point elements");
  double largest = std::numeric_limits<float>::max();
  double low = node.attribute("min", -largest);
  double high = node.attribute("max", largest);
  return mapInputs(node, type,
                   [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
                     Real x(g, in[0]);
                     Real raised = choose(x < low, x.constant(low), x);
                     return choose(high < raised, x.constant(high), raised);
                   });
}

static LogicalResult emitClip(Node &node) {
  ElementType type = node.input(0).type;
  if (type.isBool())
    return node.refuse("has no meaning for booleans");
  SmallVector<Tensor> inputs = {node.input(0)};
  for (size_t i : {1, 2}) {
    if (!node.hasInput(i))
      continue;
    if (node.input(i).type != type)
      return node.refuse("its inputs have different element types");
    if (node.g.knownCount(node.input(i)) != 1)
      return node.refuse("input " + Twine(i) + " is not a scalar");
    inputs.push_back(node.g.reshaped(node.input(i), {}));
  }
  bool hasLow = node.hasInput(1), hasHigh = node.hasInput(2);
  node.setResult(
      0, mapElements(
             node.g, inputs, type,
             [=](GraphBuilder &g, ArrayRef<Value> in) {
               Value result = in[0];
               if (hasLow)
                 result = fold<arith::SelectOp>(
                     g, isBelow(g, type, result, in[1]), in[1], result);
               if (hasHigh)
                 result = fold<arith::SelectOp>(
                     g, isBelow(g, type, in.back(), result), in.back(), result);
               return result;
             },
             node.describe()));
  return success();
}

//===----------------------------------------------------------------------===//
// PRelu
//===----------------------------------------------------------------------===//

static LogicalResult emitPRelu(Node &node) {
  FailureOr<ElementType> type = commonType(node);
  if (failed(type))
    return failure();
  if (!type->isFloat() && !type->isInteger())
    return node.refuse("has no meaning for booleans");
  const Tensor &x = node.input(0);
  Tensor slope = node.input(1);
  // Before version 7 a slope of one dimension is one per channel.
  if (node.version() < 7 && slope.rank() == 1 && x.rank() > 2 &&
      node.g.knownCount(slope) != 1) {
    Values dims = slope.dims;
    dims.append(x.rank() - 2, node.g.number(1));
    slope = node.g.reshaped(slope, dims);
  }
  bool isFloat = type->isFloat(), isUnsigned = type->isUnsigned();
  node.setResult(
      0, mapElements(
             node.g, {x, slope}, *type,
             [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
               if (isUnsigned)
                 return in[0];
               if (isFloat)
                 return choose(Real(g, in[0]) < 0,
                               Real(g, in[0]) * Real(g, in[1]), Real(g, in[0]));
               Value isNegative =
                   fold<arith::CmpIOp>(g, arith::CmpIPredicate::slt, in[0],
                                       g.integer(in[0].getType(), 0));
               return fold<arith::SelectOp>(
                   g, isNegative, fold<arith::MulIOp>(g, in[0], in[1]), in[0]);
             },
             node.describe()));
  return success();
}

//===----------------------------------------------------------------------===//
// Dropout
//===----------------------------------------------------------------------===//

/// Only a training_mode that is set would drop elements, at random.
static LogicalResult requireInference(Node &node) {
  GraphBuilder &g = node.g;
  if (!node.hasInput(2))
    return success();
  if (!node.input(2).type.isBool() || g.knownCount(node.input(2)) != 1)
    return node.refuse("training_mode is not a boolean scalar");
  Value dropsNone = g.logicalNot(node.elements(2)->front());
  if (node.hasInput(1)) {
    if (!node.input(1).type.isFloat() || g.knownCount(node.input(1)) != 1)
      return node.refuse("ratio is not a scalar of floating-point type");
    Real ratio(g, node.elements(1)->front());
    dropsNone =
        fold<arith::OrIOp>(g, dropsNone,
                           fold<arith::CmpFOp>(g, arith::CmpFPredicate::OEQ,
                                               ratio, ratio.constant(0)));
  }
  constexpr llvm::StringLiteral kWhat =
      "training_mode is set and ratio is not 0; only inference is supported";
  if (g.knownBool(dropsNone) == false)
    return node.refuse(kWhat);
  g.require(dropsNone, node.describe() + ": " + kWhat);
  return success();
}

/// Inference: the input itself.
static LogicalResult emitDropout(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &x = node.input(0);
  if (failed(requireInference(node)))
    return failure();
  node.setResult(0, x);
  if (node.resultCount() < 2)
    return success();
  // Of booleans from version 10 on.
  ElementType maskType =
      node.version() >= 10 ? ElementType(g.b.getI1Type()) : x.type;
  Tensor mask = makeExpression(
      maskType, x.dims, {},
      [compute = maskType.compute()](GraphBuilder &g, const Access &access) {
        return g.constant(g.withLanes(compute, access.lanes), 1);
      });
  mask.isLinear = mask.hasLanes = true;
  node.setResult(1, mask);
  return success();
}

//===----------------------------------------------------------------------===//
// Activations of ONNX Runtime
//===----------------------------------------------------------------------===//

/// A function of the sum of the input and a bias, which may be left out.
template <Value (*function)(GraphBuilder &, Value)>
static LogicalResult emitOfSum(Node &node) {
  FailureOr<ElementType> type = commonType(node);
  if (failed(type))
    return failure();
  if (!type->isFloat())
    return node.refuse("its input has no floating-point elements");
  SmallVector<Tensor> inputs = {node.input(0)};
  if (node.hasInput(1))
    inputs.push_back(node.input(1));
  node.setResult(0, mapElements(
                        node.g, inputs, *type,
                        [](GraphBuilder &g, ArrayRef<Value> in) {
                          return function(
                              g, in.size() > 1
                                     ? fold<arith::AddFOp>(g, in[0], in[1])
                                     : in[0]);
                        },
                        node.describe()));
  return success();
}

static constexpr llvm::StringLiteral kMicrosoft = "com.microsoft";

static const OperatorRow rows[] = {
    {"Clip", emitClipWithAttributes, 1, 1, 1, 1, 1, 10},
    {"Clip", emitClip, 1, 3, 1, 1, 11},
    {"PRelu", emitPRelu, 2, 2},
    {"Dropout", emitDropout, 1, 3, 1, 2},
    {"BiasGelu", emitOfSum<gelu>, 2, 2, 1, 1, 1, INT64_MAX, kMicrosoft},
    {"FastGelu", emitOfSum<geluTanh>, 1, 2, 1, 1, 1, INT64_MAX, kMicrosoft},
};

ArrayRef<OperatorRow> activationOperators() { return rows; }

} // namespace llmopt::graph
