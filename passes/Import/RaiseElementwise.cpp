//===- RaiseElementwise.cpp - Gated units and residual additions ----------===//
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
#define GEN_PASS_DEF_RAISEELEMENTWISE
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
                                        /*relu=*/UnitAttr());
    return success();
  }

  Pass::Statistic &count, &biases;
};

/// Relu of a sum with a bias.
struct RaiseRelu : NodePattern {
  RaiseRelu(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Relu"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    Value input = getInput(node, 0);
    auto bias = input ? input.getDefiningOp<BiasOp>() : BiasOp();
    if (!bias || !bias->hasOneUse())
      return rewriter.notifyMatchFailure(
          node, "its input is not the sum with a bias that nothing else reads");
    rewriter.replaceOpWithNewOp<BiasOp>(node, bias.getType(), bias.getInput(),
                                        bias.getBias(), rewriter.getUnitAttr());
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

struct RaiseElementwisePass : impl::RaiseElementwiseBase<RaiseElementwisePass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<RaiseGatedUnit>(context, gatedUnits);
    patterns.add<RaiseAddition>(context, additions, biases);
    patterns.add<RaiseRelu>(context, relus);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
