//===- Determinant.cpp - Det ------------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Real.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// Gaussian elimination of a square matrix in memory.
class Elimination {
public:
  Elimination(GraphBuilder &g, const Tensor &matrices, Value size, Value first)
      : g(g), matrices(matrices), size(size), first(first) {}

  Value determinant();

private:
  Real load(Value row, Value column) {
    return {g, g.loadElement(matrices, place(row, column))};
  }
  void store(Value row, Value column, Value value) {
    g.storeElement(matrices, place(row, column), value);
  }
  Value place(Value row, Value column) {
    return g.add(first, g.add(g.mul(row, size), column));
  }
  Value pivotRow(Value column);
  void swapRows(Value a, Value b);
  void eliminate(Value column, const Real &pivot);

  GraphBuilder &g;
  const Tensor &matrices;
  const Value size, first;
};
} // namespace

/// The row from `column` on with the largest element in the column.
Value Elimination::pivotRow(Value column) {
  Values inits{column, absolute(load(column, column))};
  return g.loop(g.add(column, 1), size, g.number(1), inits,
                [&](Value row, ValueRange best) {
                  Real own = absolute(load(row, column));
                  Value isMore = Real(g, best[1]) < own;
                  return Values{g.select(isMore, row, best[0]),
                                g.select(isMore, own, best[1])};
                })[0];
}

void Elimination::swapRows(Value a, Value b) {
  g.loop(size, [&](Value column) {
    Value x = load(a, column), y = load(b, column);
    store(a, column, y);
    store(b, column, x);
  });
}

void Elimination::eliminate(Value column, const Real &pivot) {
  // Below a pivot of 0 there is nothing but zeros.
  Real divisor = choose(pivot == 0.0, pivot.constant(1), pivot);
  Value next = g.add(column, 1);
  g.loop(next, size, g.number(1), [&](Value row) {
    Real factor = load(row, column) / divisor;
    g.loop(next, size, g.number(1), [&](Value other) {
      store(row, other, load(row, other) - factor * load(column, other));
    });
  });
}

Value Elimination::determinant() {
  Value one = g.constant(matrices.type.compute(), 1);
  return g.loop(size, {one}, [&](Value column, ValueRange carried) {
    Value row = pivotRow(column);
    Value isMoved = g.logicalNot(g.equal(row, column));
    g.ifThen(isMoved, [&] { swapRows(row, column); });
    Real pivot = load(column, column);
    eliminate(column, pivot);
    Real product = Real(g, carried[0]) * pivot;
    return Values{choose(isMoved, -product, product)};
  })[0];
}

static LogicalResult emitDet(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(node.requireFloat(0)))
    return failure();
  const Tensor &input = node.input(0);
  if (input.rank() < 2)
    return node.refuse("its input has " + Twine(input.rank()) +
                       " dimensions, expected at least 2");
  Value size = input.dims.back();
  g.require(g.equal(input.dims[input.rank() - 2], size),
            node.describe() + ": its matrices are not square");
  Tensor matrices = g.allocateTensor(input.type.compute(), input.dims);
  g.fill(matrices, input);
  Values dims(ArrayRef(input.dims).drop_back(2));
  Tensor result = g.allocateTensor(input.type, dims);
  Value elements = g.mul(size, size);
  g.parallelFor(g.product(dims), g.mul(elements, size), [&](Value i) {
    Elimination elimination(g, matrices, size, g.mul(i, elements));
    g.storeElement(result, i, elimination.determinant());
  });
  node.setResult(0, result);
  return success();
}

static const OperatorRow rows[] = {
    {"Det", emitDet, 1, 1, 1, 1, 11},
};

ArrayRef<OperatorRow> determinantOperators() { return rows; }

} // namespace llmopt::graph
