//===- SymbolicExprTest.cpp - Tests of symbolic expressions -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/SymbolicExpr.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace llmopt::symbolic;

namespace {
struct SymbolicExprTest : testing::Test {
  Context context;
  Expr batch = context.symbol(1), sequence = context.symbol(1),
       past = context.symbol(0);
  Expr total = context.add(past, sequence);
  Expr number(int64_t value) { return context.constant(value); }
};

TEST_F(SymbolicExprTest, PolynomialsAreCanonical) {
  Expr left = context.mul(context.add(batch, number(2)),
                          context.sub(sequence, number(3)));
  Expr right = context.add(
      context.sub(context.mul(sequence, batch), context.mul(number(3), batch)),
      context.sub(context.mul(number(2), sequence), number(6)));
  EXPECT_EQ(left, right);
  EXPECT_EQ(context.sub(left, right), number(0));
}

TEST_F(SymbolicExprTest, OverflowIsUnknown) {
  Expr large = number(INT64_MAX);
  EXPECT_EQ(context.add(large, number(1)), nullptr);
  EXPECT_EQ(context.mul(large, number(2)), nullptr);
  EXPECT_EQ(context.add(nullptr, large), nullptr);
}

TEST_F(SymbolicExprTest, VariablesOfUnitAxesAreZero) {
  EXPECT_EQ(context.variable(3, number(1)), number(0));
}

TEST_F(SymbolicExprTest, DividesByConstantsAndSums) {
  Expr b = context.variable(0, batch), h = context.variable(1, number(9)),
       d = context.variable(2, number(64)), t = context.variable(3, total);
  Expr column = context.add(context.mul(h, number(64)), d);
  EXPECT_EQ(context.floorDiv(column, number(64)), h);
  EXPECT_EQ(context.modulo(column, number(64)), d);
  // (b * (past + sequence) + t) / (past + sequence)
  Expr flat = context.add(context.mul(b, total), t);
  EXPECT_EQ(context.floorDiv(flat, total), b);
  EXPECT_EQ(context.modulo(flat, total), t);
  // The remainder may be as large as the divisor here.
  Expr over = context.add(flat, number(1));
  EXPECT_NE(context.floorDiv(over, total), b);
  EXPECT_EQ(context.floorDiv(number(-1), number(2)), number(-1));
  EXPECT_EQ(context.floorDiv(flat, past), nullptr) << "past may be 0";
}

TEST_F(SymbolicExprTest, ProvesBounds) {
  Expr s = context.variable(0, sequence), t = context.variable(1, total);
  EXPECT_TRUE(context.provesNonNegative(t));
  EXPECT_TRUE(context.provesPositive(context.sub(total, t)));
  EXPECT_TRUE(
      context.provesNonNegative(context.sub(context.sub(total, number(1)), s)));
  EXPECT_FALSE(context.provesPositive(past));
  EXPECT_FALSE(context.provesNonNegative(context.sub(s, t)));
  EXPECT_FALSE(context.provesNonNegative(context.sub(sequence, number(2))));
  Expr unbounded = context.variable(2, nullptr);
  EXPECT_TRUE(context.provesNonNegative(unbounded));
  EXPECT_FALSE(context.provesNonNegative(context.sub(total, unbounded)));
}

TEST_F(SymbolicExprTest, DecidesComparisons) {
  Expr s = context.variable(0, sequence);
  EXPECT_EQ(context.less(s, sequence), context.truth(true));
  EXPECT_EQ(context.less(total, sequence), context.truth(false));
  EXPECT_EQ(context.equal(batch, number(-1)), context.truth(false));
  Expr open = context.less(s, past);
  EXPECT_EQ(open->kind, Kind::NonNegative);
  EXPECT_EQ(context.logicalNot(context.logicalNot(open)), open);
  EXPECT_EQ(context.logicalAnd(open, context.truth(true)), open);
  EXPECT_EQ(context.select(open, s, s), s);
}

TEST_F(SymbolicExprTest, SubstitutesOuterNodesFirst) {
  Expr t = context.variable(0, total);
  Expr mask = context.load(7, Type::Integer, {t}, false);
  Expr kept = context.logicalNot(context.equal(mask, number(0)));
  Expr score = context.select(kept, context.number(0), context.number(-1));
  EXPECT_EQ(context.substitute(score, {{mask, number(1)}, {t, number(5)}}),
            context.number(0));
  EXPECT_EQ(context.substitute(score, {{mask, number(0)}}), context.number(-1));
}

TEST_F(SymbolicExprTest, FloatsRoundLikeTheGraph) {
  Expr third =
      context.floatBinary(Kind::FloatDiv, context.number(1), context.number(3));
  EXPECT_EQ(third->number, 1.0f / 3.0f);
  Expr p = context.variable(0, nullptr);
  Expr angle = context.floatBinary(Kind::FloatMul, context.fromInteger(p),
                                   context.number(0.1f));
  std::optional<double> value =
      evaluate(context.call(Function::Cos, {angle}),
               [](Expr) -> std::optional<double> { return 1000.0; });
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, float(std::cos(double(1000.0f * 0.1f))));
  EXPECT_FALSE(evaluate(
      angle, [](Expr) -> std::optional<double> { return std::nullopt; }));
}

TEST_F(SymbolicExprTest, HostileExpressionsEnd) {
  // Trees of 2^n nodes and chains of n become unknown instead of taking time.
  Expr doubled = context.load(0, Type::Float, {}, true), chain = doubled;
  int doublings = 0, links = 0;
  while (doubled && ++doublings < 100)
    doubled = context.floatBinary(Kind::FloatAdd, doubled, doubled);
  while (chain && ++links < 100000)
    chain = context.floatBinary(Kind::FloatAdd, chain, context.number(1));
  EXPECT_EQ(doubled, nullptr);
  EXPECT_EQ(chain, nullptr);
  EXPECT_LT(doublings, 20);
  EXPECT_LT(links, 1000);
}

TEST_F(SymbolicExprTest, WorkIsBounded) {
  Context small(/*maxWork=*/1000);
  Expr sum = small.symbol(0), last = sum;
  int links = 0;
  while ((last = small.add(last, small.symbol(0))) && ++links < 1000)
    sum = last;
  EXPECT_EQ(last, nullptr);
  EXPECT_LT(links, 50);
  EXPECT_NE(small.constant(links), nullptr);
  EXPECT_NE(small.variable(0, sum), nullptr);
}

TEST_F(SymbolicExprTest, PrintsExpressions) {
  Expr s = context.variable(0, sequence);
  EXPECT_EQ(toString(context.add(context.mul(number(2), s), number(1))),
            "(2*d0 + 1)");
  EXPECT_EQ(toString(nullptr), "unknown");
}
} // namespace
