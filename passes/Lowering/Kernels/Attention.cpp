//===- Attention.cpp - Attention over the paged cache -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rows of a task are the queries of one kv head: (token, head within its
// group), up to kAttentionTileRows of them. Page by page: scores of the 64 keys
// as a register tile, online softmax row by row, then the values as a second
// register tile. The state of a task lives in scratch.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/AttentionEmitters.h"
#include <limits>

using namespace mlir;

namespace llmopt {

namespace {

constexpr float kLog2E = 0x1.715476p0f;

/// What a task works on.
struct Task {
  SegmentValues segment;
  Value kvHead;
  Value firstRow; ///< among rows * group of the segment
  Value rows;     ///< 1..kAttentionTileRows
  Value firstKey; ///< that its first row may see
  Value keys;     ///< end of those that its last row may see
};

class AttentionEmitter {
public:
  AttentionEmitter(KernelBuilder &k, ModuleOp module,
                   const AttentionKernelKey &key, ValueRange args)
      : k(k), module(module), key(key), layout(key), call(args[0]),
        qkv(args[1]), strideBytes(k.mul(args[2], 4)), y(args[3]),
        yStrideBytes(k.mul(args[4], 4)), layer(args[5]), thread(args[6]),
        threads(args[7]), scratch(args[8]), group(key.heads / key.kvHeads) {}

  void emit();

private:
  void emitTask(const Task &task);
  void emitStart(const Task &task);
  void emitQuery(Value source, Value index);
  void emitQueryDigits(Value source, Value index);
  void emitKeyMask(const Task &task, Value firstKey, Value count);
  void emitSoftmax(const Task &task, Value firstKey, Value values);
  Values visibleScores(Value row, Value firstKey);
  void emitWeightDigits(Value row, ValueRange weights, Value values);
  void emitEnd(const Task &task);

  /// Bytes from the start of a row of queries or outputs to the head of a
  /// task's row.
  struct RowPlace {
    Value row, headOffset, query;
  };
  RowPlace placeOf(const Task &task, Value index);
  Value slot(int64_t offset, Value index, int64_t bytes) {
    return k.at(k.at(scratch, offset), k.mul(index, bytes));
  }
  func::FuncOp tile(AttentionTile which, int64_t rows) {
    return getOrCreateAttentionTile(module, which, key, rows);
  }
  /// What queries are multiplied by: scores are exponents of two, or what
  /// capped() takes.
  float queryScale() const {
    return key.softcap == 0 ? key.scale * kLog2E : key.scale;
  }
  Value capped(Value score);
  /// First key that a row sees which does not see key `limit`.
  Value firstKeyOf(Value limit) {
    return key.window ? k.sub(limit, k.min(limit, key.window)) : k.size(0);
  }
  Value minusInfinity() {
    return k.constantF32(-std::numeric_limits<float>::infinity());
  }

