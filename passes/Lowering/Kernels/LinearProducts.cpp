//===- LinearProducts.cpp - Products of rows with panels --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/LinearEmitters.h"

using namespace mlir;

namespace llmopt {

namespace {

/// Four activations of a row, in every lane.
Value broadcastStep(KernelBuilder &k, Value row, Value column, int64_t step) {
  return k.loadBroadcast(k.i32Type(), k.at(k.at(row, column), 4 * step));
}

/// Adds the chains of each accumulator up.
Values sumChains(KernelBuilder &k, ArrayRef<Value> accumulators,
                 int64_t chains) {
  Values sums;
  for (size_t first = 0; first < accumulators.size(); first += chains) {
    Value sum = accumulators[first];
    for (int64_t chain = 1; chain < chains; ++chain)
      sum = k.add(sum, accumulators[first + chain]);
    sums.push_back(sum);
  }
  return sums;
}

/// Integer products of the rows with one group of columns.
Values groupProduct(KernelBuilder &k, const QuantizedRows &x, Value group,
                    int64_t panels, int64_t chains, Value &stream,
                    BlockBody block, bool biased) {
  Value padded = paddedColumns(k, x.columns);
  Value biases = k.add(padded, k.mul(k.divideCeil(x.columns, x.group), 4));
  Values carried;
  for (Value row : x.rows) {
    Value bias = biased ? k.loadBias(k.at(k.at(row, biases), k.mul(group, 4)))
                        : k.constant(k.ints(), 0);
    for (int64_t i = 0; i < panels * chains; ++i)
      carried.push_back(i % chains == 0 ? bias : k.constant(k.ints(), 0));
  }
  carried.push_back(stream);

  Value first = k.mul(group, x.group);
  Value last = k.min(k.add(first, x.group), padded);
  carried = k.loop(first, last, k.size(kMaskBlockColumns), carried,
                   [&](Value column, ValueRange in) {
                     Values next(in);
                     Value position = next.pop_back_val();
                     block(column, next, position);
                     next.push_back(position);
                     return next;
                   });
  stream = carried.pop_back_val();
  return sumChains(k, carried, chains);
}

} // namespace

Value paddedColumns(KernelBuilder &k, Value columns) {
  return k.roundUp(columns, kMaskBlockColumns);
}

int64_t chainsFor(int64_t rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }

Values quantizedProduct(KernelBuilder &k, const QuantizedRows &x,
                        int64_t panels, int64_t chains, Value stream,
                        BlockBody block, bool gathered) {
  int64_t rows = x.rows.size();
  Value scales = paddedColumns(k, x.columns);
  Value groups = k.divideCeil(x.columns, x.group);
  Values carried(rows * panels, k.splat(0.0f));
  carried.push_back(stream);
  Values results = k.loop(groups, 1, carried, [&](Value group, ValueRange in) {
    Value position = in.back();
    Values sums;
    if (gathered) {
      // Twice as many panels: the products, then what they have in excess.
      Values both = groupProduct(k, x, group, 2 * panels, chains, position,
                                 block, /*biased=*/false);
      for (size_t i = 0; i < both.size(); i += 2)
        sums.push_back(k.sub(both[i], both[i + 1]));
    } else {
      sums = groupProduct(k, x, group, panels, chains, position, block,
                          /*biased=*/true);
    }
    for (int64_t row = 0; row < rows; ++row) {
      Value scale = k.loadBroadcast(
          k.f32Type(), k.at(k.at(x.rows[row], scales), k.mul(group, 4)));
      for (int64_t i = row * panels; i < (row + 1) * panels; ++i)
        sums[i] = k.fma(k.toFloat(sums[i]), scale, in[i]);
    }
    sums.push_back(position);
    return sums;
  });
  results.pop_back();
  return results;
}

void Prefetches::emitBlock(KernelBuilder &k, Value column) const {
  Value offset = k.mul(column, kPrefetchBytes);
  for (int64_t at = 0; at < kPrefetchBytes * kMaskBlockColumns;
       at += kVectorBytes) {
    if (weights)
      k.prefetch(k.at(k.at(weights, offset), at), /*level=*/2);
    if (rows)
      k.prefetch(k.at(k.at(rows, offset), at), /*level=*/1);
  }
}

Values denseInt8Product(KernelBuilder &k, const QuantizedRows &x,
                        ArrayRef<Value> panels, int64_t chains,
                        const Prefetches &prefetches) {
  int64_t rows = x.rows.size(), panelCount = panels.size();
  auto block = [&](Value column, MutableArrayRef<Value> acc, Value &) {
    Value position = k.mul(column, kPanelRows);
    prefetches.emitBlock(k, column);
    for (int64_t step = 0; step < kMaskBlockSteps; ++step) {
      Values weights;
      for (Value panel : panels)
        weights.push_back(k.load(k.bytes(), k.at(panel, position),
                                 kScaleBytes + step * kVectorBytes));
      for (int64_t row = 0; row < rows; ++row) {
        Value xs = broadcastStep(k, x.rows[row], column, step);
        for (int64_t p = 0; p < panelCount; ++p) {
          Value &sum = acc[(row * panelCount + p) * chains + step % chains];
          sum = k.dot(sum, weights[p], xs);
        }
      }
    }
  };
  Values results = quantizedProduct(k, x, panelCount, chains, panels[0], block);
  for (int64_t p = 0; p < panelCount; ++p) {
    Value scales = k.load(k.floats(), panels[p]);
    for (int64_t row = 0; row < rows; ++row) {
      Value &result = results[row * panelCount + p];
      result = k.mul(result, scales);
    }
  }
  return results;
}

Values bitmaskProduct(KernelBuilder &k, const QuantizedRows &x, Value panel) {
  int64_t rows = x.rows.size(), chains = chainsFor(rows);
  auto block = [&](Value column, MutableArrayRef<Value> acc, Value &stream) {
    Value masks = stream;
    Value values = k.at(stream, kMaskBlockBytes);
    for (int64_t step = 0; step < kMaskBlockSteps; ++step) {
      Value mask = k.load(k.i64Type(), masks, 8 * step);
      Value codes = k.expandCodes(k.load(k.bytes(), values), mask);
      values = k.at(values, k.popcount(mask));
      for (int64_t row = 0; row < rows; ++row) {
        Value &sum = acc[row * chains + step % chains];
        sum = k.dot(sum, codes, broadcastStep(k, x.rows[row], column, step));
      }
    }
    stream = values;
  };
  Values results = quantizedProduct(k, x, /*panels=*/1, chains,
                                    k.at(panel, kScaleBytes), block);
  Value scales = k.load(k.floats(), panel);
  for (Value &result : results)
    result = k.mul(result, scales);
  return results;
}

Values f32Product(KernelBuilder &k, ArrayRef<Value> rows,
                  ArrayRef<Value> panels, Value columns) {
  Values zeros(rows.size() * panels.size(), k.splat(0.0f));
  return k.loop(columns, 1, zeros, [&](Value column, ValueRange in) {
    Values sums(in), weights;
    Value position = k.mul(column, kVectorBytes);
    for (Value panel : panels)
      weights.push_back(k.load(k.floats(), k.at(panel, position)));
    Value offset = k.mul(column, 4);
    size_t i = 0;
    for (Value row : rows) {
      Value x = k.loadBroadcast(k.f32Type(), k.at(row, offset));
      for (Value w : weights) {
        sums[i] = k.fma(w, x, sums[i]);
        ++i;
      }
    }
    return sums;
  });
}

Value f32DecodeProduct(KernelBuilder &k, Value row, Value panel,
                       Value columns) {
  constexpr int64_t chains = 4;
  auto step = [&](Value column, int64_t offset, Value sum) {
    Value w = k.load(k.floats(), k.at(panel, k.mul(column, kVectorBytes)),
                     offset * kVectorBytes);
    Value x = k.loadBroadcast(k.f32Type(),
                              k.at(k.at(row, k.mul(column, 4)), 4 * offset));
    return k.fma(w, x, sum);
  };
  Value whole = k.mul(k.div(columns, chains), chains);
  Values sums = k.loop(whole, chains, Values(chains, k.splat(0.0f)),
                       [&](Value column, ValueRange in) {
                         Values next(in);
                         for (int64_t i = 0; i < chains; ++i)
                           next[i] = step(column, i, next[i]);
                         return next;
                       });
  Values tail = k.loop(whole, columns, k.size(1), sums[0],
                       [&](Value column, ValueRange in) {
                         return Values{step(column, 0, in[0])};
                       });
  return k.add(k.add(tail[0], sums[1]), k.add(sums[2], sums[3]));
}

} // namespace llmopt
