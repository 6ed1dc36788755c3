//===- EmbedGroups.cpp - Rows of tables with groups -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/RowEmitters.h"

using namespace mlir;

namespace llmopt {

/// The scale of one row of a group.
static Value scaleOf(KernelBuilder &k, const GroupReader &table, Value panel,
                     Value group, Value lane) {
  Value scales = table.scalesAddress(panel, group);
  if (table.getFormat().scales == ScaleType::F32)
    return k.load(k.f32Type(), k.at(scales, k.mul(lane, 4)));
  return k.widenHalves(k.load(k.f16Type(), k.at(scales, k.mul(lane, 2))));
}

/// What is subtracted from the codes of one row of a group.
static Value excessOf(KernelBuilder &k, const GroupReader &table, Value panel,
                      Value group, Value lane) {
  if (!table.getFormat().zeroPoints)
    return k.constant(k.i32Type(), table.hasNibbles() ? 8 : 128);
  Value points = table.zeroPointsAddress(panel, group);
  return k.zeroExtend(k.load(k.i8Type(), k.at(points, lane)), k.i32Type());
}

void embedGroups(KernelBuilder &k, const GroupReader &table, Value panel,
                 Value lane, Value columns, Value y) {
  int64_t width = table.getFormat().group;
  int64_t step = kVectorBytes * 2 / table.getGeometry().columnBytes;
  k.loop(table.groups(), 1, [&](Value group) {
    Value scale = scaleOf(k, table, panel, group, lane);
    Value excess = excessOf(k, table, panel, group, lane);
    Value codes = k.at(table.codes(panel, group), k.mul(lane, 4));
    Value first = k.mul(group, width);
    Value count = k.min(k.sub(columns, first), width);
    k.loop(count, step, [&](Value offset) {
      Value word =
          k.at(codes, k.mul(offset, table.getGeometry().columnBytes / 2));
      for (int64_t j = 0; j < step; ++j)
        k.ifThen(k.less(k.add(offset, j), count), [&] {
          Value code =
              k.zeroExtend(k.load(k.i8Type(), word, j % 4), k.i32Type());
          if (table.hasNibbles())
            code = k.bitAnd(
                k.shiftRight(code, k.constant(k.i32Type(), j / 4 * 4)), 15);
          Value value = table.getFormat().table
                            ? table.tableValue(code)
                            : k.toFloat(k.sub(code, excess));
          k.store(k.mul(value, scale), k.at(y, k.mul(k.add(first, offset), 4)),
                  4 * j);
        });
    });
  });
}

} // namespace llmopt
