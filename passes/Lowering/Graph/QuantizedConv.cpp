//===- QuantizedConv.cpp - Convolutions of 8-bit integers -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Depthwise.h"
#include "passes/Lowering/Graph/GraphEmitter.h"
#include "passes/Lowering/Graph/IntegerProducts.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/PackedConv.h"
#include "passes/Lowering/Graph/QuantizedNode.h"

using namespace mlir;

namespace llmopt::graph {

namespace {

/// A convolution of 8-bit integers with the zero points of both inputs.
struct QuantizedConvolution {
  Convolution conv;
  Parameter xZero, weightZero;
  ElementType xType;

  void emit(GraphBuilder &g, const SumSink &sink) const;
};

} // namespace

/// Plans the convolution of input 0 by input `weights`.
static FailureOr<QuantizedConvolution>
planQuantized(Node &node, size_t weights, size_t xZero, size_t weightZero) {
  if (!isByte(node.input(0)) || !isByte(node.input(weights)))
    return node.refuse("expected an input and weights of 8-bit integers");
  QuantizedConvolution q;
  auto conv = planConvolution(node, node.buffer(0), node.buffer(weights));
  if (failed(conv))
    return failure();
  q.conv = *conv;
  q.xType = node.input(0).type;
  const std::tuple<size_t, size_t, Value, Parameter *> zeros[] = {
      {xZero, 0, node.g.number(1), &q.xZero},
      {weightZero, weights, q.conv.dims[1], &q.weightZero}};
  for (auto [input, of, count, zero] : zeros) {
    if (!node.hasInput(input))
      continue;
    if (node.input(input).type != node.input(of).type)
      return node.refuse("the type of zero point " + Twine(input) +
                         " is not that of input " + Twine(of));
    auto read = Parameter::read(node, input, count);
    if (failed(read))
      return failure();
    *zero = *read;
  }
  return q;
}

void QuantizedConvolution::emit(GraphBuilder &g, const SumSink &sink) const {
  if (isDepthwise(g, conv)) {
    DepthwiseZeros zeros;
    zeros.input = xZero.at(g, g.number(0), 1);
    if (!weightZero.isZero())
      zeros.weights = [&](Value channel) {
        return weightZero.at(g, channel, 1);
      };
    return emitDepthwise(g, conv, zeros, sink);
  }
  IntegerProducts p;
  p.shape = conv.shape;
  p.aCount = conv.windows.groups;
  p.a = conv.weights;
  p.aOf = [&](Value batch) { return g.rem(batch, conv.windows.groups); };
  if (!weightZero.isZero())
    p.aZero = [&](Value group, Value row, int64_t lanes) {
      return weightZero.at(g, conv.channelOf(g, group, row), lanes);
    };
  // Outside of the input there is what stands for zero.
  Value zero = xZero.at(g, g.number(0), 1);
  Value fill = arith::TruncIOp::create(g.b, g.loc, g.b.getI8Type(), zero);
  p.b = conv.patches(g, fill);
  p.bType = xType;
  if (!xZero.isZero())
    p.bZero = [&g, zero](Value, Value, int64_t lanes) {
      return g.splat(zero, lanes);
    };
  emitIntegerProducts(g, p, sink);
}

/// Such weights imply an unsigned image with a zero point that is one number
/// (see llmopt-place-constants).
static LogicalResult emitLastConv(Node &node) {
  if (!isByte(node.input(0)) || !node.input(0).type.isUnsigned())
    return node.refuse("expected an input of unsigned 8-bit integers");
  if (!node.hasInput(2))
    return emitPackedConv(node, node.g.integer(node.g.b.getI32Type(), 0));
  if (node.input(2).type != node.input(0).type)
    return node.refuse("the type of zero point 2 is not that of input 0");
  auto zero = Parameter::read(node, 2, node.g.number(1));
  if (failed(zero))
    return failure();
  return emitPackedConv(node, zero->at(node.g, node.g.number(0), 1));
}

static LogicalResult emitConvInteger(Node &node) {
  GraphBuilder &g = node.g;
  const std::shared_ptr<Buffer> &weights = node.input(1).buffer;
  if (weights && weights->convolution)
    return emitLastConv(node);
  node.emitter.requireKnownLayout(node.op.getInputs()[0]);
  auto q = planQuantized(node, 1, 2, 3);
  if (failed(q))
    return failure();
  Tensor result = g.allocateTensor(g.b.getI32Type(), q->conv.dims);
  q->emit(g, [&](Value sums, const Access &access) {
    g.storeElement(result, q->conv.elementOf(g, access), sums);
  });
  node.setResult(0, result);
  return success();
}

static LogicalResult emitQLinearConv(Node &node) {
  GraphBuilder &g = node.g;
  if (!isByte(node.input(7)))
    return node.refuse("input 7 must be of 8-bit integers");
  auto q = planQuantized(node, 3, 2, 5);
  if (failed(q))
    return failure();
  Value one = g.number(1), channels = q->conv.dims[1];
  auto xScale = Parameter::read(node, 1, one);
  auto weightScale = Parameter::read(node, 4, channels);
  auto yScale = Parameter::read(node, 6, one);
  auto yZero = Parameter::read(node, 7, one);
  if (failed(xScale) || failed(weightScale) || failed(yScale) || failed(yZero))
    return failure();
  Parameter bias;
  if (node.hasInput(8)) {
    auto read = Parameter::read(node, 8, channels);
    if (failed(read))
      return failure();
    bias = *read;
  }
  Tensor result = g.allocateTensor(node.input(7).type, q->conv.dims);
  q->emit(g, [&](Value sums, const Access &access) {
    Value channel = q->conv.channelOf(g, access.indices[0], access.indices[1]);
    Value zero = g.number(0);
    int64_t lanes = access.lanes;
    Value scale = arith::MulFOp::create(g.b, g.loc, xScale->at(g, zero, 1),
                                        weightScale->at(g, channel, 1));
    scale = arith::DivFOp::create(g.b, g.loc, scale, yScale->at(g, zero, 1));
    sums = arith::AddIOp::create(g.b, g.loc, sums,
                                 g.splat(bias.at(g, channel, 1), lanes));
    g.storeElement(result, q->conv.elementOf(g, access),
                   requantize(g, sums, g.splat(scale, lanes),
                              yZero->at(g, zero, lanes), result.type));
  });
  node.setResult(0, result);
  return success();
}

static const OperatorRow rows[] = {
    {"ConvInteger", emitConvInteger, 2, 4, 1, 1, 10},
    {"QLinearConv", emitQLinearConv, 8, 9, 1, 1, 10},
};

ArrayRef<OperatorRow> quantizedConvOperators() { return rows; }

} // namespace llmopt::graph
