//===- ChannelNorms.cpp - Normalization of channels -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/NormLine.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

static Value subValues(GraphBuilder &g, Value a, Value b) {
  return arith::SubFOp::create(g.b, g.loc, a, b);
}

static Value divValues(GraphBuilder &g, Value a, Value b) {
  return arith::DivFOp::create(g.b, g.loc, a, b);
}

//===----------------------------------------------------------------------===//
// BatchNormalization
//===----------------------------------------------------------------------===//

/// An input of one element a channel, as [channels, 1, ...] beside the input.
static FailureOr<Tensor> channelInput(Node &node, size_t index) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  const Tensor &tensor = node.input(index);
  if (failed(node.requireFloat(index)))
    return failure();
  if (tensor.rank() != 1)
    return node.refuse("input " + Twine(index) + " has " +
                       Twine(tensor.rank()) + " dimensions, expected 1");
  g.require(g.equal(tensor.dims[0], input.dims[1]),
            node.describe() + ": input " + Twine(index) +
                " has not one element a channel");
  Values dims(input.rank() - 1, g.number(1));
  dims[0] = input.dims[1];
  return g.reshaped(tensor, dims);
}

/// x * factor + summand with factor and summand of the channel, which are
/// computed once.
static Tensor scaleChannels(Node &node, const Tensor &x,
                            ArrayRef<Tensor> inputs, double epsilon) {
  GraphBuilder &g = node.g;
  Type type = x.type.compute();
  const Tensor &scale = inputs[0], &bias = inputs[1], &mean = inputs[2],
               &variance = inputs[3];
  std::string what = node.describe();
  auto wide = [type](GraphBuilder &g, Value value) {
    return convertFloat(g, value, type);
  };
  Tensor factor = g.materialize(mapElements(
      g, {scale, variance}, type,
      [=](GraphBuilder &g, ArrayRef<Value> in) {
        Value square = wide(g, in[1]);
        square = addValues(g, square, g.constant(square.getType(), epsilon));
        return divValues(g, wide(g, in[0]), sqrt(g, square));
      },
      what));
  Tensor summand = g.materialize(mapElements(
      g, {bias, mean, factor}, type,
      [=](GraphBuilder &g, ArrayRef<Value> in) {
        return subValues(g, wide(g, in[0]),
                         mulValues(g, wide(g, in[1]), in[2]));
      },
      what));
  return mapElements(
      g, {x, factor, summand}, x.type,
      [](GraphBuilder &g, ArrayRef<Value> in) {
        return addValues(g, mulValues(g, in[0], in[1]), in[2]);
      },
      what);
}

/// before * momentum + now * (1 - momentum), as the node's running statistic.
static Tensor runningStatistic(Node &node, const Tensor &before,
                               const Tensor &now) {
  double momentum = node.attribute("momentum", 0.9);
  ElementType type = before.type;
  Tensor result = mapElements(
      node.g, {before, now}, type,
      [=](GraphBuilder &g, ArrayRef<Value> in) {
        Type compute = type.compute();
        Value old = convertFloat(g, in[0], compute);
        Value current = convertFloat(g, in[1], compute);
        old = mulValues(g, old, g.constant(old.getType(), momentum));
        current =
            mulValues(g, current, g.constant(current.getType(), 1 - momentum));
        return addValues(g, old, current);
      },
      node.describe());
  return node.g.reshaped(result, {before.dims[0]});
}

