//===- ActivationMatch.cpp - Functions of one number ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/ActivationMatch.h"
#include "passes/Import/ONNXMatch.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSwitch.h"
#include <cmath>
#include <numbers>

using namespace mlir;

namespace llmopt {

/// Nodes that a composition may have.
static constexpr size_t maxNodes = 24;

static double gelu(double x) {
  return x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
}

static double geluTanh(double x) {
  double factor = std::sqrt(2 / std::numbers::pi);
  return x / 2 * (1 + std::tanh(factor * (x + 0.044715 * x * x * x)));
}

static double relu(double x) { return x < 0 ? 0 : x; }

/// What an operator makes of its first input, and of the second if it has two;
/// nullopt for operators that no activation function is made of.
static std::optional<double> compute(onnx::NodeOp node, double x, double y) {
  if (node.getDomain() == kMicrosoftDomain)
    return llvm::StringSwitch<std::optional<double>>(node.getOpType())
        .Case("Gelu", gelu(x))
        .Case("FastGelu", geluTanh(x))
        .Default(std::nullopt);
  bool isTanh = false;
  if (auto kind = node.getNodeAttr<StringAttr>("approximate"))
    isTanh = kind.getValue() == "tanh";
  return llvm::StringSwitch<std::optional<double>>(node.getOpType())
      .Case("Add", x + y)
      .Case("Sub", x - y)
      .Case("Mul", x * y)
      .Case("Div", x / y)
      .Case("Pow", std::pow(x, y))
      .Case("Neg", -x)
      .Case("Reciprocal", 1 / x)
      .Case("Exp", std::exp(x))
      .Case("Sqrt", std::sqrt(x))
      .Case("Tanh", std::tanh(x))
      .Case("Erf", std::erf(x))
      .Case("Sigmoid", 1 / (1 + std::exp(-x)))
      .Case("Relu", relu(x))
      .Case("Gelu", isTanh ? geluTanh(x) : gelu(x))
      .Default(std::nullopt);
}

namespace {
/// Computes a value as a function of another one.
class Composition {
public:
  explicit Composition(Value input) : input(input) {}

  std::optional<double> at(Value value, double x) {
    steps = 0;
    return evaluate(value, x);
  }

private:
  std::optional<double> evaluate(Value value, double x);

  Value input;
  size_t steps = 0;
};
} // namespace

std::optional<double> Composition::evaluate(Value value, double x) {
  if (value == input)
    return x;
  // A node that is read twice counts twice.
  if (++steps > 4 * maxNodes || !value)
    return std::nullopt;
  if (std::optional<float> constant = getScalarFloat(value))
    return *constant;
  auto node = value.getDefiningOp<onnx::NodeOp>();
  if (!node || value != node.getResult(0) || node.getInputs().empty() ||
      node.getInputs().size() > 2 || node.getNumResults() != 1)
    return std::nullopt;
  std::optional<double> first = evaluate(getInput(node, 0), x);
  bool isBinary = node.getInputs().size() == 2;
  std::optional<double> second =
      first && isBinary ? evaluate(getInput(node, 1), x) : first;
  return second ? compute(node, *first, *second) : std::nullopt;
}

static bool agrees(Value value, Value input, double (*function)(double)) {
  Composition composition(input);
  constexpr int count = 97;
  for (int i = 0; i <= count; ++i) {
    double x = -6 + 12.0 * i / count;
    std::optional<double> y = composition.at(value, x);
    double wanted = function(x);
    if (!y || !(std::abs(*y - wanted) <= 2e-6 * (1 + std::abs(wanted))))
      return false;
  }
  return true;
}

std::optional<ActivationMatch> matchActivation(Value value) {
  std::pair<Activation, double (*)(double)> functions[] = {
      {Activation::Relu, relu},
      {Activation::Gelu, gelu},
      {Activation::GeluTanh, geluTanh}};
  llvm::SetVector<Value> reached;
  reached.insert(value);
  for (size_t next = 0; next < reached.size() && next < maxNodes; ++next) {
    Value candidate = reached[next];
    if (next != 0 && getFloatTensorType(candidate))
      for (auto [activation, function] : functions)
        if (agrees(value, candidate, function))
          return ActivationMatch{activation, candidate};
    if (auto node = candidate.getDefiningOp<onnx::NodeOp>();
        node && compute(node, 1, 1))
      for (Value operand : node.getInputs())
        if (operand && !getScalarFloat(operand))
          reached.insert(operand);
  }
  return std::nullopt;
}

} // namespace llmopt
