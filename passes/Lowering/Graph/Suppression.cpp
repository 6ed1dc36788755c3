//===- Suppression.cpp - NonMaxSuppression ----------------------*- C++ -*-===//
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
#include "passes/Lowering/Graph/Real.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// Boxes [batches, boxes, 4] that are selected by scores [batches, classes,
/// boxes]. A task selects those of one class of one image.
class Suppression {
public:
  Suppression(Node &node, const Tensor &boxes, const Tensor &scores)
      : g(node.g), boxes(boxes), scores(scores), classes(scores.dims[1]),
        count(scores.dims[2]), tasks(g.mul(scores.dims[0], classes)),
        isCentered(node.attribute("center_point_box", int64_t(0)) != 0) {}

  Value most; ///< boxes that are selected of a task
  Value overlap;
  Value threshold; ///< of scores; null: all boxes are candidates

  /// The selected boxes, [selected, 3]: batch, class, box.
  Tensor run();

private:
  struct Box {
    Value low[2], high[2];
  };
  Box load(Value batch, Value index);
  Value overlaps(const Box &a, const Box &b);
  Value candidates(Value task, Value list);
  Value select(Value task, Value sorted, Value candidateCount, Value chosen);
  Tensor collect(Value chosen, Value counts);

  GraphBuilder &g;
  const Tensor &boxes, &scores;
  const Value classes, count, tasks;
  const bool isCentered;
};
} // namespace

Suppression::Box Suppression::load(Value batch, Value index) {
  Value first = g.mul(g.add(g.mul(batch, count), index), 4);
  auto entry = [&](int64_t i) {
    return Real(g, g.loadElement(boxes, g.add(first, i)));
  };
  Box box;
  for (int64_t axis = 0; axis < 2; ++axis) {
    Real a = entry(axis), b = entry(axis + 2);
    if (isCentered) {
      Real half = b * 0.5;
      box.low[axis] = a - half;
      box.high[axis] = a + half;
    } else {
      // Corners of any diagonal.
      Value isSwapped = b < a;
      box.low[axis] = choose(isSwapped, b, a);
      box.high[axis] = choose(isSwapped, a, b);
    }
  }
  return box;
}

/// True if the intersection of two boxes is too large a part of their union.
Value Suppression::overlaps(const Box &a, const Box &b) {
  auto area = [&](const Box &box) {
    return (Real(g, box.high[0]) - Real(g, box.low[0])) *
           (Real(g, box.high[1]) - Real(g, box.low[1]));
  };
  Box common;
  Value isOne = g.integer(g.b.getI1Type(), 1);
  for (int64_t axis = 0; axis < 2; ++axis) {
    Real lowA(g, a.low[axis]), lowB(g, b.low[axis]);
    Real highA(g, a.high[axis]), highB(g, b.high[axis]);
    Real low = choose(lowA < lowB, lowB, lowA);
    Real high = choose(highA < highB, highA, highB);
    common.low[axis] = low;
    common.high[axis] = high;
    isOne = g.logicalAnd(isOne, low < high);
  }
  Real shared = area(common), areaA = area(a), areaB = area(b);
  Real whole = areaA + areaB - shared;
  Value areBoxes =
      g.logicalAnd(g.logicalAnd(0.0 < areaA, 0.0 < areaB), 0.0 < whole);
  Value isMuch = Real(g, overlap) < shared / whole;
  return g.logicalAnd(g.logicalAnd(isOne, areBoxes), isMuch);
}

/// Writes the boxes whose score is high enough to a list; how many they are.
Value Suppression::candidates(Value task, Value list) {
  Value first = g.mul(task, count);
  return g.loop(count, {g.number(0)}, [&](Value i, ValueRange carried) {
    // The entry behind the last candidate is overwritten by the next one.
    storeIndex(g, list, carried[0], i);
    if (!threshold)
      return Values{g.add(carried[0], 1)};
    Real score(g, g.loadElement(scores, g.add(first, i)));
    Value isTaken = Real(g, threshold) < score;
    return Values{
        g.add(carried[0], g.select(isTaken, g.number(1), g.number(0)))};
  })[0];
}

/// Writes what remains of the candidates, the best first; how many they are.
Value Suppression::select(Value task, Value sorted, Value candidateCount,
                          Value chosen) {
  Value batch = g.div(task, g.max(classes, 1)), none = g.number(0);
  return g.loop(candidateCount, {none}, [&](Value i, ValueRange carried) {
    Value number = carried[0], index = loadIndex(g, sorted, i);
    Box box = load(batch, index);
    // None of those after the last one that fits is looked at.
    Value isFull = g.logicalNot(g.less(number, most));
    Value tests = g.select(isFull, none, number);
    Value isBad = g.loop(tests, {isFull}, [&](Value j, ValueRange state) {
      Value tested = overlaps(load(batch, loadIndex(g, chosen, j)), box);
      return Values{g.logicalOr(state[0], tested)};
    })[0];
    g.ifThen(g.logicalNot(isBad),
             [&] { storeIndex(g, chosen, number, index); });
    return Values{g.add(number, g.select(isBad, none, g.number(1)))};
  })[0];
}

