//===- Recurrent.cpp - RNN, GRU and LSTM ------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The inputs of all steps are multiplied by their weights at once; every step
// then multiplies the state by the recurrent weights, which are transposed
// once, and computes the cells element by element. The state lies in the
// results Y_h and Y_c.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Recurrent.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// What the node says
//===----------------------------------------------------------------------===//

LogicalResult RecurrentNode::checkAttributes() {
  std::string direction = node.attribute("direction", StringRef("forward"));
  isReverse = direction == "reverse";
  if (direction == "bidirectional")
    directions = 2;
  else if (!isReverse && direction != "forward")
    return node.refuse("direction is " + direction +
                       ", expected forward, reverse or bidirectional");
  isBatchFirst = node.attribute("layout", int64_t(0)) != 0;
  resetsProduct = node.attribute("linear_before_reset", int64_t(0)) != 0;
  couplesForget = node.attribute("input_forget", int64_t(0)) != 0;
  if (node.hasAttribute("clip"))
    clip = node.attribute("clip", 0.0);
  static constexpr StringLiteral rnn[] = {"Tanh"}, gru[] = {"Sigmoid", "Tanh"},
                                 lstm[] = {"Sigmoid", "Tanh", "Tanh"};
  ArrayRef<StringLiteral> defaults = kind == CellKind::RNN   ? ArrayRef(rnn)
                                     : kind == CellKind::GRU ? ArrayRef(gru)
                                                             : ArrayRef(lstm);
  auto read = readCellFunctions(node, defaults, directions);
  if (failed(read))
    return failure();
  functions = std::move(*read);
  return success();
}

void RecurrentNode::checkDims(size_t input, ArrayRef<Value> dims) {
  for (auto [dim, expected] : llvm::zip_equal(node.input(input).dims, dims))
    g.require(g.equal(dim, expected), node.describe() + ": input " +
                                          Twine(input) +
                                          " does not fit the others");
}

LogicalResult RecurrentNode::checkInputs() {
  static constexpr int64_t ranks[] = {3, 3, 3, 2, 1, 3, 3, 2};
  for (size_t i = 0; i < node.inputCount(); ++i) {
    if (!node.hasInput(i))
      continue;
    if (node.input(i).rank() != ranks[i])
      return node.refuse("input " + Twine(i) + " has " +
                         Twine(node.input(i).rank()) +
                         " dimensions, expected " + Twine(ranks[i]));
    if (i != 4 && node.input(i).type != node.input(0).type)
      return node.refuse("its inputs have different element types");
  }
  if (failed(node.requireFloat(0)))
    return failure();
  type = node.input(0).type.compute();
  const Values &input = node.input(0).dims;
  steps = input[isBatchFirst ? 1 : 0];
  batch = input[isBatchFirst ? 0 : 1];
  width = input[2];
  hidden = node.input(2).dims[2];
  int64_t size = node.attribute("hidden_size", int64_t(-1));
  if (size >= 0 && g.known(hidden).value_or(size) != size)
    return node.refuse("hidden_size is " + Twine(size) +
                       ", but the recurrent weights have " +
                       Twine(*g.known(hidden)) + " columns");
  Value count = g.number(directions), rows = g.mul(hidden, gates);
  checkDims(1, {count, rows, width});
  checkDims(2, {count, rows, hidden});
  if (node.hasInput(3))
    checkDims(3, {count, g.mul(rows, 2)});
  if (node.hasInput(4))
    checkDims(4, {batch});
  for (size_t i : {5, 6})
    if (node.hasInput(i))
      checkDims(i, isBatchFirst ? Values{batch, count, hidden}
                                : Values{count, batch, hidden});
  if (node.hasInput(7))
    checkDims(7, {count, g.mul(hidden, 3)});
  return success();
}

Tensor RecurrentNode::floats(size_t input) {
  return g.materialize(convertedTo(g, node.input(input), type));
}

