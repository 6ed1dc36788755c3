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

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/CellFunction.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Real.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
enum class CellKind { RNN, GRU, LSTM };

/// Numbers of the gates, as blocks of rows of the weights.
enum GRUGate { kUpdate, kReset, kNew };
enum LSTMGate { kInput, kOutput, kForget, kCell };

class RecurrentNode {
public:
  RecurrentNode(Node &node, CellKind kind)
      : node(node), g(node.g), kind(kind), gates(kind == CellKind::LSTM  ? 4
                                                 : kind == CellKind::GRU ? 3
                                                                         : 1) {}
  LogicalResult emit();

private:
  /// One element, or a vector of them, of a step.
  struct Cell {
    Value sequence, column;
    int64_t lanes;
    Value isActive; ///< i1: the sequence has this step; null: it has
    Value input;    ///< row of `projected`
  };

  LogicalResult checkAttributes();
  LogicalResult checkInputs();
  void checkDims(size_t input, ArrayRef<Value> dims);
  Tensor initialState(size_t input);
  Tensor floats(size_t input) {
    return g.materialize(convertedTo(g, node.input(input), type));
  }
  LogicalResult emitDirection(int64_t direction);
  void emitStep(int64_t direction, Value step);
  Tensor transposedRecurrent(int64_t direction);
  /// states (rows of the batch) times columns of the recurrent weights.
  void multiplyState(const Tensor &states, Value rowStride, Value offset,
                     int64_t firstGate, int64_t count, const Tensor &target);

  /// Calls `body` for all cells of a step, in parallel.
  void forCells(int64_t direction, Value step,
                llvm::function_ref<void(const Cell &)> body);
  Value timeOf(int64_t direction, Value step, Value length);

  // Elements of a cell.
  Value bias(int64_t direction, int64_t row, const Cell &cell);
  Value peephole(int64_t direction, LSTMGate gate, const Cell &cell,
                 Value state, Value sum);
  /// What the input and the biases contribute to a gate.
  Value fromInput(int64_t direction, int64_t gate, const Cell &cell,
                  bool hasRecurrentBias = true);
  Value fromState(int64_t gate, const Cell &cell);
  Value stateNumber(int64_t direction, const Cell &cell);
  Value apply(int64_t direction, int64_t function, Value x);
  void storeHidden(int64_t direction, const Cell &cell, Value before,
                   Value after);

  // Cells.
  Value rnnCell(int64_t direction, const Cell &cell);
  Value lstmCell(int64_t direction, const Cell &cell);
  void resetState(int64_t direction, const Cell &cell);
  Value gruCell(int64_t direction, const Cell &cell, Value hidden);

  Node &node;
  GraphBuilder &g;
  const CellKind kind;
  const int64_t gates;
  int64_t directions = 1;
  bool isReverse = false; ///< the only direction
  bool isBatchFirst = false, resetsProduct = false, couplesForget = false;
  std::optional<double> clip;
  SmallVector<CellFunction> functions; ///< of all directions
  ElementType type;                    ///< that is computed with
  Value steps, batch, width, hidden;
  Value allHidden; ///< hidden elements of all directions

  std::optional<Tensor> biases, peepholes, lengths;
  Tensor recurrent;             ///< [hidden, gates * hidden] of a direction
  Tensor projected;             ///< input times weights, of a direction
  Tensor product, newProduct;   ///< state times recurrent weights
  Tensor resetHidden;           ///< of GRU: reset * state
  Tensor all, state, cellState; ///< Y, Y_h, Y_c
};
} // namespace

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
  Tensor input = floats(0), weights = floats(1);
  Operand a(g, input), b(g, weights);
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
// Cells
//===----------------------------------------------------------------------===//

/// The place of a step in time. A sequence that is read backwards begins with
/// its own last element.
Value RecurrentNode::timeOf(int64_t direction, Value step, Value length) {
  if (direction == 0 && !isReverse)
    return step;
  Value last = g.sub(g.sub(length, 1), step);
  return lengths ? g.select(g.less(step, length), last, step) : last;
}

void RecurrentNode::forCells(int64_t direction, Value step,
                             llvm::function_ref<void(const Cell &)> body) {
  Value work = g.mul(hidden, 20 * gates);
  g.parallelFor(batch, work, [&](Value sequence) {
    Value length = steps, isActive;
    if (lengths) {
      Value given = arith::ExtSIOp::create(g.b, g.loc, g.b.getI64Type(),
                                           g.loadElement(*lengths, sequence));
      length = g.max(g.min(given, steps), 0);
      isActive = g.less(step, length);
    }
    Value time = timeOf(direction, step, length);
    Value input = isBatchFirst ? g.add(g.mul(sequence, steps), time)
                               : g.add(g.mul(time, batch), sequence);
    g.vectorLoop(g.number(0), hidden, true, [&](Value column, int64_t lanes) {
      body({sequence, column, lanes, isActive, input});
    });
  });
}

Value RecurrentNode::stateNumber(int64_t direction, const Cell &cell) {
  Value row = isBatchFirst ? g.add(g.mul(cell.sequence, directions), direction)
                           : g.add(g.mul(batch, direction), cell.sequence);
  return g.add(g.mul(row, hidden), cell.column);
}

Value RecurrentNode::bias(int64_t direction, int64_t row, const Cell &cell) {
  Value first = g.mul(hidden, direction * 2 * gates + row);
  return g.loadElement(*biases, g.add(first, cell.column), cell.lanes);
}

Value RecurrentNode::fromInput(int64_t direction, int64_t gate,
                               const Cell &cell, bool hasRecurrentBias) {
  Value row = g.add(g.mul(cell.input, gates), gate);
  Value sum = g.loadElement(projected, g.add(g.mul(row, hidden), cell.column),
                            cell.lanes);
  if (!biases)
    return sum;
  Real x(g, sum);
  x = x + Real(g, bias(direction, gate, cell));
  if (hasRecurrentBias)
    x = x + Real(g, bias(direction, gates + gate, cell));
  return x;
}

