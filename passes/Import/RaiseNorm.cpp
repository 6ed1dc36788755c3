//===- RaiseNorm.cpp - Root mean square normalisations ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"
#include "passes/Import/Weights.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_RAISENORM
#include "passes/Import/Passes.h.inc"

/// Normalises `input` over its last dimension, or fails with a reason.
static FailureOr<Value> createNorm(PatternRewriter &rewriter, Location location,
                                   Value input, Value gamma, float epsilon,
                                   std::string &reason) {
  RankedTensorType type = getFloatTensorType(input);
  if (!type || type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1)) {
    reason = "its input is not a float32 tensor with a known last dimension";
    return failure();
  }
  if (!(epsilon >= 0)) {
    reason = "its epsilon is negative";
    return failure();
  }
  FailureOr<Value> weight =
      createVector(rewriter, location, gamma, type.getShape().back(), reason);
  if (failed(weight))
    return failure();
  return Value(RMSNormOp::create(rewriter, location, type, input, *weight,
                                 rewriter.getF32FloatAttr(epsilon)));
}

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

/// The epsilon when `value` is x / sqrt(mean(x * x) + epsilon).
static std::optional<float> matchScaled(Value value, Value &input) {
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

namespace {
/// SimplifiedLayerNormalization, and RMSNormalization, which became a standard
/// operator in version 23.
struct RaiseSimplifiedNorm : NodePattern {
  RaiseSimplifiedNorm(MLIRContext *context, StringRef opType,
                      Pass::Statistic &count)
      : NodePattern(context, opType), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    Value input = getInput(node, 0), gamma = getInput(node, 1);
    RankedTensorType type = getFloatTensorType(input);
    if (!type)
      return rewriter.notifyMatchFailure(
          node, "its input is not a float32 tensor of known rank");
    if (normalizeAxis(getIntAttr(node, "axis", -1), type.getRank()) !=
        type.getRank() - 1)
      return rewriter.notifyMatchFailure(
          node, "it normalises over more than the last dimension");
    if (getIntAttr(node, "stash_type", 1) != 1)
      return rewriter.notifyMatchFailure(node, "stash_type must be float32");
    if (getUsedResult(node, 1))
      return rewriter.notifyMatchFailure(
          node, "its second output (the inverse deviation) is used");
    std::string reason;
    FailureOr<Value> norm =
        createNorm(rewriter, node.getLoc(), input, gamma,
                   getFloatAttr(node, "epsilon", 1e-5f), reason);
    if (failed(norm))
      return rewriter.notifyMatchFailure(node, reason);
    rewriter.replaceAllUsesWith(node.getResult(0), *norm);
    rewriter.eraseOp(node);
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

/// LayerNormalization over the last dimension.
struct RaiseLayerNorm : NodePattern {
  RaiseLayerNorm(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "LayerNormalization"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    Value input = getInput(node, 0);
    RankedTensorType type = getFloatTensorType(input);
    if (!type || type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1))
      return rewriter.notifyMatchFailure(
          node,
          "its input is not a float32 tensor with a known last dimension");
    if (normalizeAxis(getIntAttr(node, "axis", -1), type.getRank()) !=
        type.getRank() - 1)
      return rewriter.notifyMatchFailure(
          node, "it normalises over more than the last dimension");
    if (getIntAttr(node, "stash_type", 1) != 1)
      return rewriter.notifyMatchFailure(node, "stash_type must be float32");
    if (getUsedResult(node, 1) || getUsedResult(node, 2))
      return rewriter.notifyMatchFailure(
          node, "its mean or inverse deviation is used");
    const float epsilon = getFloatAttr(node, "epsilon", 1e-5f);
    if (!(epsilon >= 0))
      return rewriter.notifyMatchFailure(node, "its epsilon is negative");
    if (!getInput(node, 2))
      return rewriter.notifyMatchFailure(node, "it has no bias");
    std::string reason;
    Value vectors[2];
    for (unsigned i : {0, 1}) {
      FailureOr<Value> vector =
          createVector(rewriter, node.getLoc(), getInput(node, i + 1),
                       type.getShape().back(), reason);
      if (failed(vector))
        return rewriter.notifyMatchFailure(node, reason);
      vectors[i] = *vector;
    }
    Value norm =
        LayerNormOp::create(rewriter, node.getLoc(), type, input, vectors[0],
                            vectors[1], rewriter.getF32FloatAttr(epsilon));
    rewriter.replaceAllUsesWith(node.getResult(0), norm);
    rewriter.eraseOp(node);
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

struct RaiseSkipSimplifiedNorm : NodePattern {
  RaiseSkipSimplifiedNorm(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "SkipSimplifiedLayerNormalization",
                    kMicrosoftDomain),
        count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    Value input = getInput(node, 0), skip = getInput(node, 1);
    RankedTensorType type = getFloatTensorType(input);
    if (!type || getFloatTensorType(skip) != type)
      return rewriter.notifyMatchFailure(
          node, "its inputs are not float32 tensors of one known type");
    if (getInput(node, 3))
      return rewriter.notifyMatchFailure(node, "a bias is not supported");
    if (getUsedResult(node, 1) || getUsedResult(node, 2))
      return rewriter.notifyMatchFailure(
          node, "its mean or inverse deviation is used");
    Value sum = arith::AddFOp::create(rewriter, node.getLoc(), input, skip);
    std::string reason;
    FailureOr<Value> norm =
        createNorm(rewriter, node.getLoc(), sum, getInput(node, 2),
                   getFloatAttr(node, "epsilon", 1e-12f), reason);
    if (failed(norm)) {
      rewriter.eraseOp(sum.getDefiningOp());
      return rewriter.notifyMatchFailure(node, reason);
    }
    rewriter.replaceAllUsesWith(node.getResult(0), *norm);
    if (Value total = getUsedResult(node, 3))
      rewriter.replaceAllUsesWith(total, sum);
    rewriter.eraseOp(node);
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

/// gamma * (x / sqrt(mean(x * x) + epsilon)) in primitive nodes.
struct RaiseWrittenNorm : NodePattern {
  RaiseWrittenNorm(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Mul"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    for (unsigned index : {0, 1}) {
      Value gamma = getInput(node, index), scaled = getInput(node, 1 - index);
      Value input;
      std::optional<float> epsilon = matchScaled(scaled, input);
      if (!epsilon)
        continue;
      std::string reason;
      FailureOr<Value> norm =
          createNorm(rewriter, node.getLoc(), input, gamma, *epsilon, reason);
      if (failed(norm))
        return rewriter.notifyMatchFailure(node,
                                           "as a normalisation: " + reason);
      rewriter.replaceOp(node, *norm);
      ++count;
      return success();
    }
    return rewriter.notifyMatchFailure(
        node, "no normalisation: no factor is x / sqrt(mean(x * x) + epsilon)");
  }

  Pass::Statistic &count;
};

struct RaiseNormPass : impl::RaiseNormBase<RaiseNormPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<RaiseSimplifiedNorm>(context, "SimplifiedLayerNormalization",
                                      raised);
    patterns.add<RaiseSimplifiedNorm>(context, "RMSNormalization", raised);
    patterns.add<RaiseSkipSimplifiedNorm, RaiseWrittenNorm, RaiseLayerNorm>(
        context, raised);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
