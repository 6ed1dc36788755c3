//===- FoldONNX.cpp - One spelling for constants ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_FOLDONNX
#include "passes/Import/Passes.h.inc"

namespace {
struct FoldConstant : NodePattern {
  FoldConstant(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Constant"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    TypedAttr value = node.getConstantTensor();
    if (!value)
      return rewriter.notifyMatchFailure(
          node, "a Constant must hold a dense tensor of numbers");
    StringRef name = getNodeName(node);
    rewriter.replaceOpWithNewOp<onnx::InitializerOp>(
        node, value.getType(),
        rewriter.getStringAttr(name.empty() ? "constant" : name), value);
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

/// Nodes whose only result is their first input.
struct DropNode : NodePattern {
  DropNode(MLIRContext *context, StringRef opType, Pass::Statistic &count)
      : NodePattern(context, opType), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    if (node.getNumResults() != 1 || !getInput(node, 0))
      return rewriter.notifyMatchFailure(node,
                                         "must have one input and one result");
    if (node.getInputs().size() != 1)
      return rewriter.notifyMatchFailure(node, "has more than one input");
    rewriter.replaceOp(node, node.getInputs()[0]);
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

/// A Cast to the type that its input has.
struct DropCast : NodePattern {
  DropCast(MLIRContext *context, Pass::Statistic &count)
      : NodePattern(context, "Cast"), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    Value input = getInput(node, 0);
    if (!input || !isa<RankedTensorType>(input.getType()) ||
        node.getNumResults() != 1 ||
        node.getResult(0).getType() != input.getType())
      return rewriter.notifyMatchFailure(node,
                                         "no Cast to the type of its input");
    rewriter.replaceOp(node, input);
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

struct FoldONNXPass : impl::FoldONNXBase<FoldONNXPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<FoldConstant>(context, constants);
    patterns.add<DropNode>(context, "Identity", dropped);
    patterns.add<DropNode>(context, "Dropout", dropped);
    patterns.add<DropCast>(context, dropped);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
