//===- Softmax.cpp - Softmax and its logarithm ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Softmax.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Lines.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

FailureOr<std::pair<int64_t, int64_t>> softmaxDims(Node &node,
                                                   int64_t version) {
  int64_t rank = node.input(0).rank();
  bool isOld = version < 13;
  int64_t given = node.attribute("axis", int64_t(isOld ? 1 : -1));
  if (isOld && given == rank)
    return std::pair(rank, rank);
  FailureOr<int64_t> axis = node.axis(given, rank);
  if (failed(axis))
    return failure();
  return std::pair(*axis, isOld ? rank : *axis + 1);
}

namespace {
/// Softmax of a line in three passes. An expression is evaluated by the first
/// one, which leaves it in the result.
class SoftmaxLine {
public:
  SoftmaxLine(GraphBuilder &g, const Tensor &source, const Tensor &result,
              const Line &line)
      : g(g), source(source), result(result), line(line) {}

  void softmax();
  void logSoftmax();

private:
  Value greatest();
  /// The sum of e^(x - greatest), which are left in the result if `isKept`.
  Value sumOfExps(Value greatest, bool isKept);
  Value difference(Value i, int64_t lanes, Value greatest);
  void store(Value i, Value value) {
    g.storeElement(result, line.number(i), value);
  }

  GraphBuilder &g;
  const Tensor &source, &result;
  const Line &line;
};
} // namespace

Value SoftmaxLine::greatest() {
  LineReader reader(g, source, line);
  auto join = [&](ValueRange a, ValueRange b) {
    return Values{maxValues(g, source.type, a[0], b[0])};
  };
  auto step = [&](Value i, int64_t lanes, ValueRange best) {
    Value x = reader.read(i, lanes);
    if (source.isExpression())
      store(i, x);
    return Values{maxValues(g, source.type, best[0], x)};
  };
  return line.fold(lowestValue(g, source.type), join, step)[0];
}

Value SoftmaxLine::difference(Value i, int64_t lanes, Value greatest) {
  LineReader reader(g, source.isExpression() ? result : source, line);
  return arith::SubFOp::create(g.b, g.loc, reader.read(i, lanes),
                               line.spread(greatest, lanes));
}

Value SoftmaxLine::sumOfExps(Value greatest, bool isKept) {
  auto join = [&](ValueRange a, ValueRange b) {
    return Values{addValues(g, a[0], b[0])};
  };
  auto step = [&](Value i, int64_t lanes, ValueRange sum) {
    Value value = exp(g, difference(i, lanes, greatest));
    if (isKept)
      store(i, value);
    return Values{addValues(g, sum[0], value)};
  };
  return line.fold(g.constant(source.type.compute(), 0), join, step)[0];
}

void SoftmaxLine::softmax() {
  Value max = greatest();
  // Exponentials would be rounded if the result is of a small float type; they
  // are computed again then.
  bool isKept = !result.type.isSmallFloat();
  Value sum = sumOfExps(max, isKept);
  Value factor =
      arith::DivFOp::create(g.b, g.loc, g.constant(sum.getType(), 1), sum);
  line.each([&](Value i, int64_t lanes) {
    Value value = isKept ? g.loadElement(result, line.number(i), lanes)
                         : exp(g, difference(i, lanes, max));
    store(i, mulValues(g, value, line.spread(factor, lanes)));
  });
}

void SoftmaxLine::logSoftmax() {
  Value max = greatest();
  Value logSum = log(g, sumOfExps(max, /*isKept=*/false));
  line.each([&](Value i, int64_t lanes) {
    store(i, arith::SubFOp::create(g.b, g.loc, difference(i, lanes, max),
                                   line.spread(logSum, lanes)));
  });
}

Tensor softmaxTensor(GraphBuilder &g, const Tensor &input, int64_t first,
                     int64_t last, bool isLog) {
  Tensor source = readableLines(g, input, first, last);
  Tensor result = g.allocateTensor(source.type, source.dims);
  bool hasLanes = canReadLanes(source) && canReadLanes(result);
  forLines(g, linesAlong(g, source, first, last), hasLanes, g.number(20),
           [&](const Line &line) {
             SoftmaxLine code(g, source, result, line);
             isLog ? code.logSoftmax() : code.softmax();
           });
  return result;
}

template <bool isLog> static LogicalResult emitSoftmax(Node &node) {
  auto dims = softmaxDims(node, node.version());
  if (failed(dims) || failed(node.requireFloat(0)))
    return failure();
  auto [first, last] = *dims;
  node.setResult(0, softmaxTensor(node.g, node.input(0), first, last, isLog));
  return success();
}

static const OperatorRow rows[] = {
    {"Softmax", emitSoftmax<false>, 1, 1},
    {"LogSoftmax", emitSoftmax<true>, 1, 1},
};

ArrayRef<OperatorRow> softmaxOperators() { return rows; }

} // namespace llmopt::graph
