//===- LinearGated.cpp - Gated products as records --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread computes the columns of one group of all rows, quantizes them while
// they are in its cache, and goes on to its next group. Scales and biases wait
// until the end: a record's lie side by side, and two threads that write to one
// line in turn are slow.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/RowEmitters.h"

using namespace mlir;

namespace llmopt {

namespace {

/// What a thread makes its part of the records with.
class GatedGroups {
public:
  GatedGroups(KernelBuilder &k, int64_t group, const LinearArgs &args);

  void emit(GatedRange emitRange);

private:
  void quantize(Value index);
  void storeScales();
  /// Where the scale of a row of group `index` waits; its bias follows.
  Value scaleOf(Value row, Value index) {
    Value place = k.add(k.mul(row, count), k.sub(index, first));
    return k.at(scales, k.mul(place, 8));
  }

  KernelBuilder &k;
  int64_t group;
  const LinearArgs &args;
  Value columns; ///< of a record
  Value first, last, count;
  Value floats; ///< [rows][group]
  Value scales;
};

} // namespace

GatedGroups::GatedGroups(KernelBuilder &k, int64_t group,
                         const LinearArgs &args)
    : k(k), group(group), args(args),
      columns(k.mul(args.panels, kPanelRows / 2)) {
  std::tie(first, last) =
      k.partition(k.divideCeil(columns, group), args.thread, args.threads);
  count = k.sub(last, first);
  floats = k.at(args.floats, k.mul(k.mul(first, args.rows), (group + 2) * 4));
  scales = k.at(floats, k.mul(args.rows, group * 4));
}

/// Quantizes the columns of group `index` of all rows.
void GatedGroups::quantize(Value index) {
  Value start = k.mul(index, group);
  Value end = k.min(k.add(start, group), paddedColumns(k, columns));
  k.loop(args.rows, 1, [&](Value row) {
    Value from = k.at(floats, k.mul(row, group * 4));
    Value record = k.at(args.y, k.mul(row, args.yStride));
    Value scale = scaleOf(row, index);
    quantizeGroup(k, start, end, record, scale, k.at(scale, 4),
                  [&](Value column) {
                    Value rest = k.sub(columns, k.min(column, columns));
                    Value offset = k.mul(k.sub(column, start), 4);
                    return k.loadFloats(k.at(from, offset), rest);
                  });
  });
}

void GatedGroups::storeScales() {
  Value padded = paddedColumns(k, columns);
  Value biases = k.mul(k.divideCeil(columns, group), 4);
  k.loop(args.rows, 1, [&](Value row) {
    Value to = k.at(k.at(args.y, k.mul(row, args.yStride)), padded);
    k.loop(first, last, k.size(1), [&](Value index) {
      Value from = scaleOf(row, index), place = k.at(to, k.mul(index, 4));
      k.store(k.load(k.i32Type(), from), place);
      k.store(k.load(k.i32Type(), from, 4), k.at(place, biases));
    });
  });
}

void GatedGroups::emit(GatedRange emitRange) {
  int64_t groupPanels = group * 2 / kPanelRows;
  LinearArgs part = args;
  part.yStride = k.size(group);
  k.loop(first, last, k.size(1), [&](Value index) {
    Value panel = k.mul(index, groupPanels);
    // The range writes to where its columns are in a whole row.
    part.y = k.at(floats, k.mul(index, -group * 4));
    emitRange(part, panel, k.min(k.add(panel, groupPanels), args.panels));
    quantize(index);
  });
  storeScales();
}

void emitGatedGroups(KernelBuilder &k, int64_t group, const LinearArgs &args,
                     GatedRange emitRange) {
  GatedGroups(k, group, args).emit(emitRange);
}

} // namespace llmopt
