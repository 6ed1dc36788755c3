//===- Reals.cpp - Numbers with fractions that fold -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Reals.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace llmopt::graph {

Value Reals::fromNumber(Value number) {
  if (std::optional<int64_t> value = g.known(number))
    return constant(double(*value));
  return arith::SIToFPOp::create(g.b, g.loc, f64, number);
}

Value Reals::widen(Value value) {
  if (value.getType() == f64)
    return value;
  return g.b.createOrFold<arith::ExtFOp>(g.loc, f64, value);
}

Value Reals::rounded(Value value) {
  Value narrow =
      g.b.createOrFold<arith::TruncFOp>(g.loc, g.b.getF32Type(), value);
  return widen(narrow);
}

Value Reals::toNumber(Value value) {
  constexpr double kLimit = double(int64_t(1) << 40);
  // A NaN is not greater than anything.
  value = select(less(constant(-kLimit), value), value, constant(-kLimit));
  value = select(less(value, constant(kLimit)), value, constant(kLimit));
  if (std::optional<double> number = known(value))
    return g.number(int64_t(*number));
  return arith::FPToSIOp::create(g.b, g.loc, g.b.getI64Type(), value);
}

Value Reals::add(Value a, Value b) {
  return g.b.createOrFold<arith::AddFOp>(g.loc, a, b);
}

Value Reals::sub(Value a, Value b) {
  return g.b.createOrFold<arith::SubFOp>(g.loc, a, b);
}

Value Reals::mul(Value a, Value b) {
  return g.b.createOrFold<arith::MulFOp>(g.loc, a, b);
}

Value Reals::div(Value a, Value b) {
  return g.b.createOrFold<arith::DivFOp>(g.loc, a, b);
}

Value Reals::floor(Value value) {
  return g.b.createOrFold<math::FloorOp>(g.loc, value);
}

Value Reals::ceil(Value value) {
  return g.b.createOrFold<math::CeilOp>(g.loc, value);
}

Value Reals::abs(Value value) {
  return g.b.createOrFold<math::AbsFOp>(g.loc, value);
}

Value Reals::less(Value a, Value b) {
  return g.b.createOrFold<arith::CmpFOp>(g.loc, arith::CmpFPredicate::OLT, a,
                                         b);
}

Value Reals::equal(Value a, double b) {
  return g.b.createOrFold<arith::CmpFOp>(g.loc, arith::CmpFPredicate::OEQ, a,
                                         constant(b));
}

Value Reals::select(Value condition, Value yes, Value no) {
  return g.select(condition, yes, no);
}

std::optional<double> Reals::known(Value value) {
  APFloat number(0.0);
  if (!matchPattern(value, m_ConstantFloat(&number)))
    return std::nullopt;
  bool losesInfo = false;
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
  return number.convertToDouble();
}

} // namespace llmopt::graph
