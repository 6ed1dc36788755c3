//===- Unary.cpp - Functions of single elements -----------------*- C++ -*-===//
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

using UnaryFunction = Value (*)(GraphBuilder &, Value);

/// A function of floats without attributes.
template <UnaryFunction function> static LogicalResult floatUnary(Node &node) {
  ElementType type = node.input(0).type;
  if (!type.isFloat())
    return node.refuse("its input has no floating-point elements");
  return mapInputs(node, type, [](GraphBuilder &g, ArrayRef<Value> in) {
    return function(g, in[0]);
  });
}

template <typename Op> static Value rounded(GraphBuilder &g, Value x) {
  return fold<Op>(g, x);
}

static Value reciprocal(GraphBuilder &g, Value x) { return 1.0 / Real(g, x); }

static Value softsign(GraphBuilder &g, Value x) {
  Real real(g, x);
  return real / (absolute(real) + 1);
}

static Value hardSwish(GraphBuilder &g, Value x) {
  Real real(g, x);
  Real gate = fma(real, real.constant(1.0 / 6), real.constant(0.5));
  return real * clamp(gate, real.constant(0), real.constant(1));
}

//===----------------------------------------------------------------------===//
// Functions with attributes
//===----------------------------------------------------------------------===//

using AttributeFunction = Real (*)(const Real &x, double alpha, double beta);

struct FloatAttribute {
  llvm::StringLiteral name;
  double byDefault;
};

/// A function of floats with up to two attributes of type float.
static LogicalResult emitWith(Node &node, FloatAttribute first,
                              FloatAttribute second,
                              AttributeFunction function) {
  ElementType type = node.input(0).type;
  if (!type.isFloat())
    return node.refuse("its input has no floating-point elements");
  double alpha = node.attribute(first.name, first.byDefault);
  double beta = second.name.empty()
                    ? second.byDefault
                    : node.attribute(second.name, second.byDefault);
  return mapInputs(node, type,
                   [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
                     return function(Real(g, in[0]), alpha, beta);
                   });
}

static constexpr FloatAttribute kNone = {"", 0};

static LogicalResult emitLeakyRelu(Node &node) {
  return emitWith(node, {"alpha", 0.01}, kNone,
                  [](const Real &x, double alpha, double) {
                    return choose(x < 0, alpha * x, x);
                  });
}

static LogicalResult emitElu(Node &node) {
  return emitWith(node, {"alpha", 1}, kNone,
                  [](const Real &x, double alpha, double) {
                    GraphBuilder &g = x.builder();
                    return choose(x < 0, alpha * Real(g, expm1(g, x)), x);
                  });
}

static LogicalResult emitCelu(Node &node) {
  return emitWith(
      node, {"alpha", 1}, kNone, [](const Real &x, double alpha, double) {
        GraphBuilder &g = x.builder();
        return choose(x < 0, alpha * Real(g, expm1(g, x / alpha)), x);
      });
}

static LogicalResult emitSelu(Node &node) {
  return emitWith(node, {"alpha", 1.67326319217681884765625},
                  {"gamma", 1.05070102214813232421875},
                  [](const Real &x, double alpha, double gamma) {
                    GraphBuilder &g = x.builder();
                    Real negative = alpha * Real(g, expm1(g, x));
                    return gamma * choose(x < 0, negative, x);
                  });
}

static LogicalResult emitThresholdedRelu(Node &node) {
  return emitWith(node, {"alpha", 1}, kNone,
                  [](const Real &x, double alpha, double) {
                    return choose(x <= alpha, x.constant(0), x);
                  });
}

static LogicalResult emitHardSigmoid(Node &node) {
  return emitWith(node, {"alpha", 0.2f}, {"beta", 0.5},
                  [](const Real &x, double alpha, double beta) {
                    Real line = fma(x, x.constant(alpha), x.constant(beta));
                    return clamp(line, x.constant(0), x.constant(1));
                  });
}

