//===- ArgReductions.cpp - Where the greatest element is --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Lines.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reducer.h"
#include "passes/Lowering/Graph/Softmax.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// The search for the first or last greatest or least element of a line.
struct ArgSearch {
  GraphBuilder &g;
  const ElementType type;
  const bool isMax, isLast;

  /// a is better than b, or as good if `orEqual`.
  Value isBetter(Value a, Value b, bool orEqual) const;
  /// Index i, or those of a vector that starts there.
  Value indices(const Line &line, Value i, int64_t lanes) const;
  /// The index in the line (a vector of columns), i64.
  Value find(const Line &line, const Tensor &source) const;
};
} // namespace

Value ArgSearch::isBetter(Value a, Value b, bool orEqual) const {
  if (!isMax)
    std::swap(a, b);
  if (type.isFloat())
    return arith::CmpFOp::create(
        g.b, g.loc,
        orEqual ? arith::CmpFPredicate::OGE : arith::CmpFPredicate::OGT, a, b);
  using Predicate = arith::CmpIPredicate;
  Predicate predicate = type.isUnsigned()
                            ? (orEqual ? Predicate::uge : Predicate::ugt)
                            : (orEqual ? Predicate::sge : Predicate::sgt);
  return arith::CmpIOp::create(g.b, g.loc, predicate, a, b);
}

Value ArgSearch::indices(const Line &line, Value i, int64_t lanes) const {
  Value result = g.splat(i, lanes);
  if (!line.isContiguous || lanes == 1)
    return result;
  SmallVector<int64_t> numbers = llvm::to_vector(llvm::seq(lanes));
  Value lane = arith::ConstantOp::create(
      g.b, g.loc,
      DenseElementsAttr::get(cast<ShapedType>(result.getType()),
                             ArrayRef(numbers)));
  return arith::AddIOp::create(g.b, g.loc, result, lane);
}

Value ArgSearch::find(const Line &line, const Tensor &source) const {
  LineReader reader(g, source, line);
  Value worst = isMax ? lowestValue(g, type) : highestValue(g, type);
  auto select = [&](Value condition, Value yes, Value no) -> Value {
    return arith::SelectOp::create(g.b, g.loc, condition, yes, no);
  };
  // Of equal elements in different lanes, the index decides.
  auto join = [&](ValueRange a, ValueRange b) {
    Value isEarlier = arith::CmpIOp::create(g.b, g.loc,
                                            isLast ? arith::CmpIPredicate::sgt
                                                   : arith::CmpIPredicate::slt,
                                            b[1], a[1]);
    Value wins = g.logicalOr(
        isBetter(b[0], a[0], /*orEqual=*/false),
        g.logicalAnd(isBetter(b[0], a[0], /*orEqual=*/true), isEarlier));
    return Values{select(wins, b[0], a[0]), select(wins, b[1], a[1])};
  };
  auto step = [&](Value i, int64_t lanes, ValueRange best) {
    Value x = reader.read(i, lanes);
    Value wins = isBetter(x, best[0], /*orEqual=*/isLast);
    return Values{select(wins, x, best[0]),
                  select(wins, indices(line, i, lanes), best[1])};
  };
  return line.fold({worst, g.number(0)}, join, step)[1];
}

/// Refuses what has no order.
static LogicalResult requireOrder(Node &node) {
  if (node.input(0).type.isBool())
    return node.refuse("its input has element type bool");
  return success();
}

template <bool isMax> static LogicalResult emitArg(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  FailureOr<int64_t> axis =
      node.axis(node.attribute("axis", int64_t(0)), input.rank());
  if (failed(axis) || failed(requireOrder(node)))
    return failure();
  g.require(g.less(g.number(0), input.dims[*axis]),
            node.describe() + ": there is no element along its axis");
  Tensor source = readableLines(g, input, *axis, *axis + 1);
  Values dims(source.dims), kept(source.dims);
  dims.erase(dims.begin() + *axis);
  kept[*axis] = g.number(1);
  ArgSearch search{g, source.type, isMax,
                   node.attribute("select_last_index", int64_t(0)) != 0};
  Tensor result = g.allocateTensor(g.b.getI64Type(), dims);
  forLines(g, linesAlong(g, source, *axis, *axis + 1), canReadLanes(source),
           g.number(2), [&](const Line &line) {
             g.storeElement(result, line.lineNumber(),
                            search.find(line, source));
           });
  if (node.attribute("keepdims", int64_t(1)))
    result = g.reshaped(result, kept);
  node.setResult(0, result);
  return success();
}

static LogicalResult emitHardmax(Node &node) {
  GraphBuilder &g = node.g;
  auto dims = softmaxDims(node, node.version());
  if (failed(dims) || failed(node.requireFloat(0)))
    return failure();
  auto [first, last] = *dims;
  Tensor source = readableLines(g, node.input(0), first, last);
  Tensor result = g.allocateTensor(source.type, source.dims);
  ArgSearch search{g, source.type, /*isMax=*/true, /*isLast=*/false};
  forLines(g, linesAlong(g, source, first, last), canReadLanes(source),
           g.number(2), [&](const Line &line) {
             Value best = search.find(line, source);
             line.each([&](Value i, int64_t lanes) {
               Type type = g.withLanes(source.type.compute(), lanes);
               Value isBest = arith::CmpIOp::create(
                   g.b, g.loc, arith::CmpIPredicate::eq,
                   search.indices(line, i, lanes), line.spread(best, lanes));
               Value value = arith::SelectOp::create(g.b, g.loc, isBest,
                                                     g.constant(type, 1),
                                                     g.constant(type, 0));
               g.storeElement(result, line.number(i), value);
             });
           });
  node.setResult(0, result);
  return success();
}

static const OperatorRow rows[] = {
    {"ArgMax", emitArg<true>, 1, 1},
    {"ArgMin", emitArg<false>, 1, 1},
    {"Hardmax", emitHardmax, 1, 1},
};

ArrayRef<OperatorRow> argReductionOperators() { return rows; }

} // namespace llmopt::graph
