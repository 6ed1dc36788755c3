//===- AttentionEmitter.h - Code of attention -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shared by AttentionCore.cpp, where a few rows are computed at a time, and
// AttentionPanels.cpp, where many rows are multiplied by panels.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_ATTENTIONEMITTER_H
#define LLMOPT_PASSES_LOWERING_GRAPH_ATTENTIONEMITTER_H

#include "passes/Lowering/Graph/AttentionCore.h"
#include "passes/Lowering/Graph/RowProducts.h"

namespace llmopt::graph {

/// A block of rows of one head: values of the generated code.
struct RowBlock {
  mlir::Value batch, head, keyHead, row;
  int64_t count;            ///< of rows
  mlir::Value scratch;      ///< number of the first score in memory
  Values first, end;        ///< keys that a row sees
  mlir::Value begin, limit; ///< keys that any row sees
  Values inverse;           ///< 1 / sum of exponentials
  bool isScaled = true;     ///< scores are multiplied by the scale already
};

/// Rows that one iteration of the parallel loop covers.
inline constexpr int64_t kRowsOfIteration = 64;

class AttentionEmitter {
public:
  AttentionEmitter(GraphBuilder &g, const Attention &attention)
      : g(g), a(attention), lanesType(g.withLanes(a.type, kVectorLanes)) {}

  void emit();

private:
  void emitBlocks();
  void emitRows(mlir::Value batch, mlir::Value head, mlir::Value row,
                int64_t count, mlir::Value scratch);
  void findVisible(RowBlock &block);
  void computeScores(const RowBlock &block);
  Values products(const RowBlock &block, mlir::Value key);
  void adjustScores(const RowBlock &block, int64_t row);
  mlir::Value adjusted(const RowBlock &block, int64_t row, mlir::Value key,
                       mlir::Value score);
  mlir::Value biased(const RowBlock &block, int64_t row, mlir::Value key,
                     mlir::Value score);
  mlir::Value ifVisible(const RowBlock &block, int64_t row, mlir::Value key,
                        mlir::Value score);
  void softmax(RowBlock &block, int64_t row);
  void sumValues(const RowBlock &block);
  void sumColumns(const RowBlock &block, mlir::Value column, int64_t lanes,
                  int64_t vectors);

  // Many rows at a time
  bool canUsePanels();
  mlir::Value slotsOfPanels();
  void emitPanels();
  void emitPanelRows(const RowBlock &rows, mlir::Value count);
  void multiplyKeys(const RowBlock &rows, mlir::Value count);
  void multiplyValues(const RowBlock &rows, mlir::Value count);
  void scaleResults(const RowBlock &rows, mlir::Value count,
                    mlir::Value factors);

  mlir::Value keyHeadOf(mlir::Value head);
  Values iterations();
  void keep(KeptScores kept, const RowBlock &block, int64_t row,
            mlir::Value key, mlir::Value score);

  mlir::Value load(const Tensor &tensor, mlir::Value number, int64_t lanes) {
    return loadAs(g, a.type, tensor, number, lanes);
  }
  void store(const Tensor &tensor, mlir::Value number, mlir::Value value);
  mlir::Value scoreNumber(const RowBlock &block, int64_t row, mlir::Value key) {
    return g.add(g.add(block.scratch, g.mul(scoreStride, row)), key);
  }
  /// End of the last whole vector from block.begin on.
  mlir::Value paddedEnd(const RowBlock &block) {
    mlir::Value count = g.sub(block.limit, block.begin);
    return g.add(block.begin, g.mul(g.divideCeil(count, g.number(kVectorLanes)),
                                    kVectorLanes));
  }
  mlir::Value constant(double value, int64_t lanes) {
    return g.constant(g.withLanes(a.type, lanes), value);
  }
  static int64_t lanesOf(mlir::Value value) {
    auto type = mlir::dyn_cast<mlir::VectorType>(value.getType());
    return type ? type.getNumElements() : 1;
  }

  GraphBuilder &g;
  const Attention &a;
  mlir::Type lanesType;
  Tensor scores; ///< of blocks of rows
  mlir::Value scoreStride;
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_ATTENTIONEMITTER_H
