//===- AttentionWeights.cpp - Weights of keys, a page at a time -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The products of up to six queries with the 64 keys of a page, and their
// softmax relative to a maximum: that of all pages so far or, where weights
// become codes, that of the page, so that the codes of every page have all
// their bits. On AVX-512 the scores of a page stay in registers.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/AttentionEmitters.h"

using namespace mlir;

namespace llmopt {

Value powerOfTwo(KernelBuilder &k, Value x, bool isPrecise, bool isExact) {
  // Minimax polynomials that are 1 at 0.
  static constexpr float precise[] = {0x1.5bba12p-10f, 0x1.3cea88p-7f,
                                      0x1.c6b752p-5f,  0x1.ebf9bcp-3f,
                                      0x1.62e42ap-1f,  1.0f};
  static constexpr float coarse[] = {0x1.c2a25cp-5f, 0x1.f00c4ep-3f,
                                     0x1.62f5fap-1f, 1.0f};
  ArrayRef<float> coefficients = isPrecise ? ArrayRef(precise) : coarse;
  Value lowest = k.splat(-126.0f), magic = k.splat(0x1.8p23f);
  Value bounded = k.max(lowest, x); // keeps a NaN
  Value shifted = k.add(bounded, magic);
  Value r = k.sub(bounded, k.sub(shifted, magic));
  Value p = k.splat(coefficients[0]);
  for (float coefficient : coefficients.drop_front())
    p = k.fma(p, r, k.splat(coefficient));
  // The rounded exponent is in the low bits of the shifted number.
  Value exponent =
      k.shiftLeft(k.bitcast(shifted, k.ints()), k.constant(k.ints(), 23));
  Value y = k.bitcast(k.add(k.bitcast(p, k.ints()), exponent), k.floats());
  return isExact ? k.select(k.less(x, lowest), k.splat(0.0f), y) : y;
}

namespace {

class WeightsEmitter {
public:
  WeightsEmitter(KernelBuilder &k, const AttentionKernelKey &key, int64_t rows,
                 bool isEdge, ValueRange args)
      : k(k), key(key), rows(rows), isEdge(isEdge), scratch(args[0]),
        keys(args[1]), ahead(args[2]), firstKey(args[3]), endKey(args[4]),
        layout(key), vectors(tileVectors(k)), isInt8(key.kv == LLMOPT_KV_INT8) {
  }

  void emit();

private:
  Values scores(Value vector);
  Values scoresOfFloats(Value vector);
  Values scoresOfCodes(Value vector);
  Values scoresOfRow(int64_t row, ArrayRef<Value> tile);
  Value capped(Value score);
  Value lanesBelow(Value bound);
  Values valueScales();
  Value emitRow(int64_t row, Values scores, ArrayRef<Value> scales);
  void emitState(ArrayRef<Value> totals);

  Value state(int64_t offset, int64_t row) {
    return k.loadBroadcast(k.f32Type(), scratch, offset + row * 4);
  }
  /// An operand of a page without visible keys: any finite one will do.
  Value finite(Value reference) {
    return k.select(k.less(k.broadcast(minusInfinity(k)), reference), reference,
                    k.splat(0.0f));
  }

