//===- Recurrent.h - Code of RNN, GRU and LSTM ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_RECURRENT_H
#define LLMOPT_PASSES_LOWERING_GRAPH_RECURRENT_H

#include "passes/Lowering/Graph/CellFunction.h"
#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// Which operator.
enum class CellKind { RNN, GRU, LSTM };

/// Numbers of the gates, as blocks of rows of the weights.
enum GRUGate { kUpdate, kReset, kNew };
enum LSTMGate { kInput, kOutput, kForget, kCell };

/// Emits one node.
class RecurrentNode {
public:
  RecurrentNode(Node &node, CellKind kind)
      : node(node), g(node.g), kind(kind), gates(kind == CellKind::LSTM  ? 4
                                                 : kind == CellKind::GRU ? 3
                                                                         : 1) {}
  mlir::LogicalResult emit();

private:
  /// One element, or a vector of them, of a step.
  struct Cell {
    mlir::Value sequence, column;
    int64_t lanes;
    mlir::Value isActive; ///< i1: the sequence has this step; null: it has
    mlir::Value time;     ///< number of the element of the input sequence
    mlir::Value input;    ///< row of `projected`
  };

  mlir::LogicalResult checkAttributes();
  mlir::LogicalResult checkInputs();
  void checkDims(size_t input, llvm::ArrayRef<mlir::Value> dims);
  Tensor initialState(size_t input);
  Tensor floats(size_t input); ///< in memory
  mlir::LogicalResult emitDirection(int64_t direction);
  void emitStep(int64_t direction, mlir::Value step);
  Tensor transposedRecurrent(int64_t direction);
  /// states (rows of the batch) times columns of the recurrent weights.
  void multiplyState(const Tensor &states, mlir::Value rowStride,
                     mlir::Value offset, int64_t firstGate, int64_t count,
                     const Tensor &target);

  /// Calls `body` for all cells of a step, in parallel.
  void forCells(int64_t direction, mlir::Value step,
                llvm::function_ref<void(const Cell &)> body);
  mlir::Value timeOf(int64_t direction, mlir::Value step, mlir::Value length);

  // Elements of a cell.
  mlir::Value bias(int64_t direction, int64_t row, const Cell &cell);
  mlir::Value peephole(int64_t direction, LSTMGate gate, const Cell &cell,
                       mlir::Value state, mlir::Value sum);
  /// What the input and the biases contribute to a gate.
  mlir::Value fromInput(int64_t direction, int64_t gate, const Cell &cell,
                        bool hasRecurrentBias = true);
  mlir::Value fromState(int64_t gate, const Cell &cell);
  mlir::Value stateNumber(int64_t direction, const Cell &cell);
  mlir::Value apply(int64_t direction, int64_t function, mlir::Value x);
  void storeHidden(int64_t direction, const Cell &cell, mlir::Value before,
                   mlir::Value after);

  // Cells.
  mlir::Value rnnCell(int64_t direction, const Cell &cell);
  mlir::Value lstmCell(int64_t direction, const Cell &cell);
  void resetState(int64_t direction, const Cell &cell);
  mlir::Value gruCell(int64_t direction, const Cell &cell, mlir::Value hidden);

  Node &node;
  GraphBuilder &g;
  const CellKind kind;
  const int64_t gates;
  int64_t directions = 1;
  bool isReverse = false; ///< the only direction
  bool isBatchFirst = false, resetsProduct = false, couplesForget = false;
  std::optional<double> clip;
  llvm::SmallVector<CellFunction> functions; ///< of all directions
  ElementType type;                          ///< that is computed with
  mlir::Value steps, batch, width, hidden;
  mlir::Value allHidden; ///< hidden elements of all directions

  Tensor inputs, weights; ///< X and W, in memory
  std::optional<Tensor> biases, peepholes, lengths;
  Tensor recurrent;             ///< [hidden, gates * hidden] of a direction
  Tensor projected;             ///< input times weights, of a direction
  Tensor product, newProduct;   ///< state times recurrent weights
  Tensor resetHidden;           ///< of GRU: reset * state
  Tensor all, state, cellState; ///< Y, Y_h, Y_c
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_RECURRENT_H
