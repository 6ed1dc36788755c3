//===- Sorting.cpp - Operators along a dimension in order -------*- C++ -*-===//
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
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// CumSum, CumProd
//===----------------------------------------------------------------------===//

/// The lines along a dimension that need not be known.
static LineShape linesAlong(GraphBuilder &g, ArrayRef<Value> dims, Value axis) {
  Values outer, length, inner;
  for (auto [own, dim] : llvm::enumerate(dims)) {
    Value one = g.number(1), number = g.number(own);
    outer.push_back(g.select(g.less(number, axis), dim, one));
    length.push_back(g.select(g.equal(number, axis), dim, one));
    inner.push_back(g.select(g.less(axis, number), dim, one));
  }
  return {g.product(outer), g.product(length), g.product(inner)};
}

/// Joins every element of a line with those before it.
static LogicalResult emitCumulation(Node &node, double identity,
                                    Value (*join)(GraphBuilder &, Value,
                                                  Value)) {
  GraphBuilder &g = node.g;
  int64_t rank = node.input(0).rank();
  auto axes = axesOf(node, "axis", 1, rank);
  if (failed(axes))
    return failure();
  if ((*axes)->size() != 1)
    return node.refuse("axis must have one element");
  const Tensor &input = node.buffer(0);
  ElementType type = input.type;
  if (type.isBool())
    return node.refuse("its input must be numbers");
  bool isReverse = node.attribute("reverse", int64_t(0)) != 0;
  bool isExclusive = node.attribute("exclusive", int64_t(0)) != 0;
  Tensor result = g.allocateTensor(type, input.dims);
  LineShape shape = linesAlong(g, input.dims, (*axes)->front());
  bool lanes = canReadLanes(input) && !type.isMiniFloat();
  forLines(g, shape, lanes, g.number(4), [&](const Line &line) {
    int64_t width = line.isContiguous ? 1 : line.columns;
    Value start = g.constant(g.withLanes(type.compute(), width), identity);
    g.loop(shape.length, {start}, [&](Value i, ValueRange carried) {
      Value place = isReverse ? g.sub(g.sub(shape.length, 1), i) : i;
      Value number = line.number(place);
      Value sum = join(g, carried[0], g.loadElement(input, number, width));
      g.storeElement(result, number, isExclusive ? carried[0] : sum);
      return Values{sum};
    });
  });
  node.setResult(0, result);
  return success();
}

static LogicalResult emitCumSum(Node &node) {
  return emitCumulation(node, 0, addValues);
}

static LogicalResult emitCumProd(Node &node) {
  return emitCumulation(node, 1, mulValues);
}

//===----------------------------------------------------------------------===//
// TopK
//===----------------------------------------------------------------------===//

namespace {
/// The k first elements of every line, the greatest or the least first; of
/// equal ones that of the lower index first. A NaN is greater than all numbers.
class Selection {
public:
  Selection(GraphBuilder &g, const Tensor &input, const LineShape &shape,
            bool isLargest, Value k, const Tensor &values,
            const Tensor &indices)
      : g(g), input(input), shape(shape), isLargest(isLargest), k(k),
        values(values), indices(indices) {}

  /// For few elements: inserts one after the other into the result.
  void insert();
  /// For many: sorts whole lines.
  void sort();

private:
  Value isAhead(Value a, Value b);
  Value read(Value row, Value i) {
    return g.loadElement(input, place(row, shape.length, i));
  }
  /// Row-major number of element i of a line in lines of `length` elements.
  Value place(Value row, Value length, Value i) {
    Value outer = g.div(row, inner()), column = g.rem(row, inner());
    return g.add(g.mul(g.add(g.mul(outer, length), i), shape.inner), column);
  }
  Value inner() { return g.max(shape.inner, 1); }
  void insertOne(Value row, Value i);

  GraphBuilder &g;
  const Tensor &input;
  const LineShape shape;
  const bool isLargest;
  const Value k;
  const Tensor &values, &indices;
};
} // namespace

/// True if a comes before b, where b has the lower index.
Value Selection::isAhead(Value a, Value b) {
  ElementType type = input.type;
  if (!type.isFloat()) {
    auto predicate = type.isUnsigned() || type.isBool()
                         ? (isLargest ? arith::CmpIPredicate::ugt
                                      : arith::CmpIPredicate::ult)
                         : (isLargest ? arith::CmpIPredicate::sgt
                                      : arith::CmpIPredicate::slt);
    return arith::CmpIOp::create(g.b, g.loc, predicate, a, b);
  }
  auto compare = [&](arith::CmpFPredicate predicate, Value x,
                     Value y) -> Value {
    return arith::CmpFOp::create(g.b, g.loc, predicate, x, y);
  };
  // A NaN is greater than what is no NaN.
  Value greater = isLargest ? a : b, other = isLargest ? b : a;
  Value isNaN = compare(arith::CmpFPredicate::UNO, greater, greater);
  Value isNumber = compare(arith::CmpFPredicate::ORD, other, other);
  return g.logicalOr(compare(arith::CmpFPredicate::OGT, greater, other),
                     g.logicalAnd(isNaN, isNumber));
}