  KernelBuilder &k;
  const AttentionKernelKey &key;
  int64_t rows;
  bool isEdge;
  Value scratch, keys, ahead, firstKey, endKey;
  AttentionScratch layout;
  int64_t vectors; ///< per row of the register tile
  bool isInt8;
  Value pageMaxima;   ///< a lane for a row
  Value largestScale; ///< of the page's values
};

} // namespace

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

Values WeightsEmitter::scoresOfFloats(Value vector) {
  bool isPairs = key.kv == LLMOPT_KV_BF16;
  Value column = k.mul(vector, kVectorBytes);
  Values sums(rows * vectors, k.splat(0.0f));
  return k.loop(k.size(layout.partDim), 1, sums, [&](Value d, ValueRange in) {
    Values next(in), low, high;
    Value from = k.add(column, k.mul(d, kPageBytes));
    Value source = k.at(keys, from);
    prefetchAhead(k, rows, ahead, from, vectors * kVectorBytes);
    for (int64_t v = 0; v < vectors; ++v) {
      Value place = k.at(source, v * kVectorBytes);
      if (isPairs) {
        auto [first, second] = widenPairs(k, k.load(k.ints(), place));
        low.push_back(first), high.push_back(second);
      } else {
        low.push_back(k.load(k.floats(), place));
      }
    }
    Value query = k.at(scratch, k.mul(d, 4));
    auto component = [&](int64_t offset) {
      return [&k = k, query, offset, this](int64_t row) {
        return k.loadBroadcast(k.f32Type(), query,
                               row * layout.rowBytes + offset);
      };
    };
    multiplyRows(k, rows, next, low, component(0));
    if (isPairs)
      multiplyRows(k, rows, next, high, component(layout.partDim * 4));
    return next;
  });
}

/// Products of codes, with the scales of the keys.
Values WeightsEmitter::scoresOfCodes(Value vector) {
  Value column = k.mul(vector, kVectorBytes);
  Value codes = k.at(keys, column);
  Values sums;
  for (int64_t row = 0; row < rows; ++row)
    sums.append(vectors, k.biasOfSum(k.load(k.i32Type(), scratch,
                                            layout.querySums + row * 4)));
  sums = k.loop(k.size(key.headDim / 4), 1, sums, [&](Value d, ValueRange in) {
    Values next(in), loaded;
    Value place = k.mul(d, kPageBytes);
    prefetchAhead(k, rows, ahead, k.add(column, place), vectors * kVectorBytes);
    for (int64_t v = 0; v < vectors; ++v)
      loaded.push_back(k.load(k.bytes(), k.at(codes, place), v * kVectorBytes));
    Value query = k.at(scratch, k.mul(d, 4));
    for (int64_t row = 0; row < rows; ++row) {
      Value four =
          k.bitcast(k.loadBroadcast(k.i32Type(), query, row * layout.rowBytes),
                    k.bytes());
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = next[row * vectors + v];
        sum = k.dot(sum, loaded[v], four);
      }
    }
    return next;
  });
  Value scalesAt = k.add(column, key.headDim * kPageTokens);
  prefetchAhead(k, rows, ahead, scalesAt, vectors * kVectorBytes);
  Value scales = k.at(keys, scalesAt);
  for (auto [i, sum] : llvm::enumerate(sums)) {
    int64_t v = i % vectors;
    sum = k.mul(k.toFloat(sum), k.load(k.floats(), scales, v * kVectorBytes));
  }
  return sums;
}

Values WeightsEmitter::scores(Value vector) {
  return isInt8 ? scoresOfCodes(vector) : scoresOfFloats(vector);
}

/// log2(e) * softcap * tanh(score / softcap).
Value WeightsEmitter::capped(Value score) {
  // tanh(x) = 1 - 2 / (e^2x + 1), with limits at both ends.
  Value e = k.exp(k.mul(score, k.splat(2.0f / key.softcap)));
  Value one = k.splat(1.0f);
  Value tanh = k.sub(one, k.div(k.splat(2.0f), k.add(e, one)));
  return k.mul(tanh, k.splat(key.softcap * kLog2E));
}

/// How many keys of the page come before `bound`, in all lanes.
Value WeightsEmitter::lanesBelow(Value bound) {
  Value lanes = k.min(k.sub(bound, k.min(bound, firstKey)), kPageTokens);
  return k.broadcast(k.truncate(lanes, k.i32Type()));
}

