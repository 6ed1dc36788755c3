//===- GemmLines.cpp - Functions for few rows or transposed B ---*- C++ -*-===//
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

/// Floats of a row of a panel.
static constexpr int64_t kRowBytes = 64 * 4;

//===----------------------------------------------------------------------===//
// Transposition
//===----------------------------------------------------------------------===//

/// Lanes of two vectors in turn: their first or last halves.
static void interleave(KernelBuilder &k, Values &rows) {
  Values next(rows.size());
  size_t half = rows.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    next[2 * i] = k.interleave(rows[i], rows[i + half], 0);
    next[2 * i + 1] = k.interleave(rows[i], rows[i + half], 1);
  }
  rows = next;
}

/// Transposes 16 x 16 floats: each round of interleaving moves one bit of the
/// row number to the column number.
static void transposeBlock(KernelBuilder &k, Values &rows) {
  for (int64_t round = 0; round < 4; ++round)
    interleave(k, rows);
}

func::FuncOp transposePanel(ModuleOp module, Isa isa) {
  return getOrCreateFunction(
      module, "transpose_panel_f32", "pipii", isa,
      [](KernelBuilder &k, ValueRange in) {
        Value source = in[0], lineBytes = in[1], target = in[2];
        Value rows = in[3], columns = in[4];
        Value last = k.sub(columns, 1);
        k.loop(columns, kLanes, [&](Value column) {
          Values lines;
          for (int64_t i = 0; i < kLanes; ++i) {
            // What follows the last column is a copy of it.
            Value line = k.min(k.add(column, i), last);
            lines.push_back(k.at(source, k.mul(line, lineBytes)));
          }
          k.loop(rows, kLanes, [&](Value row) {
            Value count = k.sub(rows, row);
            Values block;
            for (Value line : lines)
              block.push_back(k.loadFloats(k.at(line, k.mul(row, 4)), count));
            transposeBlock(k, block);
            Value to =
                k.at(k.at(target, k.mul(row, kRowBytes)), k.mul(column, 4));
            for (int64_t i = 0; i < kLanes; ++i)
              k.store(block[i], to, i * kRowBytes);
          });
        });
      });
}

//===----------------------------------------------------------------------===//
// Few rows by transposed B
//===----------------------------------------------------------------------===//

namespace {
struct DotCall {
  Value a, b, bColumn, c, columns, depth;
};
} // namespace

/// The products of a row of A and `width` columns of B from `column` on.
static void emitDots(KernelBuilder &k, const DotCall &p, Value column,
                     int64_t width) {
  Values lines, sums;
  for (int64_t i = 0; i < width; ++i) {
    lines.push_back(k.at(p.b, k.mul(k.add(column, i), p.bColumn)));
    sums.push_back(k.splat(0.0f));
  }
  Value whole = k.mul(k.div(p.depth, kLanes), kLanes);
  auto step = [&](Value at, ValueRange in,
                  llvm::function_ref<Value(Value)> load) {
    Value bytes = k.mul(at, 4);
    Value x = load(k.at(p.a, bytes));
    Values next;
    for (int64_t i = 0; i < width; ++i)
      next.push_back(k.fma(x, load(k.at(lines[i], bytes)), in[i]));
    return next;
  };
  sums = k.loop(whole, kLanes, sums, [&](Value at, ValueRange in) {
    return step(at, in, [&](Value from) { return k.load(k.floats(), from); });
  });
  Value left = k.sub(p.depth, whole);
  sums =
      step(whole, sums, [&](Value from) { return k.loadFloats(from, left); });
  for (int64_t i = 0; i < width; ++i)
    k.store(k.reduceAdd(sums[i]), k.at(p.c, k.mul(k.add(column, i), 4)));
}

func::FuncOp dotColumns(ModuleOp module, Isa isa) {
  return getOrCreateFunction(
      module, "dot_columns_f32", "ppipii", isa,
      [](KernelBuilder &k, ValueRange in) {
        DotCall call{in[0], in[1], in[2], in[3], in[4], in[5]};
        Value whole = k.mul(k.div(call.columns, 4), 4);
        k.loop(k.size(0), whole, k.size(4),
               [&](Value column) { emitDots(k, call, column, 4); });
        k.loop(whole, call.columns, k.size(1),
               [&](Value column) { emitDots(k, call, column, 1); });
      });
}

} // namespace llmopt::graph
