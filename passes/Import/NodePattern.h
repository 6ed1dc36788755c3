//===- NodePattern.h - Patterns that are rooted at onnx nodes ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_NODEPATTERN_H
#define LLMOPT_PASSES_IMPORT_NODEPATTERN_H

#include "dialects/ONNX/ONNXOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"
#include <string>

namespace llmopt {

/// Attribute of a node that a pattern refused: the reasons, for the diagnostic
/// at the end of the import.
inline constexpr llvm::StringLiteral kRefusalAttrName = "llmopt.refusal";

/// A pattern whose root is a node with a given operator. A refusal that begins
/// with "no " says that the node is not what the pattern is for (a Mul that is
/// no gated unit); any other says what keeps it from being compiled, and is
/// for the user.
///
/// The root is the only
/// op it may replace; what then is dead goes at the end of the sweep.
class NodePattern : public mlir::OpRewritePattern<onnx::NodeOp> {
public:
  NodePattern(mlir::MLIRContext *context, llvm::StringRef opType,
              llvm::StringRef domain = "", mlir::PatternBenefit benefit = 1)
      : OpRewritePattern(context, benefit), opType(opType), domain(domain) {}

  /// Fails without a reason on nodes of other operators.
  mlir::LogicalResult
  matchAndRewrite(onnx::NodeOp node,
                  mlir::PatternRewriter &rewriter) const final;

protected:
  /// Matches a node of the pattern's operator; every refusal has a reason.
  virtual mlir::LogicalResult
  matchNode(onnx::NodeOp node, mlir::PatternRewriter &rewriter) const = 0;

private:
  std::string opType, domain;
};

/// Offers every node of the function once, in program order, to the patterns
/// (which may replace that node only). Notes on a refused node why, erases the
/// nodes that nothing uses any more and brings the function's type up to date.
void applyNodePatterns(mlir::func::FuncOp function,
                       mlir::RewritePatternSet patterns,
                       mlir::RewriterBase::Listener *listener = nullptr);

/// Erases the onnx ops of the function that nothing uses.
void eraseDeadNodes(mlir::func::FuncOp function);

/// Makes the function's type agree with its entry block and its return.
void updateFunctionType(mlir::func::FuncOp function);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_NODEPATTERN_H
