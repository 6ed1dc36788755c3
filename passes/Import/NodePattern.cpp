//===- NodePattern.cpp - Patterns that are rooted at onnx nodes -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/NodePattern.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Rewrite/PatternApplicator.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace llmopt {

LogicalResult NodePattern::matchAndRewrite(onnx::NodeOp node,
                                           PatternRewriter &rewriter) const {
  if (node.getOpType() != opType || node.getDomain() != domain)
    return failure();
  return matchNode(node, rewriter);
}

namespace {
/// Collects why patterns refuse a node, and forwards everything else.
struct RefusalListener : public RewriterBase::ForwardingListener {
  using ForwardingListener::ForwardingListener;

  void
  notifyMatchFailure(Location location,
                     function_ref<void(Diagnostic &)> reasonCallback) override {
    Diagnostic diagnostic(location, DiagnosticSeverity::Remark);
    reasonCallback(diagnostic);
    std::string reason = diagnostic.str();
    if (!StringRef(reason).starts_with("no ") &&
        !llvm::is_contained(reasons, reason))
      reasons.push_back(reason);
  }

  SmallVector<std::string> reasons;
};
} // namespace

/// True when the node cannot be judged, because the type of an input is not
/// known: the node that computes it is to blame.
static bool hasUnknownInput(onnx::NodeOp node) {
  return llvm::any_of(node.getInputs(), [](Value input) {
    return isa<onnx::ValueType>(input.getType()) &&
           !input.getDefiningOp<onnx::NoneOp>();
  });
}

void applyNodePatterns(func::FuncOp function, RewritePatternSet patterns,
                       RewriterBase::Listener *listener) {
  MLIRContext *context = function.getContext();
  FrozenRewritePatternSet frozen(std::move(patterns));
  PatternApplicator applicator(frozen);
  applicator.applyDefaultCostModel();
  RefusalListener refusals(listener);
  PatternRewriter rewriter(context);
  rewriter.setListener(&refusals);
  SmallVector<onnx::NodeOp> nodes(
      function.getBody().front().getOps<onnx::NodeOp>());
  for (onnx::NodeOp node : nodes) {
    if (node.use_empty())
      continue;
    rewriter.setInsertionPoint(node);
    refusals.reasons.clear();
    if (succeeded(applicator.matchAndRewrite(node, rewriter)) ||
        refusals.reasons.empty() || hasUnknownInput(node))
      continue;
    std::string reason = llvm::join(refusals.reasons, "; ");
    if (auto earlier = node->getAttrOfType<StringAttr>(kRefusalAttrName))
      reason = (earlier.getValue() + "; " + reason).str();
    node->setAttr(kRefusalAttrName, StringAttr::get(context, reason));
  }
  eraseDeadNodes(function);
  updateFunctionType(function);
}

void eraseDeadNodes(func::FuncOp function) {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}

void updateFunctionType(func::FuncOp function) {
  Block &entry = function.getBody().front();
  function.setType(FunctionType::get(function.getContext(),
                                     entry.getArgumentTypes(),
                                     entry.getTerminator()->getOperandTypes()));
}

} // namespace llmopt
