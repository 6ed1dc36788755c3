//===- RotaryTableTest.cpp - Tests of rotary tables -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/RotaryTable.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace mlir;
using namespace llmopt;
using symbolic::Context;
using symbolic::Expr;
using symbolic::Function;
using symbolic::Kind;

namespace {
struct RotaryTableTest : testing::Test {
  MLIRContext mlirContext;
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<IndexAnalysis> analysis;
  Rotation rotation;
  std::string reason;

  void SetUp() override {
    mlirContext.loadDialect<func::FuncDialect, onnx::ONNXDialect>();
    module = parseSourceString<ModuleOp>(
        "func.func @main(%ids: tensor<?x?xi64>) {\n"
        "%f = onnx.initializer \"f\" = dense<[1.0, 0.1]> : tensor<2xf32>\n"
        "%x = onnx.node \"Gather\"(%f, %ids) : (tensor<2xf32>, "
        "tensor<?x?xi64>) -> !onnx.value\nreturn\n}\n",
        &mlirContext);
    ASSERT_TRUE(module);
    func::FuncOp function = *module->getOps<func::FuncOp>().begin();
    analysis = std::make_unique<IndexAnalysis>(function);
    Context &c = analysis->getContext();
    rotation.rotated = 4;
    rotation.position = c.variable(50, nullptr);
    rotation.frequency = c.variable(51, c.constant(2));
    onnx::InitializerOp frequencies;
    function.walk([&](onnx::InitializerOp op) { frequencies = op; });
    Expr angle = c.floatBinary(
        Kind::FloatMul, c.fromInteger(rotation.position),
        analysis->loadBase(frequencies.getResult(), {rotation.frequency}));
    rotation.firstCosine = rotation.secondCosine =
        c.call(Function::Cos, {angle});
    rotation.firstSine = rotation.secondSine = c.call(Function::Sin, {angle});
  }
};

TEST_F(RotaryTableTest, ComputesWhatTheGraphComputes) {
  FailureOr<std::vector<float>> table =
      computeRotaryTable(rotation, 100, *analysis, reason);
  ASSERT_TRUE(succeeded(table)) << reason;
  ASSERT_EQ(table->size(), 400u);
  for (int position = 0; position < 100; ++position)
    for (int i = 0; i < 2; ++i) {
      float angle = float(position) * (i ? 0.1f : 1.0f);
      EXPECT_EQ((*table)[position * 4 + i], float(std::cos(double(angle))));
      EXPECT_EQ((*table)[position * 4 + 2 + i], float(std::sin(double(angle))));
    }
}

TEST_F(RotaryTableTest, RefusesDifferentHalves) {
  rotation.secondSine = rotation.secondCosine;
  EXPECT_TRUE(failed(computeRotaryTable(rotation, 4, *analysis, reason)));
  EXPECT_NE(reason.find("differ between the halves"), std::string::npos);
}

TEST_F(RotaryTableTest, RefusesFactorsOfOtherThings) {
  Context &c = analysis->getContext();
  rotation.firstCosine =
      c.call(Function::Cos, {c.fromInteger(analysis->getBatch())});
  EXPECT_TRUE(failed(computeRotaryTable(rotation, 4, *analysis, reason)));
  EXPECT_NE(reason.find("not functions of the position"), std::string::npos);
}
} // namespace
