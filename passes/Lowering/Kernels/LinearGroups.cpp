//===- LinearGroups.cpp - Products with scales per group --------*- C++ -*-===//
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

/// The integer product of some rows with some panels over one group of the
/// activations.
class GroupProduct {
public:
  GroupProduct(KernelBuilder &k, const QuantizedRows &x,
               const GroupReader &weight, ArrayRef<Value> panels,
               const Prefetches &prefetches)
      : k(k), x(x), weight(weight), panels(panels), prefetches(prefetches),
        // AVX-512 multiplies high nibbles where they are and shifts the sum.
        splits(k.hasAvx512() && weight.hasNibbles() &&
               !weight.getFormat().table),
        chains(splits || x.rows.size() * panels.size() <= 2 ? 2 : 1) {}

  /// Adds the product over group `index` to `sums` [row * panels + panel].
  void add(Value index, Values &sums);

private:
  Values initialAccumulators(Value index, Value weightGroup);
  void addBlock(Value column, ArrayRef<Value> codes,
                MutableArrayRef<Value> accumulators);
  Values codesAt(Value address, int64_t offset);
  Value dot(Value accumulator, Value codes, Value activations);
  Value combine(ArrayRef<Value> chains);

  KernelBuilder &k;
  const QuantizedRows &x;
  const GroupReader &weight;
  ArrayRef<Value> panels;
  const Prefetches &prefetches;
  bool splits;
  int64_t chains;
};

} // namespace

/// Whether codes are multiplied as they are stored, from 0 to 15.
static bool multipliesNibbles(const GroupReader &weight) {
  return weight.hasNibbles() && !weight.getFormat().table;
}

Values GroupProduct::initialAccumulators(Value index, Value weightGroup) {
  Value padded = paddedColumns(k, x.columns);
  Value offset = k.add(padded, k.mul(k.divideCeil(x.columns, x.group), 4));
  offset = k.add(offset, k.mul(index, 4));
  Value zero = k.constant(k.ints(), 0);
  SmallVector<Value> zeroPoints;
  for (Value panel : panels)
    zeroPoints.push_back(weight.zeroPoints(panel, weightGroup));
  Values accumulators;
  for (Value row : x.rows) {
    // What the excess of the stored codes adds to the product: the record has
    // -128 times the sum of the activations.
    Value bias = k.loadBias(k.at(row, offset));
    if (multipliesNibbles(weight)) {
      Value scalar = k.load(k.i32Type(), k.at(row, offset));
      bias = k.broadcast(
          k.shiftRightSigned(scalar, weight.getFormat().zeroPoints ? 7 : 4));
    }
    for (Value points : zeroPoints) {
      accumulators.push_back(points ? k.mul(points, bias) : bias);
      accumulators.append(chains - 1, zero);
    }
  }
  return accumulators;
}

Values GroupProduct::codesAt(Value address, int64_t offset) {
  if (!multipliesNibbles(weight))
    return weight.signedCodes(address, offset, /*zeroPoints=*/{});
  if (!splits)
    return weight.storedCodes(address, offset);
  Value word = k.load(k.bytes(), address, offset);
  return {k.bitAnd(word, 0x0f), k.bitAnd(word, 0xf0)};
}

Value GroupProduct::dot(Value accumulator, Value codes, Value activations) {
  if (multipliesNibbles(weight))
    return k.dotUnsigned(accumulator, codes, activations);
  return k.dot(accumulator, codes, activations);
}

/// Adds 32 columns; `codes` are the addresses of the panels' codes.
void GroupProduct::addBlock(Value column, ArrayRef<Value> codes,
                            MutableArrayRef<Value> accumulators) {
  int64_t vectors =
      weight.getGeometry().codeBytes(kMaskBlockColumns) / kVectorBytes;
  int64_t parts = kMaskBlockSteps / vectors;
  prefetches.emitBlock(k, column);
  for (int64_t v = 0; v < vectors; ++v) {
    SmallVector<Values> weights;
    for (Value address : codes)
      weights.push_back(codesAt(address, v * kVectorBytes));
    for (int64_t part = 0; part < parts; ++part) {
      int64_t step = v * parts + part;
      for (size_t row = 0; row < x.rows.size(); ++row) {
        Value activations = k.loadBroadcast(
            k.i32Type(), k.at(k.at(x.rows[row], column), 4 * step));
        for (size_t p = 0; p < panels.size(); ++p) {
          Value &sum =
              accumulators[(row * panels.size() + p) * chains + step % chains];
          sum = dot(sum, weights[p][part], activations);
        }
      }
    }
  }
}