void Selection::insertOne(Value row, Value i) {
  Value element = read(row, i);
  auto at = [&](Value j) { return place(row, k, j); };
  Value isFull = g.logicalNot(g.less(i, k));
  Value last = g.loadElement(values, at(g.sub(k, 1)));
  Value isTaken = g.logicalOr(g.logicalNot(isFull), isAhead(element, last));
  g.ifThen(isTaken, [&] {
    Value end = g.min(i, g.sub(k, 1));
    Value where = g.loop(end, {end}, [&](Value step, ValueRange carried) {
      Value j = g.sub(end, step), before = g.sub(j, 1);
      Value other = g.loadElement(values, at(before));
      Value moves =
          g.logicalAnd(g.equal(carried[0], j), isAhead(element, other));
      g.ifThen(moves, [&] {
        g.storeElement(values, at(j), other);
        g.storeElement(indices, at(j), g.loadElement(indices, at(before)));
      });
      return Values{g.select(moves, before, carried[0])};
    })[0];
    g.storeElement(values, at(where), element);
    g.storeElement(indices, at(where), i);
  });
}

void Selection::insert() {
  Value rows = g.mul(shape.outer, shape.inner);
  g.parallelFor(rows, g.mul(shape.length, 4), [&](Value row) {
    // The first read of the last element is of undefined contents, but its
    // result is not used.
    g.loop(shape.length, [&](Value i) { insertOne(row, i); });
  });
}

void Selection::sort() {
  Value rows = g.mul(shape.outer, shape.inner);
  Value bytes = g.mul(shape.length, 8);
  Value scratch = g.allocate(g.mul(g.mul(rows, bytes), 2));
  g.parallelFor(rows, g.mul(shape.length, 64), [&](Value row) {
    Value first = g.at(scratch, g.mul(row, g.mul(bytes, 2)));
    Value second = g.at(first, bytes);
    g.loop(shape.length, [&](Value i) { storeIndex(g, first, i, i); });
    Value sorted =
        mergeSort(g, shape.length, first, second, [&](Value b, Value a) {
          return isAhead(read(row, b), read(row, a));
        });
    g.loop(k, [&](Value i) {
      Value index = loadIndex(g, sorted, i);
      g.storeElement(values, place(row, k, i), read(row, index));
      g.storeElement(indices, place(row, k, i), index);
    });
  });
  g.release(scratch);
}

/// How many elements a TopK selects.
static FailureOr<Value> selectedCount(Node &node, Value dim) {
  GraphBuilder &g = node.g;
  FailureOr<Value> count =
      node.version() < 10
          ? FailureOr<Value>(g.number(node.attribute("k", int64_t(-1))))
          : numberOf(node, 1, "K");
  if (failed(count))
    return failure();
  FailureOr<Value> k = asDimension(node, *count);
  if (failed(k))
    return failure();
  std::optional<int64_t> number = g.known(*k), most = g.known(dim);
  if (number && most && *number > *most)
    return node.refuse("K is " + Twine(*number) + ", expected at most " +
                       Twine(*most));
  g.require(g.logicalNot(g.less(dim, *k)),
            node.describe() + ": K is larger than the dimension");
  return *k;
}

static LogicalResult emitTopK(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<int64_t> axis =
      node.axis(node.attribute("axis", int64_t(-1)), node.input(0).rank());
  if (failed(axis))
    return failure();
  const Tensor &input = node.buffer(0);
  FailureOr<Value> k = selectedCount(node, input.dims[*axis]);
  if (failed(k))
    return failure();
  Values dims = input.dims;
  dims[*axis] = *k;
  Tensor values = g.allocateTensor(input.type, dims);
  Tensor indices = g.allocateTensor(g.b.getI64Type(), dims);
  bool isLargest = node.attribute("largest", int64_t(1)) != 0;
  LineShape shape = linesAlong(g, input, *axis, *axis + 1);
  Selection selection(g, input, shape, isLargest, *k, values, indices);
  constexpr int64_t kFew = 64;
  std::optional<int64_t> count = g.known(*k);
  if (count && *count <= kFew) {
    if (*count > 0)
      selection.insert();
  } else {
    selection.sort();
  }
  node.setResult(0, values);
  node.setResult(1, indices);
  return success();
}

static const OperatorRow rows[] = {
    {"CumProd", emitCumProd, 2, 2, 1, 1, 26},
    {"CumSum", emitCumSum, 2, 2, 1, 1, 11},
    {"TopK", emitTopK, 1, 1, 2, 2, 1, 9},
    {"TopK", emitTopK, 2, 2, 2, 2, 10},
};

ArrayRef<OperatorRow> sortingOperators() { return rows; }

} // namespace llmopt::graph
