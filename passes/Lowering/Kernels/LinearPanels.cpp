//===- LinearPanels.cpp - Decoding of panels --------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/LinearEmitters.h"

using namespace mlir;

namespace llmopt {

Value panelAddress(KernelBuilder &k, PackedLayout layout, Value w, Value index,
                   Value columns) {
  if (hasPanelTable(layout))
    return k.at(w, k.load(k.i64Type(), k.at(w, k.mul(index, 8))));
  if (layout == PackedLayout::BF16)
    return k.at(w, k.mul(index, bf16PanelBytes(k, columns)));
  Value bytes = k.mul(columns, kVectorBytes);
  if (layout != PackedLayout::F32) {
    int64_t columnBytes = layout == PackedLayout::Int8TwoOfFour
                              ? kTwoOfFourBlockBytes / kMaskBlockColumns
                              : kPanelRows;
    bytes = k.add(k.mul(paddedColumns(k, columns), columnBytes), kScaleBytes);
  }
  return k.at(w, k.mul(index, bytes));
}

/// Writes the 64 codes of a mask without AVX-512, returns the rest of the
/// values.
static Value expandBitByBit(KernelBuilder &k, Value values, Value mask,
                            Value out) {
  Values rest = k.loop(k.size(64), 1, values, [&](Value bit, ValueRange in) {
    Value set = k.bitAnd(k.shiftRight(mask, bit), 1);
    // The value is read even when the bit is clear: streams end with padding.
    Value code = k.select(k.equal(set, 1), k.load(k.i8Type(), in[0]),
                          k.constant(k.i8Type(), 128));
    k.store(code, k.at(out, bit));
    return Values{k.at(in[0], set)};
  });
  return rest[0];
}

void expandPanel(KernelBuilder &k, PackedLayout layout, Value panel,
                 Value columns, Value out) {
  k.store(k.load(k.floats(), panel), out);
  if (layout == PackedLayout::Int8TwoOfFour)
    return expandTwoOfFour(k, panel, columns, out);
  if (layout == PackedLayout::Int8Gather)
    return expandGathered(k, panel, columns, out);
  Value padded = paddedColumns(k, columns);
  k.loop(padded, kMaskBlockColumns, k.at(panel, kScaleBytes),
         [&](Value column, ValueRange in) {
           Value masks = in[0], values = k.at(in[0], kMaskBlockBytes);
           Value block =
               k.at(k.at(out, kScaleBytes), k.mul(column, kPanelRows));
           for (int64_t step = 0; step < kMaskBlockSteps; ++step) {
             Value mask = k.load(k.i64Type(), masks, 8 * step);
             Value to = k.at(block, step * kVectorBytes);
             if (!k.hasAvx512()) {
               values = expandBitByBit(k, values, mask, to);
               continue;
             }
             k.store(k.expandCodes(k.load(k.bytes(), values), mask), to);
             values = k.at(values, k.popcount(mask));
           }
           return Values{values};
         });
}

/// Codes of column `j` of a vector of four columns, as floats.
static Value codesOfColumn(KernelBuilder &k, Value step, int64_t j) {
  Value shifted = k.shiftRight(step, k.constant(k.ints(), 8 * j));
  return k.toFloat(k.sub(k.bitAnd(shifted, 255), 128));
}

void decodePanel(KernelBuilder &k, Value panel, Value columns, Value out) {
  Value scales = k.load(k.floats(), panel);
  Value codes = k.at(panel, kScaleBytes);
  k.loop(paddedColumns(k, columns), 4, [&](Value column) {
    Value step = k.load(k.ints(), k.at(codes, k.mul(column, kPanelRows)));
    Value to = k.at(out, k.mul(column, kVectorBytes));
    for (int64_t j = 0; j < 4; ++j)
      k.store(k.mul(codesOfColumn(k, step, j), scales), to, j * kVectorBytes);
  });
}

Value copyTail(KernelBuilder &k, Value row, Value columns, Value scratch) {
  Value whole = k.mul(k.div(columns, kMaskBlockColumns), kMaskBlockColumns);
  for (int64_t lane = 0; lane < kMaskBlockColumns; lane += kLanes) {
    Value first = k.add(whole, lane);
    Value count = k.sub(columns, k.min(first, columns));
    k.store(k.loadFloats(k.at(row, k.mul(first, 4)), count), scratch, lane * 4);
  }
  return whole;
}

Value decodedProduct(KernelBuilder &k, PackedLayout layout, Value row,
                     Value panel, Value columns, Value scratch) {
  constexpr int64_t chains = 4;
  bool bitmask = layout == PackedLayout::Int8Bitmask;
  // The last block may reach past the end of the row: it reads a padded copy.
  Value whole = copyTail(k, row, columns, scratch);
  Values carried(chains, k.splat(0.0f));
  carried.push_back(k.at(panel, kScaleBytes));
  Values results =
      k.loop(paddedColumns(k, columns), kMaskBlockColumns, carried,
             [&](Value column, ValueRange in) {
               Values next(in);
               Value stream = next.pop_back_val();
               Value values = bitmask ? k.at(stream, kMaskBlockBytes) : stream;
               Value x = k.select(k.less(column, whole),
                                  k.at(row, k.mul(column, 4)), scratch);
               for (int64_t step = 0; step < kMaskBlockSteps; ++step) {
                 Value codes = k.load(k.bytes(), values);
                 Value advance = k.size(kVectorBytes);
                 if (bitmask) {
                   Value mask = k.load(k.i64Type(), stream, 8 * step);
                   codes = k.expandCodes(codes, mask);
                   advance = k.popcount(mask);
                 }
                 values = k.at(values, advance);
                 codes = k.bitcast(codes, k.ints());
                 for (int64_t j = 0; j < 4; ++j)
                   next[j] = k.fma(
                       codesOfColumn(k, codes, j),
                       k.loadBroadcast(k.f32Type(), k.at(x, 16 * step + 4 * j)),
                       next[j]);
               }
               next.push_back(values);
               return next;
             });
  Value sum =
      k.add(k.add(results[0], results[1]), k.add(results[2], results[3]));
  return k.mul(sum, k.load(k.floats(), panel));
}

} // namespace llmopt