static LogicalResult emitShrink(Node &node) {
  ElementType type = node.input(0).type;
  double bias = node.attribute("bias", 0.0);
  double lambda = node.attribute("lambd", 0.5);
  if (type.isBool())
    return node.refuse("has no meaning for booleans");
  // Integers are computed as f64, which holds the sums of the small ones.
  ElementType compute =
      type.isFloat() ? type : ElementType(node.g.b.getF64Type());
  return mapInputs(node, type, [=](GraphBuilder &g, ArrayRef<Value> in) {
    Real x(g, castElement(g, in[0], type, compute));
    Real result = choose(lambda < x, x - bias, x.constant(0));
    result = choose(x < -lambda, x + bias, result);
    return castElement(g, result, compute, type);
  });
}

/// x sigmoid(alpha x)
static LogicalResult emitSwish(Node &node, double alpha) {
  return emitWith(node, {"alpha", alpha}, kNone,
                  [](const Real &x, double alpha, double) {
                    GraphBuilder &g = x.builder();
                    return x * Real(g, sigmoid(g, alpha == 1 ? x : alpha * x));
                  });
}

static LogicalResult emitSwish(Node &node) { return emitSwish(node, 1); }
static LogicalResult emitQuickGelu(Node &node) {
  return emitSwish(node, 1.702f);
}

/// The Swish of the first input times the second one.
static LogicalResult emitSwiGlu(Node &node) {
  double alpha = node.attribute("alpha", 1.0);
  if (failed(node.requireFloat(0)) ||
      failed(node.requireType(1, node.input(0).type)))
    return failure();
  if (node.input(0).rank() != node.input(1).rank())
    return node.refuse("its inputs have different numbers of dimensions");
  for (auto [a, b] : llvm::zip_equal(node.input(0).dims, node.input(1).dims))
    node.g.require(node.g.equal(a, b),
                   node.describe() + ": the dimensions of its inputs differ");
  return mapInputs(node, node.input(0).type,
                   [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
                     Real gate(g, in[0]), value(g, in[1]);
                     Real scaled = alpha == 1 ? gate : alpha * gate;
                     return gate * Real(g, sigmoid(g, scaled)) * value;
                   });
}

static LogicalResult emitGelu(Node &node) {
  std::string approximate = node.attribute("approximate", "none");
  if (approximate == "tanh")
    return floatUnary<geluTanh>(node);
  if (approximate == "none")
    return floatUnary<gelu>(node);
  return node.refuse("approximate is '" + approximate +
                     "', expected none or tanh");
}

static LogicalResult emitRelu(Node &node) {
  ElementType type = node.input(0).type;
  if (type.isBool())
    return node.refuse("has no meaning for booleans");
  return mapInputs(node, type,
                   [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
                     Value zero = g.constant(in[0].getType(), 0);
                     // A NaN stays a NaN.
                     if (type.isFloat())
                       return fold<arith::MaximumFOp>(g, in[0], zero);
                     return fold<arith::MaxSIOp>(g, in[0], zero);
                   });
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
    {"Ceil", floatUnary<rounded<math::CeilOp>>, 1, 1},
    {"Floor", floatUnary<rounded<math::FloorOp>>, 1, 1},
    {"Round", floatUnary<rounded<math::RoundEvenOp>>, 1, 1},
    {"Reciprocal", floatUnary<reciprocal>, 1, 1},
    {"Softsign", floatUnary<softsign>, 1, 1},
    {"HardSwish", floatUnary<hardSwish>, 1, 1},
    {"Relu", emitRelu, 1, 1},
    {"LeakyRelu", emitLeakyRelu, 1, 1},
    {"Elu", emitElu, 1, 1},
    {"Celu", emitCelu, 1, 1},
    {"Selu", emitSelu, 1, 1},
    {"ThresholdedRelu", emitThresholdedRelu, 1, 1},
    {"HardSigmoid", emitHardSigmoid, 1, 1},
    {"Shrink", emitShrink, 1, 1},
    {"Swish", emitSwish, 1, 1},
    {"SwiGLU", emitSwiGlu, 2, 2, 1, 1, 28},
    {"Gelu", emitGelu, 1, 1},
    {"Gelu", floatUnary<gelu>, 1, 1, 1, 1, 1, INT64_MAX, "com.microsoft"},
    {"QuickGelu", emitQuickGelu, 1, 1, 1, 1, 1, INT64_MAX, "com.microsoft"},
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