Value GroupProduct::combine(ArrayRef<Value> sums) {
  if (splits)
    return k.add(sums[0], k.shiftRightSigned(sums[1], 4));
  return sums.size() == 1 ? sums[0] : k.add(sums[0], sums[1]);
}

void GroupProduct::add(Value index, Values &sums) {
  int64_t ratio = weight.getFormat().group / x.group;
  Value weightGroup = index;
  SmallVector<Value> codes, scales;
  if (ratio > 1)
    weightGroup = k.div(index, ratio);
  for (Value panel : panels) {
    Value address = weight.codes(panel, weightGroup);
    if (ratio > 1)
      address = k.at(address, k.mul(k.rem(index, ratio),
                                    weight.getGeometry().codeBytes(x.group)));
    codes.push_back(address);
    scales.push_back(weight.scales(panel, weightGroup));
  }
  Values accumulators = initialAccumulators(index, weightGroup);
  Value first = k.mul(index, x.group);
  if (x.group == kMaskBlockColumns) {
    addBlock(first, codes, accumulators);
  } else {
    Value last = k.min(k.add(first, x.group), paddedColumns(k, x.columns));
    accumulators = k.loop(first, last, k.size(kMaskBlockColumns), accumulators,
                          [&](Value column, ValueRange in) {
                            Values next(in);
                            SmallVector<Value> addresses;
                            Value offset =
                                k.mul(k.sub(column, first),
                                      weight.getGeometry().columnBytes / 2);
                            for (Value address : codes)
                              addresses.push_back(k.at(address, offset));
                            addBlock(column, addresses, next);
                            return next;
                          });
  }
  Value scalesOffset = paddedColumns(k, x.columns);
  for (size_t row = 0; row < x.rows.size(); ++row) {
    Value scale = k.loadBroadcast(
        k.f32Type(), k.at(k.at(x.rows[row], scalesOffset), k.mul(index, 4)));
    for (size_t p = 0; p < panels.size(); ++p) {
      size_t i = row * panels.size() + p;
      Value sum = combine(ArrayRef(accumulators).slice(i * chains, chains));
      sums[i] = k.fma(k.toFloat(sum), k.mul(scales[p], scale), sums[i]);
    }
  }
}

