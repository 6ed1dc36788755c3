//===- NodeEmitter.h - Code of one operator ---------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An emitter makes the results of one ONNX node out of its inputs. Emitters are
// registered by domain, operator and range of versions, in tables that are
// grouped by meaning (see Operators.h). An emitter checks what ONNX demands of
// the node and refuses what it cannot do; it never guesses.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_NODEEMITTER_H
#define LLMOPT_PASSES_LOWERING_GRAPH_NODEEMITTER_H

#include "dialects/ONNX/ONNXOps.h"
#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

class GraphEmitter;

/// A node, its inputs as tensors, its attributes, and where results go.
class Node {
public:
  Node(GraphEmitter &emitter, GraphBuilder &g, onnx::NodeOp op);

  GraphEmitter &emitter; ///< of the graph, for nodes with subgraphs
  GraphBuilder &g;
  onnx::NodeOp op;

  llvm::StringRef name() const;   ///< as the file calls it
  llvm::StringRef opType() const; ///< such as "MatMul"
  /// Version of the operator set.
  int64_t version() const;

  size_t inputCount() const { return inputs.size(); }
  size_t resultCount() const { return results.size(); }
  /// True if the input is there: neither left out nor beyond the last one.
  bool hasInput(size_t index) const {
    return index < inputs.size() && inputs[index];
  }
  /// An input that is there.
  const Tensor &input(size_t index) const { return *inputs[index]; }
  /// An input in a buffer. The buffer is remembered: later readers of the value
  /// do not make another one.
  const Tensor &buffer(size_t index);
  /// Elements of a small input (see GraphBuilder::elementsOf), remembered, too.
  std::optional<Values> elements(size_t index);
  /// True if the result is used or an output.
  bool needsResult(size_t index) const;
  void setResult(size_t index, const Tensor &tensor) {
    results[index] = tensor;
  }
  const std::optional<Tensor> &result(size_t index) const {
    return results[index];
  }

  // Attributes, with ONNX's default where they are absent.
  int64_t attribute(llvm::StringRef name, int64_t byDefault) const;
  double attribute(llvm::StringRef name, double byDefault) const;
  std::string attribute(llvm::StringRef name, llvm::StringRef byDefault) const;
  bool hasAttribute(llvm::StringRef name) const;
  std::optional<llvm::SmallVector<int64_t>>
  integers(llvm::StringRef name) const;
  std::optional<llvm::SmallVector<double>> floats(llvm::StringRef name) const;

  /// An axis in [-rank, rank) as [0, rank); emits an error otherwise.
  mlir::FailureOr<int64_t> axis(int64_t axis, int64_t rank);

  /// Refuses the node unless elements of the input are floats or, second, have
  /// that type.
  mlir::LogicalResult requireFloat(size_t index);
  mlir::LogicalResult requireType(size_t index, ElementType type);

  /// Emits "node 'name': operator T (domain, version): what" and fails.
  mlir::LogicalResult refuse(const llvm::Twine &what);
  /// For messages at run time: "T 'name'".
  std::string describe() const;

private:
  llvm::SmallVector<Tensor *> inputs; ///< null: left out
  llvm::SmallVector<std::unique_ptr<Tensor>> captured;
  llvm::SmallVector<std::optional<Tensor>> results;
};

using Emitter = mlir::LogicalResult (*)(Node &node);

/// One row of a table of operators.
struct OperatorRow {
  llvm::StringLiteral name;
  Emitter emit;
  /// Inputs and outputs that a node may have.
  unsigned minInputs = 0, maxInputs = ~0u, minOutputs = 1, maxOutputs = 1;
  int64_t firstVersion = 1, lastVersion = INT64_MAX;
  llvm::StringLiteral domain = "";
};

/// The row for a node; null if there is none.
const OperatorRow *findOperator(onnx::NodeOp node);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_NODEEMITTER_H