/// Statistics of the batch replace inputs 3 and 4; the outputs are running
/// ones.
static void takeBatchStatistics(Node &node, const Tensor &x,
                                MutableArrayRef<Tensor> inputs) {
  GraphBuilder &g = node.g;
  Values isReduced(x.rank(), g.integer(g.b.getI1Type(), 1));
  isReduced[1] = g.integer(g.b.getI1Type(), 0);
  ElementType wide = x.type.compute();
  auto square = [=](GraphBuilder &g, ArrayRef<Value> in) {
    Value difference = subValues(g, in[0], in[1]);
    return mulValues(g, difference, difference);
  };
  auto same = [](GraphBuilder &, ArrayRef<Value> in) { return in[0]; };
  Tensor values = g.materialize(mapElements(g, {x}, wide, same, ""));
  Tensor mean = reduceTensor(g, values, isReduced, ReduceKind::Mean);
  Tensor variance =
      reduceTensor(g, mapElements(g, {values, mean}, wide, square, ""),
                   isReduced, ReduceKind::Mean);
  for (size_t i = 0; i < 2; ++i) {
    Tensor now = g.reshaped(i == 0 ? mean : variance, inputs[2 + i].dims);
    if (node.needsResult(1 + i))
      node.setResult(1 + i, runningStatistic(node, inputs[2 + i], now));
    inputs[2 + i] = now;
  }
}

static LogicalResult emitBatchNorm(Node &node) {
  int64_t version = node.version();
  if (failed(node.requireFloat(0)))
    return failure();
  if (node.input(0).rank() < 2)
    return node.refuse("its input has fewer than 2 dimensions");
  if (version < 9 && !node.attribute("spatial", int64_t(1)))
    return node.refuse("statistics of every position (spatial = 0) are not "
                       "supported");
  bool isTraining = node.attribute("training_mode", int64_t(0));
  bool needsStatistics = false;
  for (size_t i = 1; i < node.resultCount(); ++i)
    needsStatistics |= node.needsResult(i);
  bool isOldTraining =
      version < 7 ? !node.attribute("is_test", int64_t(0)) : needsStatistics;
  if (version < 14 && isOldTraining)
    return node.refuse("training is not supported before version 14; export "
                       "the model for inference");
  Tensor x = isTraining ? node.buffer(0) : node.input(0);
  SmallVector<Tensor> inputs;
  for (size_t i = 1; i < 5; ++i) {
    FailureOr<Tensor> input = channelInput(node, i);
    if (failed(input))
      return failure();
    inputs.push_back(*input);
  }
  if (isTraining)
    takeBatchStatistics(node, x, inputs);
  node.setResult(
      0, scaleChannels(node, x, inputs, node.attribute("epsilon", 1e-5)));
  return success();
}

//===----------------------------------------------------------------------===//
// Groups of channels of one sample
//===----------------------------------------------------------------------===//

/// Normalizes `groups` groups of channels each. Scale and bias have an element
/// a channel, or a group if `isOfGroup`.
static LogicalResult normalizeGroups(Node &node, Value groups, bool isOfGroup) {
  GraphBuilder &g = node.g;
  if (failed(node.requireFloat(0)) || failed(node.requireFloat(1)) ||
      failed(node.requireFloat(2)))
    return failure();
  const Tensor &x = node.input(0);
  if (x.rank() < 2)
    return node.refuse("its input has fewer than 2 dimensions");
  Tensor source = x.isExpression() && x.isLinear ? x : node.buffer(0);
  Tensor scale = node.buffer(1), bias = node.buffer(2);
  Value channels = source.dims[1];
  Value wanted = isOfGroup ? groups : channels;
  for (const Tensor &tensor : {scale, bias})
    g.require(g.equal(g.count(tensor), wanted),
              node.describe() + ": the sizes of its scale and bias do not fit");
  Value width = g.product(ArrayRef(source.dims).drop_front(2));
  Value perGroup = g.quotient({channels}, {groups});
  LineShape shape{g.mul(source.dims[0], groups), g.mul(perGroup, width),
                  g.number(1)};
  Tensor result = g.allocateTensor(source.type, source.dims);
  double epsilon = node.attribute("epsilon", 1e-5);
  bool hasLanes = canReadLanes(source);
  forLines(g, shape, hasLanes, g.number(4), [&](const Line &line) {
    LineInput input(g, source, line, source.isExpression() ? &result : nullptr);
    Moments moments = lineMoments(g, line, shape.length, input, epsilon, true);
    Value group = g.rem(line.outer, groups);
    g.loop(perGroup, [&](Value member) {
      Value index = isOfGroup ? group : g.add(g.mul(group, perGroup), member);
      Value factor =
          mulValues(g, moments.inverse,
                    convertFloat(g, g.loadElement(scale, index), input.type));
      Value summand = convertFloat(g, g.loadElement(bias, index), input.type);
      summand = subValues(g, summand, mulValues(g, moments.mean, factor));
      Value first = g.mul(member, width);
      g.vectorLoop(
          first, g.add(first, width), hasLanes, [&](Value i, int64_t lanes) {
            Value y =
                mulValues(g, input.read(i, lanes), line.spread(factor, lanes));
            y = addValues(g, y, line.spread(summand, lanes));
            g.storeElement(result, line.number(i), y);
          });
    });
  });
  node.setResult(0, result);
  return success();
}