  KernelBuilder &k;
  ModuleOp module;
  const AttentionKernelKey &key;
  AttentionScratch layout;
  Value call, qkv, strideBytes, y, yStrideBytes, layer, thread, threads,
      scratch;
  int64_t group;
};

AttentionEmitter::RowPlace AttentionEmitter::placeOf(const Task &task,
                                                     Value index) {
  Value row = k.add(task.firstRow, index);
  Value query = k.div(row, group);
  Value head = k.add(k.mul(task.kvHead, group), k.rem(row, group));
  return {k.add(task.segment.firstRow, query), k.mul(head, key.headDim * 4),
          query};
}

/// 2^x for x <= 0 within 2 ulp; 0 below 2^-126, as for minus infinity.
static Value powerOfTwo(KernelBuilder &k, Value x) {
  Value lowest = k.splat(-126.0f), magic = k.splat(0x1.8p23f);
  Value bounded = k.max(lowest, x); // keeps a NaN
  Value shifted = k.add(bounded, magic);
  Value r = k.sub(bounded, k.sub(shifted, magic));
  // The minimax polynomial of degree 5 that is 1 at 0.
  Value p = k.splat(0x1.5bba12p-10f);
  for (float coefficient :
       {0x1.3cea88p-7f, 0x1.c6b752p-5f, 0x1.ebf9bcp-3f, 0x1.62e42ap-1f, 1.0f})
    p = k.fma(p, r, k.splat(coefficient));
  // The rounded exponent is in the low bits of the shifted number.
  Value exponent = k.shiftLeft(k.add(k.bitcast(shifted, k.ints()), 127),
                               k.constant(k.ints(), 23));
  Value y = k.mul(p, k.bitcast(exponent, k.floats()));
  return k.select(k.less(x, lowest), k.splat(0.0f), y);
}

/// The digits of numbers within +-kLargestDigits.
static std::pair<Value, Value> digitsOf(KernelBuilder &k, Value x) {
  // The shift is logical: 2^20 keeps the number positive.
  constexpr int64_t kPositive = 1 << 20;
  Value number = k.roundToInt(x);
  Value high = k.sub(
      k.shiftRight(k.add(number, 64 + kPositive), k.constant(k.ints(), 7)),
      kPositive / 128);
  return {high, k.sub(number, k.mul(high, 128))};
}

/// Copies a query, scaled so that the scores are exponents of two.
void AttentionEmitter::emitQuery(Value source, Value index) {
  Value scale = k.splat(queryScale());
  Value query = slot(0, index, layout.rowBytes);
  forEachPiece(k, key.headDim, kLanes, [&](Value offset, int64_t lanes) {
    Value bytes = k.mul(offset, 4);
    Value q = k.loadFloats(k.at(source, bytes), k.size(lanes));
    k.store(k.mul(q, scale), k.at(query, bytes));
  });
}

/// Writes a query as digits, with the scale that makes them exponents of two.
void AttentionEmitter::emitQueryDigits(Value source, Value index) {
  auto pieceOf = [&](Value offset, int64_t lanes) {
    return k.loadFloats(k.at(source, k.mul(offset, 4)), k.size(lanes));
  };
  Value query = slot(0, index, layout.rowBytes);
  Value largest = k.splat(0.0f);
  for (int64_t offset = 0; offset < key.headDim; offset += kLanes)
    largest = k.max(k.absolute(pieceOf(k.size(offset),
                                       std::min(kLanes, key.headDim - offset))),
                    largest);
  // A query of zeros has digits of zero, whatever its scale.
  Value maximum = k.max(k.reduceMax(largest), k.constantF32(0x1p-100f));
  Value inverse = k.broadcast(k.div(k.constantF32(kLargestDigits), maximum));
  auto narrow = VectorType::get(kLanes, k.i8Type());
  Value highs = k.constant(k.ints(), 0), lows = highs;
  for (int64_t offset = 0; offset < key.headDim; offset += kLanes) {
    Value q = pieceOf(k.size(offset), std::min(kLanes, key.headDim - offset));
    auto [high, low] = digitsOf(k, k.mul(q, inverse));
    k.store(k.truncate(high, narrow), query, offset);
    k.store(k.truncate(low, narrow), query, layout.digitBytes + offset);
    highs = k.add(highs, high);
    lows = k.add(lows, low);
  }
  Value sums = slot(layout.querySums, index, 8);
  k.store(k.reduceAdd(highs), sums);
  k.store(k.reduceAdd(lows), sums, 4);
  k.store(k.mul(maximum, k.constantF32(queryScale() / kLargestDigits)),
          slot(layout.queryScales, index, 4));
}

/// Brings the queries to scratch and clears the state.
void AttentionEmitter::emitStart(const Task &task) {
  Value zero = k.constantF32(0.0f);
  k.loop(task.rows, 1, [&](Value index) {
    RowPlace place = placeOf(task, index);
    Value source =
        k.at(k.at(qkv, k.mul(place.row, strideBytes)), place.headOffset);
    key.kv == LLMOPT_KV_INT8 ? emitQueryDigits(source, index)
                             : emitQuery(source, index);
    Value output = slot(layout.outputs, index, layout.outputBytes);
    for (int64_t offset = 0; offset < layout.outputBytes;
         offset += kVectorBytes)
      k.store(k.splat(0.0f), output, offset);
    k.store(minusInfinity(), slot(layout.maxima, index, 4));
    k.store(zero, slot(layout.sums, index, 4));
    Value limit = k.add(k.add(task.segment.past, place.query), 1);
    k.store(limit, slot(layout.limits, index, 8));
    k.store(firstKeyOf(limit), slot(layout.firsts, index, 8));
  });
}

/// Sets the scores of hidden keys to -inf.
void AttentionEmitter::emitKeyMask(const Task &task, Value firstKey,
                                   Value count) {
  k.ifThen(k.notNull(task.segment.keyMask), [&] {
    k.loop(count, 1, [&](Value index) {
      Value keep = k.load(k.i8Type(),
                          k.at(task.segment.keyMask, k.add(firstKey, index)));
      k.ifThen(k.equal(keep, 0), [&] {
        k.loop(task.rows, 1, [&](Value row) {
          Value scores = slot(layout.scores, row, kPageBytes);
          k.store(minusInfinity(), k.at(scores, k.mul(index, 4)));
        });
      });
    });
  });
}

/// The scores of a page as exponents of two, minus infinity for keys that the
/// row does not see.
Values AttentionEmitter::visibleScores(Value row, Value firstKey) {
  Value hidden = k.broadcast(minusInfinity());
  Value scores = slot(layout.scores, row, kPageBytes);
  // The row sees lanes before..end-1; causality also hides unwritten slots.
  auto lanesBelow = [&](int64_t state) {
    Value bound = k.load(k.i64Type(), slot(state, row, 8));
    Value lanes = k.min(k.sub(bound, k.min(bound, firstKey)), kPageTokens);
    return k.broadcast(k.truncate(lanes, k.i32Type()));
  };
  Value end = lanesBelow(layout.limits), before;
  if (key.window)
    before = lanesBelow(layout.firsts);
  Values result;
  for (int64_t v = 0; v < kPageVectors; ++v) {
    Value lanes = k.add(k.laneIndices(), v * kLanes);
    Value score = k.load(k.floats(), scores, v * kVectorBytes);
    if (key.softcap != 0)
      score =
          k.select(k.less(score, k.splat(std::numeric_limits<float>::lowest())),
                   hidden, capped(score));
    score = k.select(k.less(lanes, end), score, hidden);
    if (key.window)
      score = k.select(k.less(lanes, before), hidden, score);
    result.push_back(score);
  }
  return result;
}

/// log2(e) * softcap * tanh(score / softcap).
Value AttentionEmitter::capped(Value score) {
  // tanh(x) = 1 - 2 / (e^2x + 1), with limits at both ends.
  Value e = k.exp(k.mul(score, k.splat(2.0f / key.softcap)));
  Value one = k.splat(1.0f);
  Value tanh = k.sub(one, k.div(k.splat(2.0f), k.add(e, one)));
  return k.mul(tanh, k.splat(key.softcap * kLog2E));
}

/// Writes the weights of a row, with the scales of the values in them, as
/// digits.
void AttentionEmitter::emitWeightDigits(Value row, ValueRange weights,
                                        Value values) {
  Value scales = k.at(values, key.headDim * kPageTokens);
  Value zero = k.splat(0.0f), largest = zero;
  Values scaled;
  for (auto [v, weight] : llvm::enumerate(weights)) {
    Value scale = k.load(k.floats(), scales, v * kVectorBytes);
    // What a slot without a visible value holds may be anything.
    scaled.push_back(
        k.select(k.less(zero, weight), k.mul(weight, scale), zero));
    largest = k.max(scaled.back(), largest);
  }
  Value maximum = k.max(k.reduceMax(largest), k.constantF32(0x1p-100f));
  Value inverse = k.broadcast(k.div(k.constantF32(kLargestDigits), maximum));
  auto narrow = VectorType::get(kLanes, k.i8Type());
  Value to = slot(layout.weightDigits, row, kWeightDigitBytes);
  Value highs = k.constant(k.ints(), 0), lows = highs;
  for (auto [v, weight] : llvm::enumerate(scaled)) {
    auto [high, low] = digitsOf(k, k.mul(weight, inverse));
    k.store(k.truncate(high, narrow), to, v * kLanes);
    k.store(k.truncate(low, narrow), to, kPageTokens + v * kLanes);
    highs = k.add(highs, high);
    lows = k.add(lows, low);
  }
  Value sums = slot(layout.weightSums, row, 8);
  k.store(k.reduceAdd(highs), sums);
  k.store(k.reduceAdd(lows), sums, 4);
  k.store(k.mul(maximum, k.constantF32(1.0f / kLargestDigits)),
          slot(layout.weightScales, row, 4));
}

/// Turns scores into weights relative to the maximum so far, and updates
/// maximum, sum and the factor by which earlier weights shrink.
void AttentionEmitter::emitSoftmax(const Task &task, Value firstKey,
                                   Value values) {
  k.loop(task.rows, 1, [&](Value row) {
    Values weights = visibleScores(row, firstKey);
    Value largest = weights[0];
    for (Value score : ArrayRef(weights).drop_front())
      largest = k.max(score, largest);
    Value maximumAt = slot(layout.maxima, row, 4);
    Value before = k.load(k.f32Type(), maximumAt);
    Value maximum = k.max(k.reduceMax(largest), before);
    // With no visible key yet, any finite reference gives weights of zero.
    Value reference = k.select(k.less(minusInfinity(), maximum), maximum,
                               k.constantF32(0.0f));
    Value references = k.broadcast(reference);
    Value total = k.splat(0.0f);
    Value scores = slot(layout.scores, row, kPageBytes);
    for (auto [v, weight] : llvm::enumerate(weights)) {
      weight = powerOfTwo(k, k.sub(weight, references));
      total = k.add(total, weight);
      if (key.kv != LLMOPT_KV_INT8)
        k.store(weight, scores, v * kVectorBytes);
    }
    Value factor =
        k.extract(powerOfTwo(k, k.sub(k.broadcast(before), references)), 0);
    Value sumAt = slot(layout.sums, row, 4);
    Value sum = k.load(k.f32Type(), sumAt);
    k.store(k.fma(sum, factor, k.reduceAdd(total)), sumAt);
    k.store(maximum, maximumAt);
    k.store(factor, slot(layout.factors, row, 4));
    if (key.kv == LLMOPT_KV_INT8)
      emitWeightDigits(row, weights, values);
  });
}

/// Divides by the sums and writes the rows; a row that saw no key yields zeros.
void AttentionEmitter::emitEnd(const Task &task) {
  Value zero = k.constantF32(0.0f);
  k.loop(task.rows, 1, [&](Value index) {
    RowPlace place = placeOf(task, index);
    Value to = k.at(k.at(y, k.mul(place.row, yStrideBytes)), place.headOffset);
    Value output = slot(layout.outputs, index, layout.outputBytes);
    Value sum = k.load(k.f32Type(), slot(layout.sums, index, 4));
    Value inverse = k.broadcast(
        k.select(k.less(zero, sum), k.div(k.constantF32(1.0f), sum), zero));
    for (int64_t part = 0; part < layout.parts; ++part)
      forEachPiece(k, layout.partDim, kLanes, [&](Value offset, int64_t lanes) {
        Value bytes = k.mul(offset, 4);
        Value sums =
            k.load(k.floats(), k.at(output, bytes), part * layout.partBytes);
        k.storeFloats(k.mul(sums, inverse),
                      k.at(k.at(to, bytes), part * layout.partDim * 4),
                      k.size(lanes));
      });
  });
}

void AttentionEmitter::emitTask(const Task &task) {
  emitStart(task);
  Value first = k.div(task.firstKey, kPageTokens);
  Value last = k.divideCeil(task.keys, kPageTokens);
  k.loop(first, last, k.size(1), [&](Value page) {
    Value keys =
        loadPageKeys(k, key, task.segment.pages, page, layer, task.kvHead);
    Value values = k.at(keys, partBytes(key));
    Value next =
        loadPageKeys(k, key, task.segment.pages,
                     k.min(k.add(page, 1), k.sub(last, 1)), layer, task.kvHead);
    Value firstKey = k.mul(page, kPageTokens);
    Value count = k.min(k.sub(task.keys, firstKey), kPageTokens);
    k.switchOn(task.rows, 1, kAttentionTileRows, [&](int64_t rows) {
      k.call(tile(AttentionTile::Scores, rows), {scratch, keys, next});
    });
    emitKeyMask(task, firstKey, count);
    emitSoftmax(task, firstKey, values);
    k.switchOn(task.rows, 1, kAttentionTileRows, [&](int64_t rows) {
      k.call(tile(AttentionTile::Values, rows),
             {scratch, values, k.at(next, partBytes(key)), count});
    });
  });
  emitEnd(task);
}

void AttentionEmitter::emit() {
  Value segments = loadCount(k, call, CallLayout::segmentCount);
  // Tasks are dealt out in turn, since later tiles of a segment see more keys.
  k.loop(segments, 1, k.size(0), [&](Value index, ValueRange in) {
    SegmentValues segment = loadSegment(k, call, index);
    Value rows = k.mul(segment.rows, group);
    Value tiles = k.divideCeil(rows, kAttentionTileRows);
    Value tasks = k.mul(tiles, key.kvHeads);
    Value turn = k.rem(in[0], threads);
    Value first = k.rem(k.sub(k.add(thread, threads), turn), threads);
    k.loop(first, tasks, threads, [&](Value index) {
      // Rows are spread evenly over the tiles.
      Value tile = k.rem(index, tiles);
      Value firstRow = k.div(k.mul(rows, tile), tiles);
      Value count = k.sub(k.div(k.mul(rows, k.add(tile, 1)), tiles), firstRow);
      auto limitOf = [&](Value row) {
        return k.add(k.add(segment.past, k.div(row, group)), 1);
      };
      emitTask({segment, k.div(index, tiles), firstRow, count,
                firstKeyOf(limitOf(firstRow)),
                limitOf(k.sub(k.add(firstRow, count), 1))});
    });
    return Values{k.add(in[0], tasks)};
  });
}

} // namespace

void emitAttention(KernelBuilder &k, ModuleOp module,
                   const AttentionKernelKey &key, ValueRange args) {
  AttentionEmitter(k, module, key, args).emit();
}

int64_t scratchBytes(const AttentionKernelKey &key) {
  if (key.kernel == AttentionKernel::RopeAppend)
    return 0;
  return AttentionScratch(key).bytes;
}

} // namespace llmopt
