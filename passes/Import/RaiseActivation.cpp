//===- RaiseActivation.cpp - Activation functions and gated units ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/ActivationMatch.h"
#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"
#include "passes/Import/Weights.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_RAISEACTIVATION
#include "passes/Import/Passes.h.inc"

/// Adds the factors of a product to `factors`; a factor that is itself a Mul
/// node counts as its two inputs.
static void collectFactors(onnx::NodeOp mul, SmallVectorImpl<Value> &factors) {
  for (Value factor : mul.getInputs()) {
    if (onnx::NodeOp inner = getNode(factor, "Mul"))
      factors.append(inner.getInputs().begin(), inner.getInputs().end());
    else
      factors.push_back(factor);
  }
}

namespace {
/// x * sigmoid(x) * y, in any order of the factors.
struct RaiseGatedUnit : NodePattern {
  RaiseGatedUnit(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Mul"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    SmallVector<Value> factors;
    collectFactors(node, factors);
    if (factors.size() != 3)
      return rewriter.notifyMatchFailure(
          node, "no gated unit: not a product of three factors");
    Value gate;
    for (Value factor : factors)
      if (onnx::NodeOp sigmoid = getNode(factor, "Sigmoid"))
        if (llvm::is_contained(factors, sigmoid.getInputs()[0]))
          gate = sigmoid.getInputs()[0];
    if (!gate)
      return rewriter.notifyMatchFailure(
          node, "no gated unit: no factor is the sigmoid of another");
    Value up;
    bool seenGate = false;
    for (Value factor : factors) {
      onnx::NodeOp sigmoid = getNode(factor, "Sigmoid");
      if (sigmoid && sigmoid.getInputs()[0] == gate)
        continue;
      if (factor == gate && !seenGate)
        seenGate = true;
      else
        up = factor;
    }
    RankedTensorType type = getFloatTensorType(gate);
    if (!up || !type || getFloatTensorType(up) != type)
      return rewriter.notifyMatchFailure(
          node, "gate and factor are not float32 tensors of one known type");
    rewriter.replaceOpWithNewOp<GluOp>(node, type, GluActivation::Silu, gate,
                                       up);
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

/// gelu(x) * y.
struct RaiseGeluUnit : NodePattern {
  RaiseGeluUnit(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Mul"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    for (unsigned index : {0, 1}) {
      Value up = getInput(node, 1 - index);
      RankedTensorType type = getFloatTensorType(up);
      std::optional<ActivationMatch> gate =
          type ? matchActivation(getInput(node, index)) : std::nullopt;
      if (!gate || getFloatTensorType(gate->input) != type)
        continue;
      if (gate->activation == Activation::Relu)
        return rewriter.notifyMatchFailure(
            node, "as a gated unit: its function is relu, expected silu or "
                  "gelu");
      rewriter.replaceOpWithNewOp<GluOp>(node, type,
                                         gate->activation == Activation::Gelu
                                             ? GluActivation::Gelu
                                             : GluActivation::GeluTanh,
                                         gate->input, up);
      ++count;
      return success();
    }
    return rewriter.notifyMatchFailure(
        node, "no gated unit: no factor is an activation function");
  }

  Pass::Statistic &count;
};

/// True where a tensor is a factor of another one: a gate.
static bool isGate(Value value) {
  return value.hasOneUse() && [&] {
    onnx::NodeOp product = dyn_cast<onnx::NodeOp>(*value.user_begin());
    return product && product.getOpType() == "Mul" &&
           getFloatTensorType(getInput(product, 0)) ==
               getFloatTensorType(getInput(product, 1));
  }();
}

/// An activation function of a sum with a bias, or of anything: then the bias
/// is zero.
struct RaiseFunction : NodePattern {
  RaiseFunction(MLIRContext *context, StringRef opType, StringRef domain,
                Pass::Statistic &count)
      : NodePattern(context, opType, domain), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    if (isGate(node.getResult(0)))
      return rewriter.notifyMatchFailure(
          node, "no activation function of a product: it is a gate");
    std::optional<ActivationMatch> match = matchActivation(node.getResult(0));
    RankedTensorType type =
        match ? getFloatTensorType(match->input) : RankedTensorType();
    if (!type)
      return rewriter.notifyMatchFailure(
          node, "no activation function: not relu or gelu of one tensor");
    if (type.getRank() < 2 || type.isDynamicDim(type.getRank() - 1))
      return rewriter.notifyMatchFailure(
          node, "its input has no known last dimension");
    auto [input, bias] = matchBias(match->input, type, rewriter);
    if (!bias)
      return rewriter.notifyMatchFailure(node, "no zeros can be written");
    rewriter.replaceOpWithNewOp<BiasOp>(
        node, type, input, bias,
        ActivationAttr::get(rewriter.getContext(), match->activation));
    ++count;
    return success();
  }

private:
  /// The terms of a sum of a tensor and a constant vector; the tensor and zeros
  /// where it is none.
  static std::pair<Value, Value> matchBias(Value sum, RankedTensorType type,
                                           PatternRewriter &rewriter) {
    int64_t length = type.getShape().back();
    if (onnx::NodeOp node = getNode(sum, "Add"))
      for (unsigned index : {0, 1}) {
        std::string reason;
        FailureOr<Value> bias = createVector(
            rewriter, sum.getLoc(), getInput(node, index), length, reason);
        if (succeeded(bias) && getInput(node, 1 - index).getType() == type)
          return {getInput(node, 1 - index), *bias};
      }
    FailureOr<Value> zeros = createZeros(rewriter, sum.getLoc(), length);
    return {sum, succeeded(zeros) ? *zeros : Value()};
  }

  Pass::Statistic &count;
};

struct RaiseActivationPass : impl::RaiseActivationBase<RaiseActivationPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<RaiseGatedUnit, RaiseGeluUnit>(context, gatedUnits);
    for (StringRef opType : {"Relu", "Gelu", "Mul"})
      patterns.add<RaiseFunction>(context, opType, "", functions);
    for (StringRef opType : {"Gelu", "FastGelu"})
      patterns.add<RaiseFunction>(context, opType, kMicrosoftDomain, functions);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