static LogicalResult emitInstanceNorm(Node &node) {
  if (node.input(0).rank() < 3)
    return node.refuse("its input has fewer than 3 dimensions");
  return normalizeGroups(node, node.input(0).dims[1], /*isOfGroup=*/false);
}

static LogicalResult emitGroupNorm(Node &node) {
  GraphBuilder &g = node.g;
  int64_t groups = node.attribute("num_groups", int64_t(0));
  if (groups < 1)
    return node.refuse("num_groups is " + Twine(groups) +
                       ", expected 1 or more");
  if (node.input(0).rank() < 3)
    return node.refuse("its input has fewer than 3 dimensions");
  g.require(g.equal(g.rem(node.input(0).dims[1], groups), 0),
            node.describe() + ": the channels are no multiple of num_groups");
  return normalizeGroups(node, g.number(groups), node.version() < 21);
}

//===----------------------------------------------------------------------===//
// Others
//===----------------------------------------------------------------------===//

static LogicalResult emitMeanVarianceNorm(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(node.requireFloat(0)))
    return failure();
  Tensor x = node.buffer(0);
  ElementType type = x.type, wide = x.type.compute();
  Values isReduced(x.rank(), g.integer(g.b.getI1Type(), 0));
  for (int64_t axis :
       node.integers("axes").value_or(SmallVector<int64_t>{0, 2, 3})) {
    FailureOr<int64_t> place = node.axis(axis, x.rank());
    if (failed(place))
      return failure();
    isReduced[*place] = g.integer(g.b.getI1Type(), 1);
  }
  auto same = [](GraphBuilder &, ArrayRef<Value> in) { return in[0]; };
  Tensor values = g.materialize(mapElements(g, {x}, wide, same, ""));
  Tensor mean =
      g.materialize(reduceTensor(g, values, isReduced, ReduceKind::Mean));
  auto square = [](GraphBuilder &g, ArrayRef<Value> in) {
    Value difference = subValues(g, in[0], in[1]);
    return mulValues(g, difference, difference);
  };
  auto inverse = [](GraphBuilder &g, ArrayRef<Value> in) {
    Value root = sqrt(g, in[0]);
    root = addValues(g, root, g.constant(root.getType(), 1e-9));
    return divValues(g, g.constant(root.getType(), 1), root);
  };
  Tensor variance =
      reduceTensor(g, mapElements(g, {values, mean}, wide, square, ""),
                   isReduced, ReduceKind::Mean);
  Tensor factor = g.materialize(mapElements(g, {variance}, wide, inverse, ""));
  auto normalize = [](GraphBuilder &g, ArrayRef<Value> in) {
    return mulValues(g, subValues(g, in[0], in[1]), in[2]);
  };
  node.setResult(0, mapElements(g, {values, mean, factor}, type, normalize,
                                node.describe()));
  return success();
}