/// The lists of all tasks, one after the other.
Tensor Suppression::collect(Value chosen, Value counts) {
  Value total = g.loop(tasks, {g.number(0)}, [&](Value task, ValueRange sum) {
    return Values{g.add(sum[0], loadIndex(g, counts, task))};
  })[0];
  g.markDimension(total);
  Tensor result = g.allocateTensor(g.b.getI64Type(), {total, g.number(3)});
  g.loop(tasks, {g.number(0)}, [&](Value task, ValueRange first) {
    Value own = loadIndex(g, counts, task);
    Value list = g.at(chosen, g.mul(g.mul(task, count), 8));
    g.loop(own, [&](Value i) {
      Value at = g.mul(g.add(first[0], i), 3);
      Value divisor = g.max(classes, 1);
      g.storeElement(result, at, g.div(task, divisor));
      g.storeElement(result, g.add(at, 1), g.rem(task, divisor));
      g.storeElement(result, g.add(at, 2), loadIndex(g, list, i));
    });
    return Values{g.add(first[0], own)};
  });
  return result;
}

Tensor Suppression::run() {
  Value bytes = g.mul(count, 8), counts = g.allocate(g.mul(tasks, 8));
  Value chosen = g.allocate(g.mul(tasks, bytes));
  Value scratch = g.allocate(g.mul(g.mul(tasks, bytes), 2));
  g.parallelFor(tasks, g.mul(count, 32), [&](Value task) {
    Value list = g.at(scratch, g.mul(task, g.mul(bytes, 2)));
    Value number = candidates(task, list), first = g.mul(task, count);
    Value sorted = mergeSort(
        g, number, list, g.at(list, bytes), [&](Value b, Value a) -> Value {
          Real scoreA(g, g.loadElement(scores, g.add(first, a)));
          Real scoreB(g, g.loadElement(scores, g.add(first, b)));
          return scoreA < scoreB;
        });
    Value own = select(task, sorted, number, g.at(chosen, g.mul(task, bytes)));
    storeIndex(g, counts, task, own);
  });
  g.release(scratch);
  Tensor result = collect(chosen, counts);
  g.release(chosen);
  g.release(counts);
  return result;
}

static LogicalResult checkShapes(Node &node) {
  GraphBuilder &g = node.g;
  for (size_t i = 0; i < 2; ++i) {
    if (failed(node.requireFloat(i)))
      return failure();
    if (node.input(i).rank() != 3)
      return node.refuse("input " + Twine(i) + " has " +
                         Twine(node.input(i).rank()) +
                         " dimensions, expected 3");
  }
  const Tensor &boxes = node.input(0), &scores = node.input(1);
  std::string what = node.describe();
  g.require(g.equal(boxes.dims[2], 4), what + ": a box needs 4 entries");
  g.require(g.equal(boxes.dims[0], scores.dims[0]),
            what + ": the batches of boxes and scores differ");
  g.require(g.equal(boxes.dims[1], scores.dims[2]),
            what + ": there is not one score per box");
  return node.requireType(1, boxes.type);
}

/// A threshold that may be left out; null then.
static FailureOr<Value> thresholdOf(Node &node, size_t index, StringRef what) {
  if (!node.hasInput(index))
    return Value();
  if (failed(node.requireType(index, node.input(0).type)))
    return failure();
  std::optional<Values> elements = node.elements(index);
  if (!elements || elements->size() != 1)
    return node.refuse(what + " must have one element");
  return elements->front();
}

static LogicalResult emitNonMaxSuppression(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(checkShapes(node)))
    return failure();
  FailureOr<Value> most = g.number(0);
  if (node.hasInput(2))
    most = numberOf(node, 2, "max_output_boxes_per_class");
  FailureOr<Value> overlap = thresholdOf(node, 3, "iou_threshold");
  FailureOr<Value> threshold = thresholdOf(node, 4, "score_threshold");
  if (failed(most) || failed(overlap) || failed(threshold))
    return failure();
  const Tensor &boxes = node.buffer(0), &scores = node.buffer(1);
  Suppression suppression(node, boxes, scores);
  suppression.most = *most;
  suppression.overlap =
      *overlap ? *overlap : g.constant(boxes.type.compute(), 0);
  suppression.threshold = *threshold;
  node.setResult(0, suppression.run());
  return success();
}

static const OperatorRow rows[] = {
    {"NonMaxSuppression", emitNonMaxSuppression, 2, 5, 1, 1, 10},
};

ArrayRef<OperatorRow> suppressionOperators() { return rows; }

} // namespace llmopt::graph
