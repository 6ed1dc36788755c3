//===- NormMatch.cpp - Normalisations that are written out ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/NormMatch.h"
#include "passes/Import/ONNXMatch.h"

using namespace mlir;

namespace llmopt {

/// True for a constant of one element that is `number`.
static bool isScalar(Value value, float number) {
  return getScalarFloat(value) == number;
}

/// The x of x * x or of Pow(x, 2); null for any other value.
static Value matchSquare(Value value) {
  if (onnx::NodeOp power = getNode(value, "Pow"))
    return isScalar(getInput(power, 1), 2) ? getInput(power, 0) : Value();
  onnx::NodeOp product = getNode(value, "Mul");
  return product && getInput(product, 0) == getInput(product, 1)
             ? getInput(product, 0)
             : Value();
}

/// True when a reduction is over the last axis, which it keeps.
static bool isOverLastAxis(onnx::NodeOp reduction, int64_t rank) {
  std::optional<SmallVector<int64_t>> axes;
  if (auto attribute = reduction.getNodeAttr<DenseI64ArrayAttr>("axes"))
    axes = SmallVector<int64_t>(attribute.asArrayRef());
  else
    axes = getIntegers(getInput(reduction, 1));
  return axes && axes->size() == 1 &&
         normalizeAxis(axes->front(), rank) == rank - 1 &&
         getIntAttr(reduction, "keepdims", 1) == 1;
}

/// The epsilon when `value` is mean(x * x) + epsilon over the last axis.
static std::optional<float> matchMeanSquare(Value value, Value input) {
  onnx::NodeOp sum = getNode(value, "Add");
  RankedTensorType type = getFloatTensorType(input);
  if (!sum || !type)
    return std::nullopt;
  for (unsigned index : {0, 1}) {
    onnx::NodeOp mean = getNode(getInput(sum, index), "ReduceMean");
    if (mean && matchSquare(getInput(mean, 0)) == input &&
        isOverLastAxis(mean, type.getRank()))
      return getScalarFloat(getInput(sum, 1 - index));
  }
  return std::nullopt;
}

/// The epsilon when `value` is 1 / sqrt(mean(x * x) + epsilon).
static std::optional<float> matchInverseDeviation(Value value, Value input) {
  if (onnx::NodeOp power = getNode(value, "Pow"))
    return isScalar(getInput(power, 1), -0.5f)
               ? matchMeanSquare(getInput(power, 0), input)
               : std::nullopt;
  Value root;
  if (onnx::NodeOp reciprocal = getNode(value, "Reciprocal"))
    root = getInput(reciprocal, 0);
  else if (onnx::NodeOp quotient = getNode(value, "Div");
           quotient && isScalar(getInput(quotient, 0), 1))
    root = getInput(quotient, 1);
  onnx::NodeOp deviation = getNode(root, "Sqrt");
  return deviation ? matchMeanSquare(getInput(deviation, 0), input)
                   : std::nullopt;
}

std::optional<float> matchRootMeanSquare(Value value, Value &input) {
  if (onnx::NodeOp quotient = getNode(value, "Div")) {
    input = getInput(quotient, 0);
    onnx::NodeOp deviation = getNode(getInput(quotient, 1), "Sqrt");
    return deviation ? matchMeanSquare(getInput(deviation, 0), input)
                     : std::nullopt;
  }
  onnx::NodeOp product = getNode(value, "Mul");
  for (unsigned index : {0, 1}) {
    if (!product)
      break;
    input = getInput(product, index);
    if (std::optional<float> epsilon =
            matchInverseDeviation(getInput(product, 1 - index), input))
      return epsilon;
  }
  return std::nullopt;
}

/// SimplifiedLayerNormalization and RMSNormalization over the last dimension.
static std::optional<NormMatch> matchNormOperator(onnx::NodeOp node) {
  RankedTensorType type = getFloatTensorType(getInput(node, 0));
  if (!type || !getInput(node, 1) || getUsedResult(node, 1) ||
      getIntAttr(node, "stash_type", 1) != 1 ||
      normalizeAxis(getIntAttr(node, "axis", -1), type.getRank()) !=
          type.getRank() - 1)
    return std::nullopt;
  return NormMatch{getInput(node, 0), getInput(node, 1),
                   getFloatAttr(node, "epsilon", 1e-5f)};
}

std::optional<NormMatch> matchNorm(Value value) {
  for (StringRef opType : {"SimplifiedLayerNormalization", "RMSNormalization"})
    if (onnx::NodeOp node = getNode(value, opType))
      return matchNormOperator(node);
  onnx::NodeOp product = getNode(value, "Mul");
  for (unsigned index : {0, 1}) {
    if (!product)
      break;
    NormMatch match{{}, getInput(product, index), 0};
    std::optional<float> epsilon =
        matchRootMeanSquare(getInput(product, 1 - index), match.input);
    if (!epsilon)
      continue;
    match.epsilon = *epsilon;
    return match;
  }
  return std::nullopt;
}

} // namespace llmopt