static LogicalResult emitLpNorm(Node &node) {
  GraphBuilder &g = node.g;
  int64_t rank = node.input(0).rank();
  FailureOr<int64_t> axis =
      node.axis(node.attribute("axis", int64_t(-1)), rank);
  int64_t p = node.attribute("p", int64_t(2));
  if (failed(axis) || failed(node.requireFloat(0)))
    return failure();
  if (p != 1 && p != 2)
    return node.refuse("p is " + Twine(p) + ", expected 1 or 2");
  Tensor x = node.buffer(0);
  ElementType wide = x.type.compute();
  auto same = [](GraphBuilder &, ArrayRef<Value> in) { return in[0]; };
  Tensor norm = g.materialize(
      reduceTensor(g, mapElements(g, {x}, wide, same, ""), *axis, *axis + 1,
                   p == 1 ? ReduceKind::L1 : ReduceKind::L2));
  // Zeros stay zeros.
  auto divide = [](GraphBuilder &g, ArrayRef<Value> in) -> Value {
    Value zero = g.constant(in[1].getType(), 0);
    Value isZero = arith::CmpFOp::create(g.b, g.loc, arith::CmpFPredicate::OEQ,
                                         in[1], zero);
    return arith::SelectOp::create(g.b, g.loc, isZero, zero,
                                   divValues(g, in[0], in[1]));
  };
  node.setResult(0, mapElements(g, {x, norm}, x.type, divide, ""));
  return success();
}

/// The sum of squares of channels around the one of each element.
static Tensor squaresAround(GraphBuilder &g, const Tensor &x, int64_t size) {
  int64_t before = (size - 1) / 2, after = size - 1 - before;
  Tensor result = g.allocateTensor(x.type.compute(), x.dims);
  Value channels = x.dims[1];
  LineShape shape{g.mul(x.dims[0], channels), g.number(1),
                  g.product(ArrayRef(x.dims).drop_front(2))};
  forLines(g, shape, canReadLanes(x), g.number(size), [&](const Line &line) {
    Value sample = g.div(line.outer, channels);
    Value channel = g.rem(line.outer, channels);
    Value first = g.max(g.sub(channel, before), 0);
    Value last = g.min(g.add(channel, after + 1), channels);
    Value zero =
        g.constant(GraphBuilder::withLanes(x.type.compute(), line.columns), 0);
    Values sum = g.loop(
        first, last, g.number(1), zero, [&](Value other, ValueRange carried) {
          Value row = g.add(g.mul(sample, channels), other);
          Value place = g.add(g.mul(row, shape.inner), line.column);
          Value value = g.loadElement(x, place, line.columns);
          return Values{addValues(g, carried[0], mulValues(g, value, value))};
        });
    g.storeElement(result, line.lineNumber(), sum[0]);
  });
  return result;
}

static LogicalResult emitLRN(Node &node) {
  GraphBuilder &g = node.g;
  int64_t size = node.attribute("size", int64_t(0));
  if (size < 1)
    return node.refuse("size is " + Twine(size) + ", expected 1 or more");
  if (failed(node.requireFloat(0)))
    return failure();
  if (node.input(0).rank() < 3)
    return node.refuse("its input has fewer than 3 dimensions");
  Tensor x = node.buffer(0);
  double factor = node.attribute("alpha", 1e-4) / double(size);
  double bias = node.attribute("bias", 1.0),
         beta = node.attribute("beta", 0.75);
  auto divide = [=](GraphBuilder &g, ArrayRef<Value> in) {
    Type type = in[1].getType();
    Value base = mulValues(g, in[1], g.constant(type, factor));
    base = addValues(g, base, g.constant(type, bias));
    return divValues(g, in[0], pow(g, base, g.constant(type, beta)));
  };
  node.setResult(0, mapElements(g, {x, squaresAround(g, x, size)}, x.type,
                                divide, node.describe()));
  return success();
}

static const OperatorRow rows[] = {
    {"BatchNormalization", emitBatchNorm, 5, 5, 1, 5},
    {"InstanceNormalization", emitInstanceNorm, 3, 3},
    {"GroupNormalization", emitGroupNorm, 3, 3, 1, 1, 18},
    {"MeanVarianceNormalization", emitMeanVarianceNorm, 1, 1, 1, 1, 9},
    {"LpNormalization", emitLpNorm, 1, 1},
    {"LRN", emitLRN, 1, 1},
};

ArrayRef<OperatorRow> channelNormOperators() { return rows; }

} // namespace llmopt::graph
