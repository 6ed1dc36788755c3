//===- GemmTile.cpp - Functions that multiply tiles -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/GemmTile.h"
#include "passes/Lowering/Kernels/KernelFunction.h"

using namespace mlir;

namespace llmopt::graph {

namespace {

/// Arguments of the function.
struct PanelCall {
  PanelKind kind;
  Value a, aRow, aStep, panel, panelStep, c, cRow, rows, columns, steps, add;
};

/// Rows of the largest tile; its accumulators with 64 columns of AVX-512 or 16
/// of AVX2 leave registers for a row of the panel.
constexpr int64_t kTileRows = 6;

Type laneType(KernelBuilder &k, PanelKind kind) {
  return kind == PanelKind::F32 ? k.f32Type() : k.i32Type();
}

/// sum + x * b
Value multiply(KernelBuilder &k, PanelKind kind, Value sum, Value x, Value b) {
  switch (kind) {
  case PanelKind::F32:
    return k.fma(x, b, sum);
  case PanelKind::Bytes:
    return k.dot(sum, k.bitcast(b, k.bytes()), x);
  case PanelKind::Shorts:
    return k.dotPairs(sum, x, b);
  }
  llvm_unreachable("all kinds are handled");
}

/// A tile of `rows` x 16 `vectors` at row `first` and column `column`.
void emitTile(KernelBuilder &k, const PanelCall &p, Value first, Value column,
              int64_t rows, int64_t vectors) {
  Value bytes = k.mul(column, 4);
  Value a = k.at(p.a, k.mul(first, p.aRow));
  Value c = k.at(k.at(p.c, k.mul(first, p.cRow)), bytes);
  Value panel = k.at(p.panel, bytes);
  Value left = k.sub(p.columns, column);
  Type lane = laneType(k, p.kind), lanes = VectorType::get(kLanes, lane);
  Values aRows, cRows, counts, sums;
  for (int64_t row = 0; row < rows; ++row) {
    aRows.push_back(a);
    cRows.push_back(c);
    if (row + 1 < rows) {
      a = k.at(a, p.aRow);
      c = k.at(c, p.cRow);
    }
  }
  // Not below zero: counts are unsigned.
  for (int64_t v = 0; v < vectors; ++v)
    counts.push_back(k.sub(left, k.min(left, 16 * v)));
  for (Value row : cRows)
    for (int64_t v = 0; v < vectors; ++v)
      sums.push_back(k.bitcast(
          k.loadFloats(k.at(row, v * kVectorBytes), k.mul(p.add, counts[v])),
          lanes));
  sums.push_back(k.size(0));
  sums.push_back(panel);
  sums = k.loop(p.steps, 1, sums, [&](Value, ValueRange in) {
    Values next(in);
    Value position = next.pop_back_val();
    Value offset = next.pop_back_val();
    Values b;
    for (int64_t v = 0; v < vectors; ++v)
      b.push_back(k.load(lanes, position, v * kVectorBytes));
    for (int64_t row = 0; row < rows; ++row) {
      Value x = k.loadBroadcast(lane, k.at(aRows[row], offset));
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = next[row * vectors + v];
        sum = multiply(k, p.kind, sum, x, b[v]);
      }
    }
    next.push_back(k.add(offset, p.aStep));
    next.push_back(k.at(position, p.panelStep));
    return next;
  });
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t v = 0; v < vectors; ++v)
      k.storeFloats(k.bitcast(sums[row * vectors + v], k.floats()),
                    k.at(cRows[row], v * kVectorBytes), counts[v]);
}

/// All rows of 16 `vectors` columns at `column`.
void emitRows(KernelBuilder &k, const PanelCall &p, Value column,
              int64_t vectors) {
  Value whole = k.mul(k.div(p.rows, kTileRows), kTileRows);
  k.loop(k.size(0), whole, k.size(kTileRows),
         [&](Value row) { emitTile(k, p, row, column, kTileRows, vectors); });
  // The rest in tiles of 4, 2 and 1 rows.
  Value first = whole, left = k.sub(p.rows, whole);
  for (int64_t rows : {4, 2, 1}) {
    Value bit = k.bitAnd(left, rows);
    k.ifThen(k.equal(bit, rows),
             [&] { emitTile(k, p, first, column, rows, vectors); });
    first = k.add(first, bit);
  }
}

void emitPanel(KernelBuilder &k, const PanelCall &p) {
  if (!k.hasAvx512()) {
    k.loop(p.columns, kLanes, [&](Value column) { emitRows(k, p, column, 1); });
    return;
  }
  Value zero = k.size(0);
  Value isNarrow = k.less(p.columns, 17);
  Value isWide = k.less(k.size(32), p.columns);
  k.ifThen(isWide, [&] { emitRows(k, p, zero, 4); });
  k.ifThen(isNarrow, [&] { emitRows(k, p, zero, 1); });
  Value isMiddle =
      k.bitAnd(k.less(k.size(16), p.columns), k.less(p.columns, 33));
  k.ifThen(isMiddle, [&] { emitRows(k, p, zero, 2); });
}

} // namespace

PanelKind integerPanel(Isa isa) {
  return isa == Isa::Avx512Vnni ? PanelKind::Bytes : PanelKind::Shorts;
}

int64_t rowsPerStep(PanelKind kind) {
  return kind == PanelKind::F32 ? 1 : kind == PanelKind::Bytes ? 4 : 2;
}

static StringRef functionName(PanelKind kind) {
  return kind == PanelKind::F32     ? "gemm_panel_f32"
         : kind == PanelKind::Bytes ? "gemm_panel_u8s8"
                                    : "gemm_panel_s16";
}

func::FuncOp gemmPanel(ModuleOp module, Isa isa, PanelKind kind) {
  return getOrCreateFunction(module, functionName(kind), "piipipiiiii", isa,
                             [=](KernelBuilder &k, ValueRange in) {
                               emitPanel(k, {kind, in[0], in[1], in[2], in[3],
                                             in[4], in[5], in[6], in[7], in[8],
                                             in[9], in[10]});
                             });
}

} // namespace llmopt::graph
