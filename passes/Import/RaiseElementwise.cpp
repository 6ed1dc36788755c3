//===- RaiseElementwise.cpp - Sums, biases and factors ----------*- C++ -*-===//
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
#include <cmath>

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_RAISEELEMENTWISE
#include "passes/Import/Passes.h.inc"

namespace {
/// x + y, where y may be a constant vector.
struct RaiseAddition : NodePattern {
  RaiseAddition(MLIRContext *context, Pass::Statistic &count,
                Pass::Statistic &biases)
      : NodePattern(context, "Add"), count(count), biases(biases) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    Value left = getInput(node, 0), right = getInput(node, 1);
    if (succeeded(replaceByBias(node, left, right, rewriter)) ||
        succeeded(replaceByBias(node, right, left, rewriter))) {
      ++biases;
      return success();
    }
    RankedTensorType type = getFloatTensorType(left);
    for (Value input : {left, right})
      if (auto constant = input.getDefiningOp<onnx::InitializerOp>();
          constant && constant.getType().getRank() > 0)
        return rewriter.notifyMatchFailure(
            node, "the addition of a constant ('" + constant.getName() +
                      "') is not supported");
    if (!type || getFloatTensorType(right) != type)
      return rewriter.notifyMatchFailure(
          node, "no residual addition: its inputs are not float32 tensors of "
                "one type");
    rewriter.replaceOpWithNewOp<arith::AddFOp>(node, left, right);
    ++count;
    return success();
  }

  static LogicalResult replaceByBias(onnx::NodeOp node, Value input,
                                     Value vector, PatternRewriter &rewriter) {
    RankedTensorType type = getFloatTensorType(input);
    if (!type || type.getRank() < 2 || type.isDynamicDim(type.getRank() - 1))
      return failure();
    std::string reason;
    FailureOr<Value> bias = createVector(rewriter, node.getLoc(), vector,
                                         type.getShape().back(), reason);
    if (failed(bias))
      return failure();
    rewriter.replaceOpWithNewOp<BiasOp>(node, type, input, *bias,
                                        /*activation=*/ActivationAttr());
    return success();
  }

  Pass::Statistic &count, &biases;
};

/// Product or quotient of a tensor and a constant.
struct RaiseScale : NodePattern {
  RaiseScale(MLIRContext *context, StringRef opType, Pass::Statistic &count)
      : NodePattern(context, opType), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    bool isProduct = node.getOpType() == "Mul";
    for (unsigned index : {1, 0}) {
      std::optional<float> constant = getScalarFloat(getInput(node, index));
      RankedTensorType type = getFloatTensorType(getInput(node, 1 - index));
      if (!constant || !type || (index == 0 && !isProduct))
        continue;
      if (getNode(getInput(node, 1 - index), "Tanh"))
        return rewriter.notifyMatchFailure(
            node, "no scaling: of a hyperbolic tangent");
      float factor = isProduct ? *constant : 1 / *constant;
      if (!std::isfinite(factor))
        return rewriter.notifyMatchFailure(node, "its factor is not finite");
      rewriter.replaceOpWithNewOp<ScaleOp>(node, type,
                                           getInput(node, 1 - index),
                                           rewriter.getF32FloatAttr(factor));
      ++count;
      return success();
    }
    return rewriter.notifyMatchFailure(
        node, "no scaling: no factor is a constant number");
  }

  Pass::Statistic &count;
};

/// cap * tanh(x / cap), where what is in the tangent is a scaling already.
struct RaiseSoftcap : NodePattern {
  RaiseSoftcap(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Mul", "", /*benefit=*/2), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    for (unsigned index : {0, 1}) {
      onnx::NodeOp tangent = getNode(getInput(node, index), "Tanh");
      std::optional<float> cap = getScalarFloat(getInput(node, 1 - index));
      if (!tangent || !cap)
        continue;
      auto scale = getInput(tangent, 0).getDefiningOp<ScaleOp>();
      if (!scale || !(*cap > 0) || !std::isfinite(*cap) ||
          std::abs(scale.getFactor().convertToFloat() * *cap - 1) > 1e-6f)
        return rewriter.notifyMatchFailure(
            node, "as a soft cap: its tangent is not of its input divided by "
                  "the positive factor " +
                      std::to_string(*cap));
      rewriter.replaceOpWithNewOp<SoftcapOp>(node, scale.getType(),
                                             scale.getInput(),
                                             rewriter.getF32FloatAttr(*cap));
      ++count;
      return success();
    }
    return rewriter.notifyMatchFailure(
        node, "no soft cap: not a hyperbolic tangent times a number");
  }

  Pass::Statistic &count;
};

struct RaiseElementwisePass : impl::RaiseElementwiseBase<RaiseElementwisePass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<RaiseAddition>(context, additions, biases);
    patterns.add<RaiseScale>(context, "Mul", scalings);
    patterns.add<RaiseScale>(context, "Div", scalings);
    patterns.add<RaiseSoftcap>(context, softcaps);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
