//===- RowProducts.cpp - Products of rows in memory -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/RowProducts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace llmopt::graph {

Value loadAs(GraphBuilder &g, Type type, const Tensor &tensor, Value number,
             int64_t lanes) {
  Value value = g.loadElement(tensor, number, lanes);
  if (getElementTypeOrSelf(value.getType()) == type)
    return value;
  Type wanted = g.withLanes(type, lanes);
  if (tensor.type.isFloat() && type.isF64())
    return arith::ExtFOp::create(g.b, g.loc, wanted, value);
  if (tensor.type.isFloat())
    return arith::TruncFOp::create(g.b, g.loc, wanted, value);
  if (tensor.type.isUnsigned() || tensor.type.isBool())
    return arith::UIToFPOp::create(g.b, g.loc, wanted, value);
  return arith::SIToFPOp::create(g.b, g.loc, wanted, value);
}

Value sumOfLanes(GraphBuilder &g, Value vector) {
  // The sum of lanes has no order of its own.
  return vector::ReductionOp::create(g.b, g.loc, vector::CombiningKind::ADD,
                                     vector, arith::FastMathFlags::reassoc);
}

Values sumOverColumns(GraphBuilder &g, Type type, size_t count, Value columns,
                      RowStep step) {
  auto zeros = [&](int64_t lanes) {
    return Values(count, g.constant(g.withLanes(type, lanes), 0));
  };
  Value whole = g.mul(g.div(columns, kVectorLanes), kVectorLanes);
  Values sums = zeros(1);
  if (!g.isKnown(whole, 0)) {
    Values vectors =
        g.loop(g.number(0), whole, g.number(kVectorLanes), zeros(kVectorLanes),
               [&](Value column, ValueRange carried) {
                 return step(column, kVectorLanes, carried);
               });
    for (auto [sum, vector] : llvm::zip_equal(sums, vectors))
      sum = sumOfLanes(g, vector);
  }
  if (!g.same(whole, columns))
    sums = g.loop(whole, columns, g.number(1), sums,
                  [&](Value column, ValueRange carried) {
                    return step(column, 1, carried);
                  });
  return sums;
}

Values rowProducts(GraphBuilder &g, Type type, const Tensor &rows,
                   ArrayRef<Value> firsts, const Tensor &common,
                   Value commonFirst, Value columns) {
  return sumOverColumns(
      g, type, firsts.size(), columns,
      [&](Value column, int64_t lanes, ValueRange sums) {
        Value right =
            loadAs(g, type, common, g.add(commonFirst, column), lanes);
        Values next;
        for (auto [first, sum] : llvm::zip_equal(firsts, sums)) {
          Value left = loadAs(g, type, rows, g.add(first, column), lanes);
          next.push_back(math::FmaOp::create(g.b, g.loc, left, right, sum));
        }
        return next;
      });
}

} // namespace llmopt::graph
