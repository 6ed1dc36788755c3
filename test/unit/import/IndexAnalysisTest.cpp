//===- IndexAnalysisTest.cpp - Tests of tensors as functions ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/IndexAnalysis.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace llmopt;
using symbolic::Expr;
using symbolic::toString;

namespace {
struct IndexAnalysisTest : testing::Test {
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<IndexAnalysis> analysis;

  /// Analyses a body over token ids, a mask, and past keys of 2 heads of 4.
  void analyze(StringRef body) {
    context.loadDialect<func::FuncDialect, onnx::ONNXDialect>();
    std::string text = ("func.func @main(%ids: tensor<?x?xi64>, "
                        "%mask: tensor<?x?xi64>, %past: tensor<?x2x?x4xf32>, "
                        "%x: tensor<?x?x6xf32>) {\n"
                        "%table = onnx.initializer \"table\" = dense<1.0> : "
                        "tensor<5x8xf32>\n"
                        "%h = onnx.node \"Gather\"(%table, %ids) : "
                        "(tensor<5x8xf32>, tensor<?x?xi64>) -> !onnx.value\n" +
                        body + "\nreturn\n}\n")
                           .str();
    module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    analysis = std::make_unique<IndexAnalysis>(
        *module->getOps<func::FuncOp>().begin());
  }

