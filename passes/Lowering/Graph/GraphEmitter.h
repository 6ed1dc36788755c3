//===- GraphEmitter.h - Code of a graph and its subgraphs -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_GRAPHEMITTER_H
#define LLMOPT_PASSES_LOWERING_GRAPH_GRAPHEMITTER_H

#include "passes/Lowering/Graph/GraphBuilder.h"
#include "passes/Lowering/Graph/GraphWeights.h"

namespace llmopt::graph {

class GraphEmitter {
public:
  GraphEmitter(GraphBuilder &g, GraphWeights &weights)
      : g(g), weights(weights) {}

  /// Emits the code of all operations of a block but the terminator, and gives
  /// back buffers after their last reader.
  mlir::LogicalResult emitBlock(mlir::Block &block);
  /// Makes buffers of the expressions that operations inside the regions of
  /// `op` read from outside of it: what is made inside is not valid outside.
  void materializeCaptured(mlir::Operation *op);

  /// What is known of a value; null if the emission of it failed or has not
  /// been reached.
  Tensor *find(mlir::Value value);
  void set(mlir::Value value, const Tensor &tensor) { tensors[value] = tensor; }
  void forget(mlir::Value value) {
    tensors.erase(value);
    records.erase(value);
  }
  /// Says that an earlier node has computed the result of `op`: it is what the
  /// first input holds.
  void absorb(mlir::Operation *op) { absorbed.insert(op); }
  bool isAbsorbed(mlir::Operation *op) const { return absorbed.contains(op); }
  /// Gives back the buffers that nothing refers to any more.
  void releaseDead();

  /// The value in a buffer, which is remembered for later readers; null if the
  /// emission of it failed.
  Tensor *findBuffer(mlir::Value value);
  /// Makes a buffer of what is known with channels last only, for readers that
  /// know no such tensors.
  void requireKnownLayout(mlir::Value value);
  /// Zeros around the image that `value` stands for, [before..., after...], for
  /// the convolution that reads it: an absorbed Pad.
  llvm::DenseMap<mlir::Value, llvm::SmallVector<int64_t>> margins;
  /// The rows of a value as int8 records of groups of so many columns, for the
  /// next product of the block that reads it.
  struct Records {
    int64_t group;
    Tensor rows;
  };
  llvm::DenseMap<mlir::Value, Records> records;
  /// Pointer to the packed bytes of a weight.
  mlir::Value weightData(mlir::Operation *weight) {
    return weights.data(weight);
  }

  GraphBuilder &g;

private:
  mlir::LogicalResult emit(mlir::Operation &op);
  void keepResult(mlir::Value value, const Tensor &tensor);

  GraphWeights &weights;
  llvm::DenseSet<mlir::Operation *> absorbed;
  llvm::DenseMap<mlir::Value, Tensor> tensors;
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_GRAPHEMITTER_H