Value RecurrentNode::fromState(int64_t gate, const Cell &cell) {
  int64_t width = kind == CellKind::GRU && !resetsProduct ? 2 : gates;
  Value row = g.add(g.mul(cell.sequence, width), gate);
  return g.loadElement(product, g.add(g.mul(row, hidden), cell.column),
                       cell.lanes);
}

/// A function of the cell, after the sum is clipped.
Value RecurrentNode::apply(int64_t direction, int64_t function, Value x) {
  if (clip) {
    Type type = x.getType();
    x = arith::MaximumFOp::create(g.b, g.loc, x, g.constant(type, -*clip));
    x = arith::MinimumFOp::create(g.b, g.loc, x, g.constant(type, *clip));
  }
  int64_t count = functions.size() / directions;
  return functions[direction * count + function](Real(g, x));
}

void RecurrentNode::storeHidden(int64_t direction, const Cell &cell,
                                Value before, Value after) {
  Value output = after;
  if (cell.isActive) {
    Value zero = g.constant(after.getType(), 0);
    output = g.select(cell.isActive, after, zero);
    after = g.select(cell.isActive, after, before);
  }
  g.storeElement(state, stateNumber(direction, cell), after);
  if (!node.needsResult(0))
    return;
  // Y is [steps, directions, batch, hidden], or [batch, steps, directions, ...]
  // with the batch first.
  Value row;
  if (isBatchFirst) {
    row = g.add(g.mul(cell.input, directions), direction);
  } else {
    Value time = g.div(cell.input, batch);
    Value block = g.add(g.mul(time, directions), direction);
    row = g.add(g.mul(block, batch), cell.sequence);
  }
  g.storeElement(all, g.add(g.mul(row, hidden), cell.column), output);
}

Value RecurrentNode::rnnCell(int64_t direction, const Cell &cell) {
  Real sum =
      Real(g, fromInput(direction, 0, cell)) + Real(g, fromState(0, cell));
  return apply(direction, 0, sum);
}

/// Adds the peephole of a gate to its sum.
Value RecurrentNode::peephole(int64_t direction, LSTMGate gate,
                              const Cell &cell, Value state, Value sum) {
  if (!peepholes)
    return sum;
  Value first = g.mul(hidden, direction * 3 + gate);
  Value weight =
      g.loadElement(*peepholes, g.add(first, cell.column), cell.lanes);
  return Real(g, sum) + Real(g, weight) * Real(g, state);
}

Value RecurrentNode::lstmCell(int64_t direction, const Cell &cell) {
  auto sum = [&](LSTMGate gate) -> Real {
    return Real(g, fromInput(direction, gate, cell)) +
           Real(g, fromState(gate, cell));
  };
  Value number = stateNumber(direction, cell);
  Value before = g.loadElement(cellState, number, cell.lanes);
  Real input(g, apply(direction, 0,
                      peephole(direction, kInput, cell, before, sum(kInput))));
  Real forget = couplesForget ? Real(g, g.constant(before.getType(), 1)) - input
                              : Real(g, apply(direction, 0,
                                              peephole(direction, kForget, cell,
                                                       before, sum(kForget))));
  Real candidate(g, apply(direction, 1, sum(kCell)));
  Value after = forget * Real(g, before) + input * candidate;
  Real output(g,
              apply(direction, 0,
                    peephole(direction, kOutput, cell, after, sum(kOutput))));
  int64_t count = functions.size() / directions;
  Real shown = functions[direction * count + 2](Real(g, after));
  g.storeElement(cellState, number,
                 cell.isActive ? g.select(cell.isActive, after, before)
                               : after);
  return output * shown;
}

/// reset * state, where the state is reset before it is multiplied.
void RecurrentNode::resetState(int64_t direction, const Cell &cell) {
  Real sum = Real(g, fromInput(direction, kReset, cell)) +
             Real(g, fromState(kReset, cell));
  Real reset(g, apply(direction, 0, sum));
  Real before(g,
              g.loadElement(state, stateNumber(direction, cell), cell.lanes));
  g.storeElement(resetHidden, g.add(g.mul(cell.sequence, hidden), cell.column),
                 reset * before);
}

Value RecurrentNode::gruCell(int64_t direction, const Cell &cell,
                             Value before) {
  auto sum = [&](GRUGate gate) -> Real {
    return Real(g, fromInput(direction, gate, cell)) +
           Real(g, fromState(gate, cell));
  };
  Real update(g, apply(direction, 0, sum(kUpdate)));
  Real input(g, fromInput(direction, kNew, cell, !resetsProduct));
  Value total;
  if (resetsProduct) {
    Real reset(g, apply(direction, 0, sum(kReset)));
    Real recurrent(g, fromState(kNew, cell));
    if (biases)
      recurrent = recurrent + Real(g, bias(direction, gates + kNew, cell));
    total = input + reset * recurrent;
  } else {
    Value number = g.add(g.mul(cell.sequence, hidden), cell.column);
    total = input + Real(g, g.loadElement(newProduct, number, cell.lanes));
  }
  Real candidate(g, apply(direction, 1, total));
  Real one(g, g.constant(before.getType(), 1));
  return (one - update) * candidate + update * Real(g, before);
}

//===----------------------------------------------------------------------===//
// The node
//===----------------------------------------------------------------------===//

LogicalResult RecurrentNode::emit() {
  if (failed(checkAttributes()) || failed(checkInputs()))
    return failure();
  allHidden = g.mul(hidden, directions);
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
