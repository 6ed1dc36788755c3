//===- AttentionPanels.cpp - Attention of many rows -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rows of an iteration are multiplied by panels of 64 keys, which are
// transposed once for all of them, and their probabilities by the values in
// place. The scores stay in the second cache.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Lowering/Graph/AttentionEmitter.h"
#include "passes/Lowering/Graph/GemmKernel.h"
#include "passes/Lowering/Graph/GemmTile.h"

using namespace mlir;

namespace llmopt::graph {

/// Columns of a key, of which a panel lies on the stack.
static constexpr int64_t kMostColumns = 128;

/// The address of an element of a view in f32.
static Value address(GraphBuilder &g, const Tensor &tensor, Value number) {
  return g.at(tensor.buffer->data, g.mul(number, 4));
}

bool AttentionEmitter::canUsePanels() {
  for (const Heads *heads : {&a.query, &a.key, &a.value, &a.output})
    if (!heads->tensor.type.get().isF32())
      return false;
  std::optional<int64_t> columns = g.known(a.columns),
                         valueColumns = g.known(a.valueColumns);
  if (!a.type.isF32() || a.visible || a.kept != KeptScores::None || !columns ||
      *columns > kMostColumns || !valueColumns)
    return false;
  // Tiles read whole vectors of the values in place: one, two or four.
  return *valueColumns == kVectorLanes || *valueColumns == 2 * kVectorLanes ||
         *valueColumns % kPanelColumns == 0;
}

/// Parts of the iterations with scores of their own.
Value AttentionEmitter::slotsOfPanels() {
  constexpr int64_t kSlotsOfThread = 4;
  return g.min(g.product(iterations()), g.mul(g.threads(), kSlotsOfThread));
}

/// scores = query * key^T
void AttentionEmitter::multiplyKeys(const RowBlock &rows, Value count) {
  Value panel = g.scratch(llvm::alignTo(*g.known(a.columns), kVectorLanes) *
                          kPanelColumns * 4);
  func::FuncOp transpose = transposePanel(moduleOf(g), g.targetIsa);
  func::FuncOp kernel = gemmPanel(moduleOf(g), g.targetIsa, PanelKind::F32);
  Value query = address(g, a.query.tensor,
                        a.query.first(g, rows.batch, rows.head, rows.row));
  g.loop(g.number(0), a.keys, g.number(kPanelColumns), [&](Value first) {
    Value columns = g.min(g.sub(a.keys, first), kPanelColumns);
    Value key = address(g, a.key.tensor,
                        a.key.first(g, rows.batch, rows.keyHead, first));
    func::CallOp::create(
        g.b, g.loc, transpose,
        ValueRange{key, g.mul(a.key.rowStride, 4), panel, a.columns, columns});
    func::CallOp::create(
        g.b, g.loc, kernel,
        ValueRange{query, g.mul(a.query.rowStride, 4), g.number(4), panel,
                   g.number(kPanelColumns * 4),
                   address(g, scores, g.add(rows.scratch, first)),
                   g.mul(scoreStride, 4), count, columns, a.columns,
                   g.number(0)});
  });
}

/// output = exponentials * value
void AttentionEmitter::multiplyValues(const RowBlock &rows, Value count) {
  func::FuncOp kernel = gemmPanel(moduleOf(g), g.targetIsa, PanelKind::F32);
  int64_t width = std::min(*g.known(a.valueColumns), kPanelColumns);
  Value value = a.value.first(g, rows.batch, rows.keyHead, g.number(0));
  Value output = a.output.first(g, rows.batch, rows.head, rows.row);
  g.loop(g.number(0), a.valueColumns, g.number(width), [&](Value column) {
    func::CallOp::create(
        g.b, g.loc, kernel,
        ValueRange{address(g, scores, rows.scratch), g.mul(scoreStride, 4),
                   g.number(4),
                   address(g, a.value.tensor, g.add(value, column)),
                   g.mul(a.value.rowStride, 4),
                   address(g, a.output.tensor, g.add(output, column)),
                   g.mul(a.output.rowStride, 4), count, g.number(width), a.keys,
                   g.number(0)});
  });
}

/// Multiplies every row of the output by its factor.
void AttentionEmitter::scaleResults(const RowBlock &rows, Value count,
                                    Value factors) {
  Value output = a.output.first(g, rows.batch, rows.head, rows.row);
  g.loop(count, [&](Value row) {
    Value factor =
        g.splat(g.load(a.type, g.at(factors, g.mul(row, 4))), kVectorLanes);
    Value first = g.add(output, g.mul(row, a.output.rowStride));
    g.loop(g.number(0), a.valueColumns, g.number(kVectorLanes), [&](Value i) {
      Value number = g.add(first, i);
      Value sum = load(a.output.tensor, number, kVectorLanes);
      store(a.output.tensor, number,
            arith::MulFOp::create(g.b, g.loc, sum, factor));
    });
  });
}

void AttentionEmitter::emitPanelRows(const RowBlock &rows, Value count) {
  Value factors = g.scratch(kRowsOfIteration * 4);
  multiplyKeys(rows, count);
  g.loop(count, [&](Value number) {
    RowBlock row = rows;
    row.row = g.add(rows.row, number);
    row.scratch = g.add(rows.scratch, g.mul(number, scoreStride));
    findVisible(row);
    adjustScores(row, 0);
    softmax(row, 0);
    g.store(row.inverse[0], g.at(factors, g.mul(number, 4)));
  });
  multiplyValues(rows, count);
  scaleResults(rows, count, factors);
}

void AttentionEmitter::emitPanels() {
  // Scores of more keys than this leave the cache if they are of all rows.
  constexpr int64_t kManyKeys = 1024, kRowsOfMany = 24;
  Value step = g.select(g.less(g.number(kManyKeys), a.keys),
                        g.number(kRowsOfMany), g.number(kRowsOfIteration));
  Values dims = iterations();
  Value count = g.product(dims), slots = slotsOfPanels();
  Value work = g.product({g.divideCeil(count, g.max(slots, 1)),
                          g.min(a.rows, kRowsOfIteration), a.keys,
                          g.div(g.add(a.columns, a.valueColumns), 16)});
  g.parallelFor(slots, work, [&](Value slot) {
    Value begin = g.div(g.mul(slot, count), slots);
    Value end = g.div(g.mul(g.add(slot, 1), count), slots);
    g.loop(begin, end, g.number(1), [&](Value index) {
      Values at = g.delinearize(index, dims);
      Value first = g.mul(at[2], kRowsOfIteration);
      Value last = g.min(g.add(first, kRowsOfIteration), a.rows);
      g.loop(first, last, step, [&](Value row) {
        RowBlock rows;
        rows.batch = at[0];
        rows.head = at[1];
        rows.keyHead = keyHeadOf(at[1]);
        rows.row = row;
        rows.count = 1;
        rows.scratch = g.mul(g.mul(slot, kRowsOfIteration), scoreStride);
        rows.isScaled = false;
        emitPanelRows(rows, g.min(g.sub(last, row), step));
      });
    });
  });
}

} // namespace llmopt::graph
