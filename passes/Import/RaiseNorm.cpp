//===- RaiseNorm.cpp - Root mean square normalisations ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/NodePattern.h"
#include "passes/Import/NormMatch.h"
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
    std::string reason;
    Value vectors[2];
    for (unsigned i : {0, 1}) {
      Value given = getInput(node, i + 1);
      int64_t length = type.getShape().back();
      FailureOr<Value> vector =
          given || i == 0
              ? createVector(rewriter, node.getLoc(), given, length, reason)
              : createZeros(rewriter, node.getLoc(), length);
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
      std::optional<float> epsilon = matchRootMeanSquare(scaled, input);
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
