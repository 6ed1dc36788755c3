//===- GroupReader.cpp - Reading layouts with groups ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/GroupReader.h"

using namespace mlir;

namespace llmopt {

GroupReader::GroupReader(KernelBuilder &k, const PackedFormat &format, Value w,
                         Value columns)
    : k(k), format(format), geometry(format), w(w), columns(columns) {
  Value blocks = k.divideCeil(columns, format.group * geometry.blockGroups);
  Value padded = k.roundUp(columns, kMaskBlockColumns);
  bytes = k.add(k.mul(blocks, geometry.headBytes),
                k.mul(padded, geometry.columnBytes / 2));
}

Value GroupReader::panel(Value index) const {
  return k.at(k.at(w, headerBytes(format)), k.mul(index, bytes));
}

Value GroupReader::groups() const {
  return k.divideCeil(columns, format.group);
}

std::pair<Value, Value> GroupReader::blockOf(Value panel, Value group) const {
  if (geometry.blockGroups == 1)
    return {k.at(panel, k.mul(group, geometry.blockBytes)), k.size(0)};
  Value block = k.div(group, geometry.blockGroups);
  return {k.at(panel, k.mul(block, geometry.blockBytes)),
          k.rem(group, geometry.blockGroups)};
}

Value GroupReader::scalesAddress(Value panel, Value group) const {
  auto [block, place] = blockOf(panel, group);
  return k.at(block, k.mul(place, geometry.scaleBytes));
}

Value GroupReader::scales(Value panel, Value group) const {
  Value address = scalesAddress(panel, group);
  if (format.scales == ScaleType::F32)
    return k.load(k.floats(), address);
  return k.widenHalves(k.load(k.halves(), address));
}

Value GroupReader::zeroPointsAddress(Value panel, Value group) const {
  auto [block, place] = blockOf(panel, group);
  return k.at(k.at(block, geometry.blockGroups * geometry.scaleBytes),
              k.mul(place, geometry.pointBytes));
}

Value GroupReader::zeroPoints(Value panel, Value group) const {
  if (!format.zeroPoints)
    return {};
  Value address = zeroPointsAddress(panel, group);
  auto narrow = VectorType::get(kLanes, k.i8Type());
  return k.zeroExtend(k.load(narrow, address), k.ints());
}

Value GroupReader::codes(Value panel, Value group) const {
  auto [block, place] = blockOf(panel, group);
  return k.at(k.at(block, geometry.headBytes),
              k.mul(place, geometry.groupBytes));
}

Value GroupReader::tableValue(Value code) const {
  Value index = k.zeroExtend(code, k.i64Type());
  return k.load(k.f32Type(), k.at(w, k.mul(index, 4)));
}

Value GroupReader::tableUnit() const {
  return k.load(k.floats(), w, kTableUnitOffset);
}

Values GroupReader::storedCodes(Value address, int64_t offset) const {
  Value word = k.load(k.bytes(), address, offset);
  if (!hasNibbles())
    return {word};
  Value shifted =
      k.shiftRight(k.bitcast(word, k.ints()), k.constant(k.ints(), 4));
  return {k.bitAnd(word, 15), k.bitAnd(k.bitcast(shifted, k.bytes()), 15)};
}

Values GroupReader::signedCodes(Value address, int64_t offset,
                                Value zeroPoints) const {
  if (!hasNibbles())
    return storedCodes(address, offset);
  if (format.table) {
    Value table = k.load(k.bytes(), w, kTableCodesOffset);
    Value word = k.load(k.bytes(), address, offset);
    Value shifted =
        k.shiftRight(k.bitcast(word, k.ints()), k.constant(k.ints(), 4));
    return {k.lookUpBytes(table, word),
            k.lookUpBytes(table, k.bitcast(shifted, k.bytes()))};
  }
  Value excess = k.constant(k.bytes(), 128 - 8);
  if (zeroPoints) {
    // 128 - zero point, in all four bytes of a lane.
    Value lanes = k.sub(k.constant(k.ints(), 128), zeroPoints);
    excess = k.bitcast(k.mul(lanes, 0x01010101), k.bytes());
  }
  Values codes = storedCodes(address, offset);
  for (Value &code : codes)
    code = k.add(code, excess);
  return codes;
}

Values GroupReader::values(Value address, int64_t offset,
                           Value zeroPoints) const {
  Value word = k.load(k.ints(), address, offset);
  Value excess =
      zeroPoints ? zeroPoints : k.constant(k.ints(), hasNibbles() ? 8 : 128);
  Value table = format.table ? k.load(k.floats(), w) : Value();
  Values values;
  int64_t bits = hasNibbles() ? 4 : 8;
  for (int64_t half = 0; half < 8 / bits; ++half)
    for (int64_t j = 0; j < 4; ++j) {
      Value shifted =
          k.shiftRight(word, k.constant(k.ints(), 8 * j + 4 * half));
      Value code = k.bitAnd(shifted, (1 << bits) - 1);
      values.push_back(table ? k.lookUpFloats(table, code)
                             : k.toFloat(k.sub(code, excess)));
    }
  return values;
}

} // namespace llmopt