/// The scores of a page, minus infinity for keys that the row does not see.
/// They are exponents of two or, of codes without a cap, those of the query's
/// scale.
Values WeightsEmitter::scoresOfRow(int64_t row, ArrayRef<Value> tile) {
  Values result;
  for (int64_t v = 0; v < kPageVectors; ++v) {
    int64_t at = row * kPageBytes + v * kVectorBytes;
    Value score = tile.empty()
                      ? k.load(k.floats(), scratch, layout.weights + at)
                      : tile[row * kPageVectors + v];
    if (key.softcap != 0)
      score =
          capped(isInt8 ? k.mul(score, state(layout.queryScales, row)) : score);
    result.push_back(score);
  }
  if (!isEdge)
    return result;
  // Causality also hides unwritten slots, where a score may be anything.
  Value hidden = k.broadcast(minusInfinity(k));
  auto boundOf = [&](int64_t states) {
    return lanesBelow(k.load(k.i64Type(), scratch, states + row * 8));
  };
  Value end = boundOf(layout.limits), before;
  if (key.window)
    before = boundOf(layout.firsts);
  for (auto [v, score] : llvm::enumerate(result)) {
    Value lanes = k.add(k.laneIndices(), v * kLanes);
    Value masked =
        k.load(k.floats(), scratch, layout.hidden + v * kVectorBytes);
    score = k.select(k.less(lanes, end), k.add(score, masked), hidden);
    if (key.window)
      score = k.select(k.less(lanes, before), hidden, score);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// What weights are multiplied by to become codes of the products with values;
/// sets `largestScale`.
Values WeightsEmitter::valueScales() {
  int64_t offset = partBytes(key) + key.headDim * kPageTokens;
  prefetchAhead(k, rows, ahead, k.size(offset), kPageBytes);
  Value scales = k.at(keys, offset);
  Values result;
  Value largest = k.splat(0x1p-100f);
  for (int64_t v = 0; v < kPageVectors; ++v) {
    Value scale = k.load(k.floats(), scales, v * kVectorBytes);
    if (isEdge) // what a slot that was never written holds may be anything
      scale = k.select(
          k.less(k.add(k.laneIndices(), v * kLanes), lanesBelow(endKey)), scale,
          k.splat(0.0f));
    result.push_back(scale);
    largest = k.max(scale, largest);
  }
  largestScale = k.maxOfLanes(largest);
  Value factor = k.div(k.splat(kLargestWeightCode), largestScale);
  for (Value &scale : result)
    scale = k.mul(scale, factor);
  return result;
}

/// Writes the weights of a row and returns their sum, lane by lane.
Value WeightsEmitter::emitRow(int64_t row, Values scores,
                              ArrayRef<Value> scales) {
  Value unit;
  if (isInt8 && key.softcap == 0)
    unit = state(layout.queryScales, row);
  Value largest =
      k.max(k.max(scores[0], scores[1]), k.max(scores[2], scores[3]));
  Value maximum = k.maxOfLanes(largest);
  if (unit)
    maximum = k.mul(maximum, unit);
  pageMaxima = k.select(k.equal(k.laneIndices(), row), maximum, pageMaxima);
  Value reference =
      isInt8 ? maximum : k.max(maximum, state(layout.maxima, row));
  if (isEdge)
    reference = finite(reference);
  Value negative = k.negate(reference);
  Values weights;
  for (auto [v, score] : llvm::enumerate(scores)) {
    Value exponent =
        unit ? k.fma(score, unit, negative) : k.sub(score, reference);
    Value weight = powerOfTwo(k, exponent, /*isPrecise=*/!isInt8, isEdge);
    weights.push_back(weight);
    int64_t at = row * kPageTokens + v * kLanes;
    if (!isInt8) {
      k.store(weight, scratch, layout.weights + at * 4);
      continue;
    }
    // The code is the low byte of the shifted number.
    Value code =
        k.bitcast(k.fma(weight, scales[v], k.splat(0x1.8p23f)), k.ints());
    k.store(k.truncate(code, VectorType::get(kLanes, k.i8Type())), scratch,
            layout.codes + at);
  }
  return k.add(k.add(weights[0], weights[1]), k.add(weights[2], weights[3]));
}

/// Updates maxima and sums, and writes the factors of what was before and of
/// the page.
void WeightsEmitter::emitState(ArrayRef<Value> totals) {
  Value before = k.load(k.floats(), scratch, layout.maxima);
  Value maxima = k.max(pageMaxima, before);
  Value reference = finite(maxima);
  Value factors = powerOfTwo(k, k.sub(before, reference), true, true);
  k.store(maxima, scratch, layout.maxima);
  k.store(factors, scratch, layout.factors);
  Value gains;
  if (isInt8) {
    gains = powerOfTwo(k, k.sub(pageMaxima, reference), true, true);
    Value unit = k.mul(largestScale, k.splat(1.0f / kLargestWeightCode));
    k.store(k.mul(gains, unit), scratch, layout.gains);
  }
  for (int64_t row = 0; row < rows; ++row) {
    Value total = totals[row];
    int64_t at = layout.sums + row * kVectorBytes;
    Value sum = k.load(k.floats(), scratch, at);
    Value factor = k.broadcast(k.extract(factors, row));
    if (isInt8)
      total = k.mul(total, k.broadcast(k.extract(gains, row)));
    k.store(k.fma(sum, factor, total), scratch, at);
  }
}

void WeightsEmitter::emit() {
  Values tile;
  if (vectors == kPageVectors) {
    tile = scores(k.size(0));
  } else {
    k.loop(k.size(kPageVectors), vectors, [&](Value vector) {
      Value to =
          k.at(k.at(scratch, layout.weights), k.mul(vector, kVectorBytes));
      for (auto [i, score] : llvm::enumerate(scores(vector)))
        k.store(score, to,
                i / vectors * kPageBytes + i % vectors * kVectorBytes);
    });
  }
  Values scales, totals;
  if (isInt8)
    scales = valueScales();
  pageMaxima = k.broadcast(minusInfinity(k));
  for (int64_t row = 0; row < rows; ++row)
    totals.push_back(emitRow(row, scoresOfRow(row, tile), scales));
  emitState(totals);
}

void emitAttentionWeights(KernelBuilder &k, const AttentionKernelKey &key,
                          int64_t rows, bool isEdge, ValueRange args) {
  WeightsEmitter(k, key, rows, isEdge, args).emit();
}

} // namespace llmopt
