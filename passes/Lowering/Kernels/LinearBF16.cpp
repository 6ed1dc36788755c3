//===- LinearBF16.cpp - Products with bf16 panels ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A vector of a panel has two columns of 16 rows. Its halves are the upper bits
// of floats: one shift and one mask make two vectors of floats, so that the
// activations stay floats on every instruction set.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/LinearEmitters.h"

using namespace mlir;

namespace llmopt {

namespace {

/// The floats of the even (0) or the odd (1) column of a vector of a panel.
Value columnOf(KernelBuilder &k, Value pair, int64_t which) {
  Value bits = which == 0 ? k.shiftLeft(pair, k.constant(k.ints(), 16))
                          : k.bitAnd(pair, 0xffff0000);
  return k.bitcast(bits, k.floats());
}

Value loadPair(KernelBuilder &k, Value panel, Value pair) {
  return k.load(k.ints(), k.at(panel, k.mul(pair, kVectorBytes)));
}

/// Adds one column of a pair of the panels to the sums [row * panels + panel].
void addColumn(KernelBuilder &k, ArrayRef<Value> rows, ArrayRef<Value> pairs,
               Value pair, int64_t which, MutableArrayRef<Value> sums) {
  Values weights;
  for (Value bits : pairs)
    weights.push_back(columnOf(k, bits, which));
  size_t i = 0;
  for (Value row : rows) {
    Value x = k.loadBroadcast(k.f32Type(),
                              k.at(k.at(row, k.mul(pair, 8)), 4 * which));
    for (Value w : weights) {
      sums[i] = k.fma(w, x, sums[i]);
      ++i;
    }
  }
}

} // namespace

Value bf16PanelBytes(KernelBuilder &k, Value columns) {
  return k.mul(k.roundUp(columns, 2), kVectorBytes / 2);
}

Values bf16Product(KernelBuilder &k, ArrayRef<Value> rows,
                   ArrayRef<Value> panels, Value columns) {
  auto addPair = [&](Value pair, ValueRange in, int64_t count) {
    Values sums(in), pairs;
    for (Value panel : panels)
      pairs.push_back(loadPair(k, panel, pair));
    for (int64_t which = 0; which < count; ++which)
      addColumn(k, rows, pairs, pair, which, sums);
    return sums;
  };
  Values zeros(rows.size() * panels.size(), k.splat(0.0f));
  Value whole = k.div(columns, 2);
  Values sums = k.loop(whole, 1, zeros, [&](Value pair, ValueRange in) {
    return addPair(pair, in, 2);
  });
  // An odd number of columns ends with half a pair.
  return k.loop(
      whole, k.divideCeil(columns, 2), k.size(1), sums,
      [&](Value pair, ValueRange in) { return addPair(pair, in, 1); });
}

Value bf16DecodeProduct(KernelBuilder &k, Value row, Value panel,
                        Value columns) {
  constexpr int64_t chains = 4;
  auto addPair = [&](Value pair, MutableArrayRef<Value> sums) {
    Value bits = loadPair(k, panel, pair);
    for (auto [which, sum] : llvm::enumerate(sums))
      addColumn(k, row, bits, pair, which, sum);
  };
  Value pairs = k.div(columns, 2);
  Value whole = k.mul(k.div(pairs, chains / 2), chains / 2);
  Values sums = k.loop(whole, chains / 2, Values(chains, k.splat(0.0f)),
                       [&](Value pair, ValueRange in) {
                         Values next(in);
                         MutableArrayRef<Value> sums(next);
                         addPair(pair, sums.take_front(2));
                         addPair(k.add(pair, 1), sums.drop_front(2));
                         return next;
                       });
  auto addRest = [&](Value first, Value last, size_t columnsOfPair) {
    Values in(sums.begin(), sums.begin() + columnsOfPair);
    Values rest =
        k.loop(first, last, k.size(1), in, [&](Value pair, ValueRange carried) {
          Values next(carried);
          addPair(pair, next);
          return next;
        });
    llvm::copy(rest, sums.begin());
  };
  addRest(whole, pairs, 2);
  addRest(pairs, k.divideCeil(columns, 2), 1);
  return k.add(k.add(sums[0], sums[1]), k.add(sums[2], sums[3]));
}

} // namespace llmopt