/// An initial state, or zeros, in memory of its own.
Tensor RecurrentNode::initialState(size_t input) {
  if (node.hasInput(input))
    return g.copy(convertedTo(g, node.input(input), type));
  Value count = g.number(directions);
  Values dims = isBatchFirst ? Values{batch, count, hidden}
                             : Values{count, batch, hidden};
  Type compute = type.compute();
  Tensor zeros =
      makeExpression(type, dims, {}, [=](GraphBuilder &g, const Access &a) {
        return g.constant(GraphBuilder::withLanes(compute, a.lanes), 0);
      });
  zeros.isLinear = zeros.hasLanes = true;
  return g.copy(zeros);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Tensor RecurrentNode::transposedRecurrent(int64_t direction) {
  Tensor weights = node.buffer(2);
  return g.materialize(makeExpression(
      type, {hidden, g.mul(hidden, gates)}, {weights},
      [=](GraphBuilder &g, const Access &access) {
        return g.element(weights, {g.number(direction), access.indices[1],
                                   access.indices[0]});
      }));
}

void RecurrentNode::multiplyState(const Tensor &states, Value rowStride,
                                  Value offset, int64_t firstGate,
                                  int64_t count, const Tensor &target) {
  int64_t bytes = type.bytes();
  Value columns = g.mul(hidden, count);
  auto left = [&](Value) {
    return Matrix{g.at(states.buffer->data, g.mul(offset, bytes)), type,
                  rowStride, g.number(1)};
  };
  auto right = [&](Value) {
    return Matrix{
        g.at(recurrent.buffer->data, g.mul(hidden, firstGate * bytes)), type,
        g.mul(hidden, gates), g.number(1)};
  };
  auto result = [&](Value) {
    return Matrix{target.buffer->data, type, columns, g.number(1)};
  };
  emitProducts(g, {g.number(1), batch, columns, hidden}, left, right, result);
}

LogicalResult RecurrentNode::emitDirection(int64_t direction) {
  Operand a(g, inputs), b(g, weights);
  Value rows = g.mul(hidden, gates);
  b.data =
      g.at(b.data, g.mul(g.product({rows, width}), direction * type.bytes()));
  b.dims = {width, rows};
  b.strides = {g.number(1), width};
  b.isRowMajor = false;
  FailureOr<Tensor> fromInputs = multiply(node, a, b);
  if (failed(fromInputs))
    return failure();
  projected = *fromInputs;
  recurrent = transposedRecurrent(direction);
  g.loop(steps, [&](Value step) { emitStep(direction, step); });
  return success();
}

void RecurrentNode::emitStep(int64_t direction, Value step) {
  Value rowStride = isBatchFirst ? allHidden : hidden;
  Value offset = isBatchFirst ? g.mul(hidden, direction)
                              : g.mul(g.mul(batch, hidden), direction);
  bool resetsState = kind == CellKind::GRU && !resetsProduct;
  multiplyState(state, rowStride, offset, 0, resetsState ? 2 : gates, product);
  if (resetsState) {
    forCells(direction, step,
             [&](const Cell &cell) { resetState(direction, cell); });
    multiplyState(resetHidden, hidden, g.number(0), kNew, 1, newProduct);
  }
  forCells(direction, step, [&](const Cell &cell) {
    Value before =
        g.loadElement(state, stateNumber(direction, cell), cell.lanes);
    Value after = kind == CellKind::LSTM  ? lstmCell(direction, cell)
                  : kind == CellKind::GRU ? gruCell(direction, cell, before)
                                          : rnnCell(direction, cell);
    storeHidden(direction, cell, before, after);
  });
}

//===----------------------------------------------------------------------===//
// The node
//===----------------------------------------------------------------------===//

LogicalResult RecurrentNode::emit() {
  if (failed(checkAttributes()) || failed(checkInputs()))
    return failure();
  allHidden = g.mul(hidden, directions);
  inputs = floats(0);
  weights = floats(1);
  if (node.hasInput(3))
    biases = floats(3);
  if (node.hasInput(4))
    lengths = node.buffer(4);
  if (node.hasInput(7))
    peepholes = floats(7);
  state = initialState(5);
  if (kind == CellKind::LSTM)
    cellState = initialState(6);
  bool resetsState = kind == CellKind::GRU && !resetsProduct;
  product =
      g.allocateTensor(type, {batch, g.mul(hidden, resetsState ? 2 : gates)});
  if (resetsState) {
    newProduct = g.allocateTensor(type, {batch, hidden});
    resetHidden = g.allocateTensor(type, {batch, hidden});
  }
  Value count = g.number(directions);
  if (node.needsResult(0))
    all = g.allocateTensor(type, isBatchFirst
                                     ? Values{batch, steps, count, hidden}
                                     : Values{steps, count, batch, hidden});
  for (int64_t direction = 0; direction < directions; ++direction)
    if (failed(emitDirection(direction)))
      return failure();
  ElementType given = node.input(0).type;
  if (node.needsResult(0))
    node.setResult(0, convertedTo(g, all, given));
  if (node.resultCount() > 1)
    node.setResult(1, convertedTo(g, state, given));
  if (node.resultCount() > 2)
    node.setResult(2, convertedTo(g, cellState, given));
  return success();
}

template <CellKind kind> static LogicalResult emitRecurrent(Node &node) {
  return RecurrentNode(node, kind).emit();
}

static const OperatorRow rows[] = {
    {"RNN", emitRecurrent<CellKind::RNN>, 3, 6, 0, 2},
    {"GRU", emitRecurrent<CellKind::GRU>, 3, 6, 0, 2, 3},
    {"LSTM", emitRecurrent<CellKind::LSTM>, 3, 8, 0, 3},
};

ArrayRef<OperatorRow> recurrentOperators() { return rows; }

} // namespace llmopt::graph
