//===- Real.h - Formulas of floats in generated code ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The value of a formula, so that formulas can be written as such: an f32 or
// f64, a scalar or a vector. Operators of C++ create operations.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_REAL_H
#define LLMOPT_PASSES_LOWERING_GRAPH_REAL_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

class Real {
public:
  Real(GraphBuilder &g, mlir::Value value) : g(&g), value(value) {}

  operator mlir::Value() const { return value; }
  GraphBuilder &builder() const { return *g; }
  mlir::Type type() const { return value.getType(); }
  mlir::Type elementType() const { return mlir::getElementTypeOrSelf(value); }
  bool isDouble() const { return elementType().isF64(); }
  int64_t lanes() const {
    auto vector = mlir::dyn_cast<mlir::VectorType>(type());
    return vector ? vector.getNumElements() : 1;
  }
  /// The constant in the type of this.
  Real constant(double number) const {
    return {*g, g->constant(type(), number)};
  }
  /// The first constant for f32, the second for f64.
  Real constant(double f32, double f64) const {
    return constant(isDouble() ? f64 : f32);
  }
  /// Signless integers of the same width.
  mlir::Type bitsType() const {
    return GraphBuilder::withLanes(
        g->b.getIntegerType(elementType().getIntOrFloatBitWidth()), lanes());
  }
  mlir::Value bits() const {
    return mlir::arith::BitcastOp::create(g->b, g->loc, bitsType(), value);
  }
  Real fromBits(mlir::Value bits) const {
    return {*g, mlir::arith::BitcastOp::create(g->b, g->loc, type(), bits)};
  }
  template <typename Op> Real apply() const {
    return {*g, g->b.createOrFold<Op>(g->loc, value)};
  }
  template <typename Op> Real apply(const Real &other) const {
    return {*g, g->b.createOrFold<Op>(g->loc, value, other.value)};
  }
  mlir::Value compare(mlir::arith::CmpFPredicate predicate,
                      const Real &other) const {
    return g->b.createOrFold<mlir::arith::CmpFOp>(g->loc, predicate, value,
                                                  other.value);
  }

private:
  GraphBuilder *g;
  mlir::Value value;
};

inline Real operator+(const Real &x, const Real &y) {
  return x.apply<mlir::arith::AddFOp>(y);
}
inline Real operator-(const Real &x, const Real &y) {
  return x.apply<mlir::arith::SubFOp>(y);
}
inline Real operator*(const Real &x, const Real &y) {
  return x.apply<mlir::arith::MulFOp>(y);
}
inline Real operator/(const Real &x, const Real &y) {
  return x.apply<mlir::arith::DivFOp>(y);
}
inline Real operator-(const Real &x) { return x.apply<mlir::arith::NegFOp>(); }
inline Real operator+(const Real &x, double y) { return x + x.constant(y); }
inline Real operator-(const Real &x, double y) { return x - x.constant(y); }
inline Real operator*(const Real &x, double y) { return x * x.constant(y); }
inline Real operator/(const Real &x, double y) { return x / x.constant(y); }
inline Real operator+(double x, const Real &y) { return y.constant(x) + y; }
inline Real operator-(double x, const Real &y) { return y.constant(x) - y; }
inline Real operator*(double x, const Real &y) { return y.constant(x) * y; }
inline Real operator/(double x, const Real &y) { return y.constant(x) / y; }

// Comparisons are false for a NaN.
inline mlir::Value operator<(const Real &x, const Real &y) {
  return x.compare(mlir::arith::CmpFPredicate::OLT, y);
}
inline mlir::Value operator<=(const Real &x, const Real &y) {
  return x.compare(mlir::arith::CmpFPredicate::OLE, y);
}
inline mlir::Value operator==(const Real &x, const Real &y) {
  return x.compare(mlir::arith::CmpFPredicate::OEQ, y);
}
inline mlir::Value operator<(const Real &x, double y) {
  return x < x.constant(y);
}
inline mlir::Value operator<=(const Real &x, double y) {
  return x <= x.constant(y);
}
inline mlir::Value operator==(const Real &x, double y) {
  return x == x.constant(y);
}
inline mlir::Value operator<(double x, const Real &y) {
  return y.constant(x) < y;
}
inline mlir::Value operator<=(double x, const Real &y) {
  return y.constant(x) <= y;
}
inline mlir::Value isNaN(const Real &x) {
  return x.compare(mlir::arith::CmpFPredicate::UNO, x);
}

inline Real choose(mlir::Value condition, const Real &yes, const Real &no) {
  GraphBuilder &g = yes.builder();
  return {g, g.b.createOrFold<mlir::arith::SelectOp>(
                 g.loc, condition, mlir::Value(yes), mlir::Value(no))};
}
inline Real fma(const Real &x, const Real &y, const Real &z) {
  GraphBuilder &g = x.builder();
  return {g, mlir::math::FmaOp::create(g.b, g.loc, x, y, z)};
}
inline Real absolute(const Real &x) { return x.apply<mlir::math::AbsFOp>(); }
inline Real floor(const Real &x) { return x.apply<mlir::math::FloorOp>(); }
inline Real squareRoot(const Real &x) { return x.apply<mlir::math::SqrtOp>(); }
inline Real copySign(const Real &magnitude, const Real &sign) {
  return magnitude.apply<mlir::math::CopySignOp>(sign);
}
/// Into [low, high]; a NaN stays one.
inline Real clamp(const Real &x, const Real &low, const Real &high) {
  Real above = choose(high < x, high, x);
  return choose(above < low, low, above);
}
/// Horner's rule, the coefficient of the highest power first.
inline Real polynomial(const Real &x, llvm::ArrayRef<double> coefficients) {
  Real sum = x.constant(coefficients.front());
  for (double coefficient : coefficients.drop_front())
    sum = fma(sum, x, x.constant(coefficient));
  return sum;
}

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_REAL_H
