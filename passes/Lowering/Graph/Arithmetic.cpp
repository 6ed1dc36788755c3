//===- Arithmetic.cpp - Elementwise arithmetic of graphs --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

/// The common element type of inputs [first, count); emits an error if they
/// differ.
static FailureOr<ElementType> commonType(Node &node, size_t first) {
  ElementType type = node.input(first).type;
  for (size_t i = first + 1; i < node.inputCount(); ++i)
    if (node.input(i).type != type)
      return node.refuse("its inputs have different element types");
  return type;
}

static Value addElements(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return arith::AddFOp::create(g.b, g.loc, a, b);
  return a.getType().isInteger(64) ? g.add(a, b)
                                   : arith::AddIOp::create(g.b, g.loc, a, b);
}

static Value mulElements(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return arith::MulFOp::create(g.b, g.loc, a, b);
  return a.getType().isInteger(64) ? g.mul(a, b)
                                   : arith::MulIOp::create(g.b, g.loc, a, b);
}

static Value subElements(GraphBuilder &g, ElementType type, Value a, Value b) {
  if (type.isFloat())
    return arith::SubFOp::create(g.b, g.loc, a, b);
  return a.getType().isInteger(64) ? g.sub(a, b)
                                   : arith::SubIOp::create(g.b, g.loc, a, b);
}

using BinaryFunction = Value (*)(GraphBuilder &, ElementType, Value, Value);

template <BinaryFunction function> static LogicalResult binary(Node &node) {
  FailureOr<ElementType> type = commonType(node, 0);
  if (failed(type))
    return failure();
  ElementType elementType = *type;
  node.setResult(0, mapElements(
                        node.g, {node.input(0), node.input(1)}, elementType,
                        [=](GraphBuilder &g, ArrayRef<Value> in) {
                          return function(g, elementType, in[0], in[1]);
                        },
                        node.describe()));
  return success();
}

static LogicalResult emitRelu(Node &node) {
  ElementType type = node.input(0).type;
  node.setResult(
      0, mapElements(
             node.g, {node.input(0)}, type,
             [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
               Value zero = g.constant(in[0].getType(), 0);
               // A NaN stays a NaN.
               if (type.isFloat())
                 return arith::MaximumFOp::create(g.b, g.loc, in[0], zero);
               return arith::MaxSIOp::create(g.b, g.loc, in[0], zero);
             },
             node.describe()));
  return success();
}

static const OperatorRow rows[] = {
    {"Add", binary<addElements>, 2, 2, 1, 1, 7},
    {"Mul", binary<mulElements>, 2, 2, 1, 1, 7},
    {"Sub", binary<subElements>, 2, 2, 1, 1, 7},
    {"Relu", emitRelu, 1, 1},
};

ArrayRef<OperatorRow> arithmeticOperators() { return rows; }

} // namespace llmopt::graph
