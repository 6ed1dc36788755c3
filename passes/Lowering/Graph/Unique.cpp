//===- Unique.cpp - Unique --------------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/MergeSort.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// Finds equal slices of a buffer along a dimension; single elements where it
/// has been made a vector.
class Uniques {
public:
  Uniques(GraphBuilder &g, const Tensor &data, int64_t axis)
      : g(g), data(data), lines(linesAlong(g, data, axis, axis + 1)) {}

  /// Finds them; in the order of their elements, or of their first places.
  void run(bool isSorted);

  // Results of run: i64 each.
  Tensor indices; ///< the first place of each unique slice
  Tensor inverse; ///< the unique slice that each slice is
  Tensor counts;

private:
  Value compared(Value a, Value b);
  Value comparedElements(Value a, Value b);
  void findRuns(Value sorted);
  Value rankByOrder(Value sorted);

  GraphBuilder &g;
  const Tensor &data;
  const LineShape lines;
  Value first; ///< for each slice, the first one that equals it
  Value rank;  ///< of a first one among the unique ones
};
} // namespace

/// -1, 0 or 1: a is less, equal or greater. A NaN is greater than all numbers
/// and equals a NaN.
Value Uniques::comparedElements(Value a, Value b) {
  ElementType type = data.type;
  Value less, greater;
  if (type.isFloat()) {
    auto compare = [&](arith::CmpFPredicate predicate, Value x,
                       Value y) -> Value {
      return arith::CmpFOp::create(g.b, g.loc, predicate, x, y);
    };
    Value aIsNaN = compare(arith::CmpFPredicate::UNO, a, a);
    Value bIsNaN = compare(arith::CmpFPredicate::UNO, b, b);
    less = g.logicalOr(compare(arith::CmpFPredicate::OLT, a, b),
                       g.logicalAnd(bIsNaN, g.logicalNot(aIsNaN)));
    greater = g.logicalOr(compare(arith::CmpFPredicate::OGT, a, b),
                          g.logicalAnd(aIsNaN, g.logicalNot(bIsNaN)));
  } else {
    bool isUnsigned = type.isUnsigned() || type.isBool();
    auto predicate =
        isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
    less = arith::CmpIOp::create(g.b, g.loc, predicate, a, b);
    greater = arith::CmpIOp::create(g.b, g.loc, predicate, b, a);
  }
  return g.select(less, g.number(-1),
                  g.select(greater, g.number(1), g.number(0)));
}

/// The first difference of two slices decides.
Value Uniques::compared(Value a, Value b) {
  auto element = [&](Value slice, Value i) {
    Value inner = g.max(lines.inner, 1);
    Value outer = g.div(i, inner), column = g.rem(i, inner);
    Value row = g.add(g.mul(outer, lines.length), slice);
    return g.loadElement(data, g.add(g.mul(row, lines.inner), column));
  };
  Value size = g.mul(lines.outer, lines.inner), none = g.number(0);
  if (g.isKnown(size, 1))
    return comparedElements(element(a, none), element(b, none));
  return g.loop(size, {none}, [&](Value i, ValueRange carried) {
    Value own = comparedElements(element(a, i), element(b, i));
    return Values{g.select(g.equal(carried[0], 0), own, carried[0])};
  })[0];
}

/// For every slice, the first one that equals it: of equal slices, sorting
/// keeps the order.
void Uniques::findRuns(Value sorted) {
  g.loop(lines.length, {g.number(0)}, [&](Value i, ValueRange carried) {
    Value own = loadIndex(g, sorted, i);
    Value before = loadIndex(g, sorted, g.max(g.sub(i, 1), 0));
    Value isSame =
        g.logicalAnd(g.less(g.number(0), i), g.equal(compared(own, before), 0));
    Value start = g.select(isSame, carried[0], own);
    storeIndex(g, first, own, start);
    return Values{start};
  });
}

/// Numbers the unique slices in the order of a list, or of their places if it
/// is null; how many they are.
Value Uniques::rankByOrder(Value sorted) {
  return g.loop(lines.length, {g.number(0)}, [&](Value i, ValueRange count) {
    Value own = sorted ? loadIndex(g, sorted, i) : i;
    Value isFirst = g.equal(loadIndex(g, first, own), own);
    g.ifThen(isFirst, [&] { storeIndex(g, rank, own, count[0]); });
    Value step = g.select(isFirst, g.number(1), g.number(0));
    return Values{g.add(count[0], step)};
  })[0];
}

void Uniques::run(bool isSorted) {
  Value bytes = g.mul(lines.length, 8);
  Value list = g.allocate(bytes), second = g.allocate(bytes);
  first = g.allocate(bytes);
  rank = g.allocate(bytes);
  g.loop(lines.length, [&](Value i) { storeIndex(g, list, i, i); });
  Value sorted =
      mergeSort(g, lines.length, list, second,
                [&](Value b, Value a) { return g.less(compared(b, a), 0); });
  findRuns(sorted);
  Value count = isSorted ? rankByOrder(sorted) : rankByOrder({});
  g.markDimension(count);
  Type i64 = g.b.getI64Type();
  indices = g.allocateTensor(i64, {count});
  inverse = g.allocateTensor(i64, {lines.length});
  counts = g.allocateTensor(i64, {count});
  g.loop(count, [&](Value i) { g.storeElement(counts, i, g.number(0)); });
  g.loop(lines.length, [&](Value i) {
    Value start = loadIndex(g, first, i), own = loadIndex(g, rank, start);
    g.storeElement(inverse, i, own);
    g.storeElement(indices, own, start);
    g.storeElement(counts, own, g.add(g.loadElement(counts, own), 1));
  });
  for (Value memory : {list, second, first, rank})
    g.release(memory);
}

static LogicalResult emitUnique(Node &node) {
  GraphBuilder &g = node.g;
  int64_t axis = 0;
  Tensor data = node.buffer(0);
  if (node.hasAttribute("axis")) {
    FailureOr<int64_t> checked =
        node.axis(node.attribute("axis", int64_t(0)), data.rank());
    if (failed(checked))
      return failure();
    axis = *checked;
  } else {
    data = g.reshaped(data, {g.count(data)});
  }
  Uniques uniques(g, data, axis);
  uniques.run(node.attribute("sorted", int64_t(1)) != 0);
  Tensor places = uniques.indices;
  Values dims = data.dims;
  dims[axis] = places.dims[0];
  bool keepsLanes = axis + 1 < data.rank();
  // Scalars of the data stand for places that are known.
  data.hasElements = false;
  node.setResult(0, moved(g, data, dims, keepsLanes,
                          [=](GraphBuilder &g, ArrayRef<Value> at) {
                            Values own(at);
                            own[axis] = g.loadElement(places, at[axis]);
                            return own;
                          }));
  const Tensor *others[] = {&uniques.indices, &uniques.inverse,
                            &uniques.counts};
  for (auto [i, tensor] : llvm::enumerate(others))
    if (i + 1 < node.resultCount())
      node.setResult(i + 1, *tensor);
  return success();
}

static const OperatorRow rows[] = {
    {"Unique", emitUnique, 1, 1, 1, 4, 11},
};

ArrayRef<OperatorRow> uniqueOperators() { return rows; }

} // namespace llmopt::graph
