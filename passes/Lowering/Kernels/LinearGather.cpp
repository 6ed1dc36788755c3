//===- LinearGather.cpp - Products that gather activations ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layouts whose codes stand with their places: values stay as they are, and
// every lane takes the activations that belong to its own. The excess of 128 of
// the codes is then 128 times the sum of what a lane has taken, which a second
// product adds up.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/LinearEmitters.h"

using namespace mlir;

namespace llmopt {

namespace {

/// Columns of a step of int8-2of4, and its steps in a block.
constexpr int64_t kStepColumns = 8;
constexpr int64_t kBlockSteps = kMaskBlockColumns / kStepColumns;

/// Four bytes in every lane, the lowest first.
Value lanesOf(KernelBuilder &k, uint32_t bytes) {
  return k.bitcast(k.constant(k.ints(), static_cast<int32_t>(bytes)),
                   k.bytes());
}

/// 64 times 128, the codes of zeros.
Value zeroCodes(KernelBuilder &k) { return k.constant(k.bytes(), 128); }

/// The places of a step within its four columns.
Value placesOfStep(KernelBuilder &k, Value places, int64_t step) {
  if (step != 0)
    places = k.bitcast(k.shiftRight(k.bitcast(places, k.ints()),
                                    k.constant(k.ints(), 2 * step)),
                       k.bytes());
  return k.bitAnd(places, 3);
}

} // namespace

Values twoOfFourProduct(KernelBuilder &k, const QuantizedRows &x, Value panel) {
  int64_t rows = x.rows.size(), chains = rows == 1 ? 2 : 1;
  auto block = [&](Value column, MutableArrayRef<Value> acc, Value &) {
    Value start = k.at(k.at(panel, kScaleBytes),
                       k.mul(column, kTwoOfFourBlockBytes / kMaskBlockColumns));
    Value places = k.load(k.bytes(), start);
    for (int64_t step = 0; step < kBlockSteps; ++step) {
      // Two steps share the 16 activations of a table.
      Value fours = lanesOf(k, step % 2 == 0 ? 0x04040000 : 0x0c0c0808);
      Value from = k.bitXor(placesOfStep(k, places, step), fours);
      Value values =
          k.load(k.bytes(), start, kTwoOfFourPlaceBytes + step * kVectorBytes);
      for (int64_t row = 0; row < rows; ++row) {
        Value table =
            k.loadFourTimes(k.at(k.at(x.rows[row], column), 16 * (step / 2)));
        Value xs = k.shuffleBytes(table, from);
        Value &sum = acc[2 * row * chains + step % chains];
        Value &excess = acc[(2 * row + 1) * chains + step % chains];
        sum = k.dot(sum, values, xs);
        excess = k.dot(excess, zeroCodes(k), xs);
      }
    }
  };
  Values results = quantizedProduct(k, x, /*panels=*/1, chains, panel, block,
                                    /*gathered=*/true);
  Value scales = k.load(k.floats(), panel);
  for (Value &result : results)
    result = k.mul(result, scales);
  return results;
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

namespace {

/// What stands in front of the steps of an int8-gather panel.
struct GatherHead {
  GatherHead(KernelBuilder &k, Value panel)
      : windows(k.at(panel, kScaleBytes + 4)),
        steps(
            k.zeroExtend(k.load(k.i32Type(), panel, kScaleBytes), k.i64Type())),
        first(k.at(panel, k.roundUp(k.add(k.mul(steps, 2), kScaleBytes + 4),
                                    kVectorBytes))) {}

  Value window(KernelBuilder &k, Value step) const {
    Value narrow = k.load(k.i16Type(), k.at(windows, k.mul(step, 2)));
    return k.zeroExtend(narrow, k.i64Type());
  }
  Value address(KernelBuilder &k, Value step) const {
    return k.at(first, k.mul(step, kGatherStepBytes));
  }

  Value windows, steps, first;
};

} // namespace

/// One step: the integer products of each row, exact without the excess.
static Values gatherStep(KernelBuilder &k, const QuantizedRows &x,
                         Value address, Value window) {
  Value places = k.load(k.bytes(), address);
  Value values = k.load(k.bytes(), address, kVectorBytes);
  Value zero = k.constant(k.ints(), 0);
  auto tableOf = [&](Value row) {
    return k.load(k.bytes(), k.at(row, k.mul(window, kWindowColumns)));
  };
  if (x.rows.size() == 1) {
    Value xs = k.gatherBytes(tableOf(x.rows[0]), places);
    return {k.sub(k.dot(zero, values, xs), k.dot(zero, zeroCodes(k), xs))};
  }
  // The excess of unsigned activations instead, which all rows share.
  Value codes = k.bitXor(values, 128);
  Value excess = k.sub(zero, k.dot(zero, zeroCodes(k), codes));
  Values products;
  for (Value row : x.rows) {
    Value table = k.bitXor(tableOf(row), 128);
    products.push_back(k.dot(excess, k.gatherBytes(table, places), codes));
  }
  return products;
}

Values gatherProduct(KernelBuilder &k, const QuantizedRows &x, Value panel) {
  // Every step is scaled for itself: trip counts of a loop over those of a
  // window could not be predicted. Two steps in turn cover the latency.
  int64_t rows = x.rows.size(), unroll = rows == 1 ? 2 : 1;
  GatherHead head(k, panel);
  Value scales = paddedColumns(k, x.columns);
  Values sums = k.loop(
      head.steps, unroll, Values(rows * unroll, k.splat(0.0f)),
      [&](Value first, ValueRange in) {
        Values next(in);
        for (int64_t u = 0; u < unroll; ++u) {
          Value step = k.add(first, u);
          Value window = head.window(k, step);
          Values products = gatherStep(k, x, head.address(k, step), window);
          Value group = k.div(window, x.group / kWindowColumns);
          for (int64_t row = 0; row < rows; ++row) {
            Value scale = k.loadBroadcast(
                k.f32Type(), k.at(k.at(x.rows[row], scales), k.mul(group, 4)));
            Value &sum = next[row * unroll + u];
            sum = k.fma(k.toFloat(products[row]), scale, sum);
          }
        }
        return next;
      });
  Value rowScales = k.load(k.floats(), panel);
  for (int64_t row = 0; row < rows; ++row) {
    if (unroll == 2)
      sums[row] = k.add(sums[2 * row], sums[2 * row + 1]);
    sums[row] = k.mul(sums[row], rowScales);
  }
  sums.resize(rows);
  return sums;
}

//===----------------------------------------------------------------------===//
// Expansion
//===----------------------------------------------------------------------===//

/// Dense codes of four columns from a step's vector; `half` of its eight.
static Value twoOfFourCodes(KernelBuilder &k, Value places, Value values,
                            int64_t half) {
  Value columns = lanesOf(k, 0x03020100);
  Value codes = zeroCodes(k);
  for (int64_t i = 0; i < 2; ++i) {
    // Byte 2 half + i of every lane, four times over.
    SmallVector<int64_t> from;
    for (int64_t byte = 0; byte < kVectorBytes; ++byte)
      from.push_back(byte / 4 * 4 + 2 * half + i);
    Value isHere = k.equal(k.shuffle(places, from), columns);
    codes = k.select(isHere, k.shuffle(values, from), codes);
  }
  return codes;
}

void expandTwoOfFour(KernelBuilder &k, Value panel, Value columns, Value out) {
  k.loop(paddedColumns(k, columns), kMaskBlockColumns, [&](Value column) {
    Value start = k.at(k.at(panel, kScaleBytes),
                       k.mul(column, kTwoOfFourBlockBytes / kMaskBlockColumns));
    Value to = k.at(k.at(out, kScaleBytes), k.mul(column, kPanelRows));
    Value places = k.load(k.bytes(), start);
    for (int64_t step = 0; step < kBlockSteps; ++step) {
      Value values =
          k.load(k.bytes(), start, kTwoOfFourPlaceBytes + step * kVectorBytes);
      Value from = placesOfStep(k, places, step);
      for (int64_t half = 0; half < 2; ++half)
        k.store(twoOfFourCodes(k, from, values, half), to,
                (2 * step + half) * kVectorBytes);
    }
  });
}

void expandGathered(KernelBuilder &k, Value panel, Value columns, Value out) {
  Value codes = k.at(out, kScaleBytes);
  k.loop(paddedColumns(k, columns), 4, [&](Value column) {
    k.store(zeroCodes(k), k.at(codes, k.mul(column, kPanelRows)));
  });
  GatherHead head(k, panel);
  // The last step first: it may hold a zero for the place of a code that
  // stands before it.
  k.loop(head.steps, 1, [&](Value index) {
    Value step = k.sub(k.sub(head.steps, index), 1);
    Value to =
        k.at(codes, k.mul(head.window(k, step), kWindowColumns * kPanelRows));
    Value address = head.address(k, step);
    k.loop(k.size(kPanelRows * 4), 4, [&](Value rowBytes) {
      Value places = k.at(address, rowBytes);
      for (int64_t i = 0; i < 4; ++i) {
        Value place = k.zeroExtend(k.load(k.i8Type(), places, i), k.i64Type());
        Value at = k.add(k.mul(k.div(place, 4), kVectorBytes), k.rem(place, 4));
        k.store(k.load(k.i8Type(), places, kVectorBytes + i),
                k.at(k.at(to, rowBytes), at));
      }
    });
  });
}

} // namespace llmopt
