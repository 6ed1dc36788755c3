//===- MaskProofTest.cpp - Tests of the proof of causal masks ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/MaskProof.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace llmopt;
using namespace llmopt::symbolic;

namespace {
struct MaskProofTest : testing::Test {
  Context context;
  Expr batch = context.symbol(1), sequence = context.symbol(1),
       past = context.symbol(0);
  Expr b = context.variable(0, batch), q = context.variable(2, sequence),
       t = context.variable(4, context.add(past, sequence));
  Expr mask = context.load(1, Type::Integer, {b, t}, false);
  Expr product = context.load(2, Type::Float, {b, q, t}, true);
  Expr kept = context.logicalNot(context.equal(mask, context.constant(0)));
  Expr causal = context.lessOrEqual(t, context.add(q, past));
  std::string reason;

  Expr number(float value) { return context.number(value); }
  Expr add(Expr left, Expr right) {
    return context.floatBinary(Kind::FloatAdd, left, right);
  }
  Expr mul(Expr left, Expr right) {
    return context.floatBinary(Kind::FloatMul, left, right);
  }
  std::optional<float> prove(Expr score, bool hasMask = true) {
    std::optional<CausalMask> found =
        proveCausalMask({score, product, q, t, past, hasMask ? mask : nullptr},
                        context, reason);
    window = found ? found->window : -1;
    return found ? std::optional<float>(found->factor) : std::nullopt;
  }
  int64_t window = -1;
};

TEST_F(MaskProofTest, AcceptsTheFormsOfExporters) {
  Expr visible = context.logicalAnd(causal, kept);
  Expr zero = number(0), low = number(-3.4028235e38f);
  EXPECT_EQ(prove(add(product, context.select(visible, zero, low))), 1.0f);
  EXPECT_EQ(prove(add(mul(product, number(0.125f)),
                      context.select(visible, zero, number(-INFINITY)))),
            0.125f);
  EXPECT_EQ(prove(context.select(visible, product, low)), 1.0f);
  // Two masks that are added, and one that is computed from numbers.
  EXPECT_EQ(prove(add(add(product, context.select(causal, zero, low)),
                      context.select(kept, zero, low))),
            1.0f);
  Expr drops = add(number(1), mul(number(-1), context.fromInteger(mask)));
  EXPECT_EQ(prove(add(add(product, context.select(causal, zero, low)),
                      mul(drops, low))),
            1.0f);
  EXPECT_EQ(prove(add(product, context.select(causal, zero, low)), false),
            1.0f);
}

TEST_F(MaskProofTest, FindsWindows) {
  Expr zero = number(0), low = number(-3.4028235e38f);
  auto masked = [&](Expr visible, Expr hidden) {
    return add(product, context.select(visible, zero, hidden));
  };
  Expr near =
      context.less(context.sub(context.add(q, past), t), context.constant(4));
  Expr visible = context.logicalAnd(causal, kept);
  EXPECT_EQ(prove(masked(context.logicalAnd(visible, near), low)), 1.0f);
  EXPECT_EQ(window, 4);
  EXPECT_EQ(prove(masked(visible, low)), 1.0f);
  EXPECT_EQ(window, 0);
  // Of two windows the smaller one counts.
  Expr nearer =
      context.less(context.sub(context.add(q, past), t), context.constant(2));
  EXPECT_EQ(
      prove(masked(
          context.logicalAnd(context.logicalAnd(visible, near), nearer), low)),
      1.0f);
  EXPECT_EQ(window, 2);
  // Keys before it are only less likely.
  EXPECT_FALSE(
      prove(add(masked(visible, low), context.select(near, zero, number(-3)))));
  EXPECT_NE(reason.find("beyond the window"), std::string::npos) << reason;
  // A hole in the visible keys is no window.
  EXPECT_FALSE(prove(
      masked(context.logicalAnd(visible, context.logicalNot(near)), low)));
}

TEST_F(MaskProofTest, RefusesOtherMasks) {
  Expr zero = number(0), low = number(-3.4028235e38f);
  auto masked = [&](Expr visible) {
    return add(product, context.select(visible, zero, low));
  };
  EXPECT_FALSE(prove(masked(kept))) << "not causal";
  EXPECT_NE(reason.find("after the query"), std::string::npos);
  EXPECT_FALSE(prove(masked(causal))) << "ignores the mask";
  EXPECT_NE(reason.find("that the attention mask drops"), std::string::npos);
  EXPECT_FALSE(prove(
      masked(context.logicalAnd(context.less(t, context.add(q, past)), kept))))
      << "hides the own token";
  EXPECT_FALSE(
      prove(masked(context.logicalAnd(context.lessOrEqual(t, q), kept))))
      << "forgets the past";
  EXPECT_FALSE(
      prove(add(product, context.select(context.logicalAnd(causal, kept), zero,
                                        number(-1e4f)))))
      << "only lowers the score";
  EXPECT_FALSE(
      prove(add(product, context.select(context.logicalAnd(causal, kept),
                                        number(1), low))))
      << "adds a bias";
  EXPECT_FALSE(prove(mul(product, product)));
  EXPECT_FALSE(prove(number(0))) << "no score at all";
}
} // namespace
