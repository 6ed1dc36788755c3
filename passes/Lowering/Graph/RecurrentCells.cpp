//===- RecurrentCells.cpp - Steps of RNN, GRU and LSTM ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Recurrent.h"

using namespace mlir;

namespace llmopt::graph {

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
      body({sequence, column, lanes, isActive, time, input});
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
    Value block = g.add(g.mul(cell.time, directions), direction);
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

} // namespace llmopt::graph
