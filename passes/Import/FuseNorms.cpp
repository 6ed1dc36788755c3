//===- FuseNorms.cpp - Normalisations that are written out ----------- ===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/GraphValues.h"
#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_FUSENORMS
#include "passes/Import/Passes.h.inc"

static Value lookThroughCasts(Value value) {
  while (onnx::NodeOp cast = getNode(value, "Cast"))
    value = getInput(cast, 0);
  return value;
}

/// The x of x * x or of Pow(x, 2); null for any other value.
static Value matchSquare(Value value) {
  if (onnx::NodeOp power = getNode(value, "Pow"))
    return getScalarFloat(getInput(power, 1)) == 2.0f ? getInput(power, 0)
                                                      : Value();
  onnx::NodeOp product = getNode(value, "Mul");
  return product && getInput(product, 0) == getInput(product, 1)
             ? getInput(product, 0)
             : Value();
}

/// What a mean over the last dimension, which it keeps, is the mean of; null
/// for any other value.
static Value matchMean(Value value) {
  onnx::NodeOp mean = getNode(value, "ReduceMean");
  if (!mean || getIntAttr(mean, "keepdims", 1) != 1)
    return {};
  std::optional<SmallVector<int64_t>> axes;
  if (auto attribute = mean.getNodeAttr<DenseI64ArrayAttr>("axes"))
    axes = SmallVector<int64_t>(attribute.asArrayRef());
  else
    axes = getIntegers(getInput(mean, 1));
  return axes && axes->size() == 1 && axes->front() == -1 ? getInput(mean, 0)
                                                          : Value();
}

/// The epsilon when `value` is sqrt(mean(x * x) + epsilon).
static std::optional<float> matchDeviation(Value value, Value input) {
  onnx::NodeOp root = getNode(value, "Sqrt");
  onnx::NodeOp sum = root ? getNode(getInput(root, 0), "Add") : onnx::NodeOp();
  for (unsigned index : {0, 1}) {
    if (!sum)
      break;
    Value squares = matchMean(getInput(sum, index));
    if (squares && matchSquare(squares) == input)
      return getScalarFloat(getInput(sum, 1 - index));
  }
  return std::nullopt;
}

/// The x and the epsilon of x / sqrt(mean(x * x) + epsilon).
static std::optional<float> matchNormalised(Value value, Value &input) {
  if (onnx::NodeOp quotient = getNode(value, "Div")) {
    input = getInput(quotient, 0);
    return matchDeviation(getInput(quotient, 1), input);
  }
  onnx::NodeOp product = getNode(value, "Mul");
  for (unsigned index : {0, 1}) {
    if (!product)
      break;
    input = getInput(product, index);
    Value inverse = getInput(product, 1 - index), deviation;
    if (onnx::NodeOp reciprocal = getNode(inverse, "Reciprocal"))
      deviation = getInput(reciprocal, 0);
    else if (onnx::NodeOp quotient = getNode(inverse, "Div");
             quotient && getScalarFloat(getInput(quotient, 0)) == 1.0f)
      deviation = getInput(quotient, 1);
    if (std::optional<float> epsilon = matchDeviation(deviation, input))
      return epsilon;
  }
  return std::nullopt;
}

/// True for constant vectors and sums of a constant vector and a number.
static bool isConstantVector(Value value) {
  if (onnx::NodeOp sum = getNode(value, "Add"))
    return (isConstantVector(getInput(sum, 0)) &&
            getScalarFloat(getInput(sum, 1))) ||
           (isConstantVector(getInput(sum, 1)) &&
            getScalarFloat(getInput(sum, 0)));
  auto constant = lookThroughCasts(value).getDefiningOp<onnx::InitializerOp>();
  return constant && constant.getType().getRank() == 1;
}

/// The centred input of a scaled normalisation gamma * (x / deviation(x)).
struct ScaledNorm {
  Value input, gamma;
  float epsilon;
};

static std::optional<ScaledNorm> matchScaled(onnx::NodeOp product) {
  for (unsigned index : {0, 1}) {
    ScaledNorm norm;
    norm.gamma = getInput(product, index);
    Value normalised = lookThroughCasts(getInput(product, 1 - index));
    std::optional<float> epsilon = matchNormalised(normalised, norm.input);
    if (!epsilon || !isConstantVector(norm.gamma))
      continue;
    norm.epsilon = *epsilon;
    return norm;
  }
  return std::nullopt;
}

static Value createNorm(PatternRewriter &rewriter, onnx::NodeOp node,
                        StringRef opType, int64_t version, ValueRange inputs,
                        float epsilon) {
  Value norm = createNode(
      rewriter, node, opType, inputs,
      {rewriter.getNamedAttr("axis", rewriter.getI64IntegerAttr(-1)),
       rewriter.getNamedAttr("epsilon", rewriter.getF32FloatAttr(epsilon))});
  norm.getDefiningOp<onnx::NodeOp>().setVersion(version);
  return norm;
}

namespace {
struct FuseRmsNorm : NodePattern {
  FuseRmsNorm(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Mul"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    std::optional<ScaledNorm> norm = matchScaled(node);
    // x - mean(x) is the input of a LayerNormalization, which is made of the
    // whole.
    if (!norm || (getNode(norm->input, "Sub") &&
                  matchMean(getInput(getNode(norm->input, "Sub"), 1))))
      return rewriter.notifyMatchFailure(node, "no normalisation");
    rewriter.replaceOp(node,
                       createNorm(rewriter, node, "RMSNormalization", 23,
                                  {norm->input, norm->gamma}, norm->epsilon));
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

struct FuseLayerNorm : NodePattern {
  FuseLayerNorm(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Add"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    for (unsigned index : {0, 1}) {
      Value beta = getInput(node, index);
      onnx::NodeOp product = getNode(getInput(node, 1 - index), "Mul");
      std::optional<ScaledNorm> norm =
          product ? matchScaled(product) : std::nullopt;
      onnx::NodeOp centred =
          norm ? getNode(norm->input, "Sub") : onnx::NodeOp();
      if (!centred || !isConstantVector(beta) ||
          matchMean(getInput(centred, 1)) != getInput(centred, 0))
        continue;
      rewriter.replaceOp(node,
                         createNorm(rewriter, node, "LayerNormalization", 17,
                                    {getInput(centred, 0), norm->gamma, beta},
                                    norm->epsilon));
      ++count;
      return success();
    }
    return rewriter.notifyMatchFailure(node, "no normalisation");
  }

  Pass::Statistic &count;
};

struct FuseNormsPass : impl::FuseNormsBase<FuseNormsPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseRmsNorm, FuseLayerNorm>(&getContext(), fused);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
