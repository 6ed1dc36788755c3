//===- Losses.cpp - Losses of classifications -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Real.h"
#include "passes/Lowering/Graph/Reducer.h"
#include "passes/Lowering/Graph/Softmax.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// The losses of logarithms of chances [N, C, ...] and labels [N, ...].
class Loss {
public:
  Loss(Node &node, const Tensor &chances)
      : node(node), g(node.g), chances(chances),
        reduction(node.attribute("reduction", StringRef("mean"))),
        isIgnored(node.hasAttribute("ignore_index")),
        ignored(node.attribute("ignore_index", int64_t(0))) {}

  LogicalResult check();
  Tensor run();

private:
  std::pair<Value, Value> at(Value place);
  Tensor reduced();

  Node &node;
  GraphBuilder &g;
  const Tensor &chances;
  const std::string reduction;
  const bool isIgnored;
  const int64_t ignored;
  Value classes, inner;
};
} // namespace

LogicalResult Loss::check() {
  const Tensor &labels = node.input(1);
  if (reduction != "none" && reduction != "sum" && reduction != "mean")
    return node.refuse("reduction is '" + reduction +
                       "', expected none, sum or mean");
  if (!labels.type.isInteger())
    return node.refuse("labels must be integers");
  if (chances.rank() < 2 || labels.rank() != chances.rank() - 1)
    return node.refuse("its inputs have " + Twine(chances.rank()) + " and " +
                       Twine(labels.rank()) +
                       " dimensions, expected 2 or more and one less");
  for (int64_t axis = 0; axis < labels.rank(); ++axis)
    g.require(g.equal(labels.dims[axis], chances.dims[axis ? axis + 1 : 0]),
              node.describe() + ": the dimensions of the labels do not fit");
  classes = chances.dims[1];
  inner = g.product(ArrayRef(chances.dims).drop_front(2));
  g.require(
      g.logicalOr(g.less(g.number(0), classes), g.equal(g.count(labels), 0)),
      node.describe() + ": there are no classes");
  if (!node.hasInput(2))
    return success();
  if (node.input(2).rank() != 1)
    return node.refuse("its weights must be a vector");
  g.require(g.equal(node.input(2).dims[0], classes),
            node.describe() + ": there is not one weight per class");
  return node.requireType(2, chances.type);
}

/// The loss at a place of the labels, and its weight.
std::pair<Value, Value> Loss::at(Value place) {
  const Tensor &labels = node.input(1);
  Value label = asNumber(g, labels.type, g.loadElement(labels, place));
  Value isOut =
      g.logicalOr(g.less(label, 0), g.logicalNot(g.less(label, classes)));
  Value isLeftOut = g.integer(g.b.getI1Type(), 0);
  if (isIgnored)
    isLeftOut = g.equal(label, ignored);
  g.noteError(g.logicalAnd(isOut, g.logicalNot(isLeftOut)),
              node.describe() + ": a label is out of range");
  label = g.max(g.min(label, g.sub(classes, 1)), 0);
  Value divisor = g.max(inner, 1);
  Value batch = g.div(place, divisor), pixel = g.rem(place, divisor);
  Value row = g.add(g.mul(batch, classes), label);
  Real chance(g, g.loadElement(chances, g.add(g.mul(row, inner), pixel)));
  Real zero = chance.constant(0), weight = chance.constant(1);
  if (node.hasInput(2))
    weight = Real(g, g.loadElement(node.input(2), label));
  weight = choose(isLeftOut, zero, weight);
  return {choose(isLeftOut, zero, -chance * weight), weight};
}

Tensor Loss::reduced() {
  Value zero = g.constant(chances.type.compute(), 0);
  Values sums = g.loop(g.count(node.input(1)), {zero, zero},
                       [&](Value place, ValueRange carried) {
                         auto [loss, weight] = at(place);
                         return Values{addValues(g, carried[0], loss),
                                       addValues(g, carried[1], weight)};
                       });
  Real sum(g, sums[0]);
  Value result = reduction == "mean" ? sum / Real(g, sums[1]) : sum;
  return g.scalar(chances.type, result);
}

Tensor Loss::run() {
  node.buffer(1);
  if (node.hasInput(2))
    node.buffer(2);
  if (reduction != "none")
    return reduced();
  Tensor result = g.allocateTensor(chances.type, node.input(1).dims);
  g.parallelFor(g.count(result), g.number(16), [&](Value place) {
    g.storeElement(result, place, at(place).first);
  });
  return result;
}

static LogicalResult emitLoss(Node &node, const Tensor &chances) {
  Loss loss(node, chances);
  if (failed(loss.check()))
    return failure();
  node.setResult(0, loss.run());
  return success();
}

static LogicalResult emitNegativeLogLikelihood(Node &node) {
  if (failed(node.requireFloat(0)))
    return failure();
  return emitLoss(node, node.buffer(0));
}

static LogicalResult emitSoftmaxCrossEntropy(Node &node) {
  if (failed(node.requireFloat(0)))
    return failure();
  if (node.input(0).rank() < 2)
    return node.refuse("its scores have " + Twine(node.input(0).rank()) +
                       " dimensions, expected at least 2");
  Tensor chances = node.g.materialize(
      softmaxTensor(node.g, node.input(0), 1, 2, /*isLog=*/true));
  if (node.resultCount() > 1)
    node.setResult(1, chances);
  return emitLoss(node, chances);
}

static const OperatorRow rows[] = {
    {"NegativeLogLikelihoodLoss", emitNegativeLogLikelihood, 2, 3, 1, 1, 12},
    {"SoftmaxCrossEntropyLoss", emitSoftmaxCrossEntropy, 2, 3, 1, 2, 12},
};

ArrayRef<OperatorRow> lossOperators() { return rows; }

} // namespace llmopt::graph