  /// The last node of the body.
  const TensorFunction *last() {
    onnx::NodeOp node;
    module->walk([&](onnx::NodeOp op) { node = op; });
    return analysis->lookup(node.getResult(0));
  }
};

TEST_F(IndexAnalysisTest, UnifiesDimensionsByMeaning) {
  analyze("%0 = onnx.node \"Shape\"(%mask) : (tensor<?x?xi64>) -> !onnx.value\n"
          "%1 = onnx.node \"Shape\"(%past) : (tensor<?x2x?x4xf32>) -> "
          "!onnx.value\n"
          "%2 = onnx.node \"Shape\"(%h) : (!onnx.value) -> !onnx.value\n"
          "%3 = onnx.node \"Concat\"(%0, %1, %2) {axis = 0 : i64} : "
          "(!onnx.value, !onnx.value, !onnx.value) -> !onnx.value");
  Value result = (*module->getOps<func::FuncOp>().begin())
                     .getBody()
                     .front()
                     .getTerminator()
                     ->getPrevNode()
                     ->getResult(0);
  std::optional<SmallVector<Expr>> sizes = analysis->getVector(result);
  ASSERT_TRUE(sizes);
  symbolic::Context &c = analysis->getContext();
  EXPECT_EQ(*sizes,
            (SmallVector<Expr>{analysis->getBatch(), analysis->getTotal(),
                               analysis->getBatch(), c.constant(2),
                               analysis->getPast(), c.constant(4),
                               analysis->getBatch(), analysis->getSequence(),
                               c.constant(8)}));
}

TEST_F(IndexAnalysisTest, FollowsRepeatedHeads) {
  // Each of the 2 heads 3 times: head h of 6 is head h / 3.
  analyze(
      "%axis = onnx.initializer \"a\" = dense<2> : tensor<1xi64>\n"
      "%wide = onnx.initializer \"w\" = dense<[1, 1, 3, 1, 1]> : "
      "tensor<5xi64>\n"
      "%flat = onnx.initializer \"f\" = dense<[0, 6, -1, 4]> : tensor<4xi64>\n"
      "%0 = onnx.node \"Unsqueeze\"(%past, %axis) : (tensor<?x2x?x4xf32>, "
      "tensor<1xi64>) -> !onnx.value\n"
      "%1 = onnx.node \"Expand\"(%0, %wide) : (!onnx.value, tensor<5xi64>) -> "
      "!onnx.value\n"
      "%2 = onnx.node \"Reshape\"(%1, %flat) : (!onnx.value, tensor<4xi64>) -> "
      "!onnx.value");
  ASSERT_TRUE(last());
  EXPECT_EQ(last()->shape[2], analysis->getPast());
  std::string text = toString(last()->element);
  EXPECT_NE(text.find("(d0, floordiv(d1, 3), d2, d3)"), std::string::npos)
      << text;
}

TEST_F(IndexAnalysisTest, FollowsGatherOfAFlattenedMask) {
  // mask.flatten()[b * total + t] is mask[b, t].
  analyze(
      "%zero = onnx.initializer \"z\" = dense<0> : tensor<i64>\n"
      "%one = onnx.initializer \"o\" = dense<1> : tensor<i64>\n"
      "%axis1 = onnx.initializer \"a\" = dense<1> : tensor<1xi64>\n"
      "%s = onnx.node \"Shape\"(%mask) : (tensor<?x?xi64>) -> !onnx.value\n"
      "%b = onnx.node \"Gather\"(%s, %zero) : (!onnx.value, tensor<i64>) -> "
      "!onnx.value\n"
      "%t = onnx.node \"Gather\"(%s, %one) : (!onnx.value, tensor<i64>) -> "
      "!onnx.value\n"
      "%rows = onnx.node \"Range\"(%zero, %b, %one) : (tensor<i64>, "
      "!onnx.value, tensor<i64>) -> !onnx.value\n"
      "%columns = onnx.node \"Range\"(%zero, %t, %one) : (tensor<i64>, "
      "!onnx.value, tensor<i64>) -> !onnx.value\n"
      "%starts = onnx.node \"Mul\"(%rows, %t) : (!onnx.value, !onnx.value) -> "
      "!onnx.value\n"
      "%column = onnx.node \"Unsqueeze\"(%starts, %axis1) : (!onnx.value, "
      "tensor<1xi64>) -> !onnx.value\n"
      "%index = onnx.node \"Add\"(%column, %columns) : (!onnx.value, "
      "!onnx.value) -> !onnx.value\n"
      "%flat = onnx.node \"Flatten\"(%mask) {axis = 2 : i64} : "
      "(tensor<?x?xi64>) -> !onnx.value\n"
      "%e = onnx.node \"Gather\"(%flat, %index) : (!onnx.value, !onnx.value) "
      "-> !onnx.value\n"
      "%r = onnx.node \"Squeeze\"(%e) : (!onnx.value) -> !onnx.value");
  ASSERT_TRUE(last());
  Value mask =
      (*module->getOps<func::FuncOp>().begin()).getBody().getArgument(1);
  EXPECT_EQ(last()->element, analysis->lookup(mask)->element);
}

TEST_F(IndexAnalysisTest, MakesBasesOfComputedTensors) {
  // A sum of two tensors is a tensor of its own; a rotated half is not.
  analyze("%0 = onnx.node \"Neg\"(%x) : (tensor<?x?x6xf32>) -> !onnx.value\n"
          "%1 = onnx.node \"Sigmoid\"(%x) : (tensor<?x?x6xf32>) -> "
          "!onnx.value\n"
          "%2 = onnx.node \"Add\"(%0, %1) : (!onnx.value, !onnx.value) -> "
          "!onnx.value");
  ASSERT_TRUE(last());
  EXPECT_EQ(last()->element->kind, symbolic::Kind::Load);
  analyze("%0 = onnx.node \"Neg\"(%x) : (tensor<?x?x6xf32>) -> !onnx.value\n"
          "%1 = onnx.node \"Add\"(%0, %x) : (!onnx.value, tensor<?x?x6xf32>) "
          "-> !onnx.value");
  ASSERT_TRUE(last());
  EXPECT_EQ(last()->element->kind, symbolic::Kind::FloatAdd);
}

TEST_F(IndexAnalysisTest, KnowsNothingOfUnknownOperators) {
  analyze("%0 = onnx.node \"NonZero\"(%mask) : (tensor<?x?xi64>) -> "
          "!onnx.value\n"
          "%1 = onnx.node \"Neg\"(%0) : (!onnx.value) -> !onnx.value");
  EXPECT_FALSE(last());
}
} // namespace