Values groupedProduct(KernelBuilder &k, const QuantizedRows &x,
                      const GroupReader &weight, ArrayRef<Value> panels,
                      const Prefetches &prefetches) {
  GroupProduct product(k, x, weight, panels, prefetches);
  Values zeros(x.rows.size() * panels.size(), k.splat(0.0f));
  Values results = k.loop(k.divideCeil(x.columns, x.group), 1, zeros,
                          [&](Value index, ValueRange in) {
                            Values sums(in);
                            product.add(index, sums);
                            return sums;
                          });
  if (weight.getFormat().table)
    for (Value &result : results)
      result = k.mul(result, weight.tableUnit());
  return results;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// Columns first..last-1 of a group; the end is a multiple of 32.
static std::pair<Value, Value> columnsOfGroup(KernelBuilder &k, int64_t width,
                                              Value group, Value columns) {
  Value first = k.mul(group, width);
  return {first, k.min(k.add(first, width), paddedColumns(k, columns))};
}

PackedFormat expandedFormat(const PackedFormat &format) {
  return {PackedLayout::Int8Groups, format.group, ScaleType::F32};
}

void expandGroups(KernelBuilder &k, const GroupReader &weight, Value panel,
                  Value columns, Value out) {
  GroupReader expanded(k, expandedFormat(weight.getFormat()), out, columns);
  int64_t step = kVectorBytes * 2 / weight.getGeometry().columnBytes;
  k.loop(weight.groups(), 1, [&](Value group) {
    Value scales = weight.scales(panel, group);
    if (weight.getFormat().table)
      scales = k.mul(scales, weight.tableUnit());
    Value to = expanded.codes(out, group);
    k.store(scales, expanded.scalesAddress(out, group));
    Value points = weight.zeroPoints(panel, group);
    Value codes = weight.codes(panel, group);
    auto [first, last] =
        columnsOfGroup(k, weight.getFormat().group, group, columns);
    k.loop(k.sub(last, first), kMaskBlockColumns, [&](Value offset) {
      Value from =
          k.at(codes, k.mul(offset, weight.getGeometry().columnBytes / 2));
      Value place = k.at(to, k.mul(offset, kPanelRows));
      for (int64_t column = 0; column < kMaskBlockColumns; column += step) {
        int64_t at = column * weight.getGeometry().columnBytes / 2;
        for (auto [part, vector] :
             llvm::enumerate(weight.signedCodes(from, at, points)))
          k.store(vector, place, column * kPanelRows + part * kVectorBytes);
      }
    });
  });
}

void decodeGroups(KernelBuilder &k, const GroupReader &weight, Value panel,
                  Value columns, Value out) {
  int64_t step = kVectorBytes * 2 / weight.getGeometry().columnBytes;
  k.loop(weight.groups(), 1, [&](Value group) {
    Value scales = weight.scales(panel, group);
    Value points = weight.zeroPoints(panel, group);
    Value codes = weight.codes(panel, group);
    auto [first, last] =
        columnsOfGroup(k, weight.getFormat().group, group, columns);
    Value start = k.at(out, k.mul(first, kVectorBytes));
    k.loop(k.sub(last, first), step, [&](Value offset) {
      Value from =
          k.at(codes, k.mul(offset, weight.getGeometry().columnBytes / 2));
      Value to = k.at(start, k.mul(offset, kVectorBytes));
      for (auto [column, value] :
           llvm::enumerate(weight.values(from, 0, points)))
        k.store(k.mul(value, scales), to, column * kVectorBytes);
    });
  });
}

Value decodedGroupProduct(KernelBuilder &k, const GroupReader &weight,
                          Value row, Value panel, Value columns,
                          Value scratch) {
  constexpr int64_t chains = 4;
  int64_t step = kVectorBytes * 2 / weight.getGeometry().columnBytes;
  Value whole = copyTail(k, row, columns, scratch);
  auto addGroup = [&](Value group, ValueRange in) {
    Value points = weight.zeroPoints(panel, group);
    Value codes = weight.codes(panel, group);
    auto [first, last] =
        columnsOfGroup(k, weight.getFormat().group, group, columns);
    Values sums = k.loop(
        first, last, k.size(kMaskBlockColumns), Values(chains, k.splat(0.0f)),
        [&](Value column, ValueRange carried) {
          Values next(carried);
          Value x = k.select(k.less(column, whole), k.at(row, k.mul(column, 4)),
                             scratch);
          Value from = k.at(codes, k.mul(k.sub(column, first),
                                         weight.getGeometry().columnBytes / 2));
          for (int64_t at = 0; at < kMaskBlockColumns; at += step)
            for (auto [j, value] : llvm::enumerate(weight.values(
                     from, at * weight.getGeometry().columnBytes / 2, points)))
              next[j % chains] = k.fma(
                  value,
                  k.loadBroadcast(k.f32Type(), k.at(x, 4 * (at + int64_t(j)))),
                  next[j % chains]);
          return next;
        });
    Value sum = k.add(k.add(sums[0], sums[1]), k.add(sums[2], sums[3]));
    return Values{k.fma(sum, weight.scales(panel, group), in[0])};
  };
  return k.loop(weight.groups(), 1, k.splat(0.0f), addGroup)[0];
}

} // namespace llmopt
