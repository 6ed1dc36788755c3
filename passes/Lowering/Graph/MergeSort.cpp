//===- MergeSort.cpp - Sorting indices in generated code --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/MergeSort.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace llmopt::graph {

Value loadIndex(GraphBuilder &g, Value list, Value i) {
  return g.load(g.b.getI64Type(), g.at(list, g.mul(i, 8)));
}

void storeIndex(GraphBuilder &g, Value list, Value i, Value index) {
  g.store(index, g.at(list, g.mul(i, 8)));
}

namespace {
/// What a merge reads and writes.
struct Lists {
  Value from, to, count;
};
} // namespace

/// Merges two sorted neighbours of `width` indices each.
static void merge(GraphBuilder &g, const Lists &lists, Value start, Value width,
                  IsAhead isAhead) {
  Value last = g.sub(lists.count, 1);
  Value middle = g.min(g.add(start, width), lists.count);
  Value end = g.min(g.add(middle, width), lists.count);
  g.loop(start, end, g.number(1), {start, middle},
         [&](Value i, ValueRange carried) {
           Value left = carried[0], right = carried[1];
           Value a = loadIndex(g, lists.from, g.min(left, last));
           Value b = loadIndex(g, lists.from, g.min(right, last));
           Value takesRight = g.logicalAnd(
               g.less(right, end),
               g.logicalOr(g.logicalNot(g.less(left, middle)), isAhead(b, a)));
           storeIndex(g, lists.to, i, g.select(takesRight, b, a));
           Value one = g.number(1), none = g.number(0);
           return Values{g.add(left, g.select(takesRight, none, one)),
                         g.add(right, g.select(takesRight, one, none))};
         });
}

Value mergeSort(GraphBuilder &g, Value count, Value first, Value second,
                IsAhead isAhead) {
  Type i64 = g.b.getI64Type();
  // As often as the width doubles until it has reached the length.
  Value zeros = math::CountLeadingZerosOp::create(g.b, g.loc, i64,
                                                  g.max(g.sub(count, 1), 0));
  Value passes = g.sub(g.number(64), zeros);
  return g.loop(
      passes, {g.number(1), first, second}, [&](Value, ValueRange carried) {
        Value width = carried[0];
        Lists lists{carried[1], carried[2], count};
        g.loop(g.number(0), count, g.mul(width, 2),
               [&](Value start) { merge(g, lists, start, width, isAhead); });
        return Values{g.mul(width, 2), carried[2], carried[1]};
      })[1];
}

} // namespace llmopt::graph
