//===- Unary.cpp - Functions of single elements -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

using UnaryFunction = Value (*)(GraphBuilder &, Value);

/// A function of floats without attributes.
template <UnaryFunction function> static LogicalResult floatUnary(Node &node) {
  ElementType type = node.input(0).type;
  if (!type.isFloat())
    return node.refuse("its input has no floating-point elements");
  node.setResult(0, mapElements(
                        node.g, {node.input(0)}, type,
                        [](GraphBuilder &g, ArrayRef<Value> in) {
                          return function(g, in[0]);
                        },
                        node.describe()));
  return success();
}

static const OperatorRow rows[] = {
    {"Exp", floatUnary<exp>, 1, 1},
    {"Log", floatUnary<log>, 1, 1},
    {"Sqrt", floatUnary<sqrt>, 1, 1},
    {"Tanh", floatUnary<tanh>, 1, 1},
    {"Erf", floatUnary<erf>, 1, 1},
    {"Sigmoid", floatUnary<sigmoid>, 1, 1},
    {"Softplus", floatUnary<softplus>, 1, 1},
    {"Mish", floatUnary<mish>, 1, 1},
    {"Sin", floatUnary<sin>, 1, 1},
    {"Cos", floatUnary<cos>, 1, 1},
    {"Tan", floatUnary<tan>, 1, 1},
    {"Asin", floatUnary<asin>, 1, 1},
    {"Acos", floatUnary<acos>, 1, 1},
    {"Atan", floatUnary<atan>, 1, 1},
    {"Sinh", floatUnary<sinh>, 1, 1},
    {"Cosh", floatUnary<cosh>, 1, 1},
    {"Asinh", floatUnary<asinh>, 1, 1},
    {"Acosh", floatUnary<acosh>, 1, 1},
    {"Atanh", floatUnary<atanh>, 1, 1},
};

ArrayRef<OperatorRow> unaryOperators() { return rows; }

} // namespace llmopt::graph
