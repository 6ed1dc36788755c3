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

/// What a task works on.
struct Task {
  SegmentValues segment;
  Value kvHead;
  Value firstRow; ///< among rows * group of the segment
  Value rows;     ///< 1..kAttentionTileRows
  Value keys;     ///< that its last row may see
};

class AttentionEmitter {
public:
  AttentionEmitter(KernelBuilder &k, ModuleOp module,
                   const AttentionKernelKey &key, ValueRange args)
      : k(k), module(module), key(key), layout(key.headDim), call(args[0]),
        qkv(args[1]), strideBytes(k.mul(args[2], 4)), y(args[3]),
        yStrideBytes(k.mul(args[4], 4)), layer(args[5]), thread(args[6]),
        threads(args[7]), scratch(args[8]), group(key.heads / key.kvHeads) {}

  void emit();

private:
  void emitTask(const Task &task);
  void emitStart(const Task &task);
  void emitKeyMask(const Task &task, Value firstKey, Value count);
  void emitSoftmax(const Task &task, Value firstKey);
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
    return getOrCreateAttentionTile(module, which, key.headDim, rows, key.isa);
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

/// Copies the scaled queries to scratch and clears the state.
void AttentionEmitter::emitStart(const Task &task) {
  Value scale = k.splat(key.scale), zero = k.constantF32(0.0f);
  k.loop(task.rows, 1, [&](Value index) {
    RowPlace place = placeOf(task, index);
    Value source =
        k.at(k.at(qkv, k.mul(place.row, strideBytes)), place.headOffset);
    Value query = slot(0, index, layout.rowBytes);
    Value output = slot(layout.outputs, index, layout.rowBytes);
    forEachPiece(k, key.headDim, kLanes, [&](Value offset, int64_t lanes) {
      Value bytes = k.mul(offset, 4);
      Value q = k.loadFloats(k.at(source, bytes), k.size(lanes));
      k.store(k.mul(q, scale), k.at(query, bytes));
      k.store(k.splat(0.0f), k.at(output, bytes));
    });
    k.store(minusInfinity(), slot(layout.maxima, index, 4));
    k.store(zero, slot(layout.sums, index, 4));
    k.store(k.add(k.add(task.segment.past, place.query), 1),
            slot(layout.limits, index, 8));
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

/// Turns scores into weights relative to the maximum so far, and updates
/// maximum, sum and the factor by which earlier weights shrink.
void AttentionEmitter::emitSoftmax(const Task &task, Value firstKey) {
  Value hidden = k.broadcast(minusInfinity());
  k.loop(task.rows, 1, [&](Value row) {
    Value scores = slot(layout.scores, row, kPageBytes);
    Value limit = k.load(k.i64Type(), slot(layout.limits, row, 8));
    // Keys of this page that the row may see; causality also hides unwritten
    // slots.
    Value visible = k.sub(limit, k.min(limit, firstKey));
    Value visibleLanes =
        k.broadcast(k.truncate(k.min(visible, kPageTokens), k.i32Type()));
    Values weights;
    Value largest = hidden;
    for (int64_t v = 0; v < kPageVectors; ++v) {
      Value lanes = k.add(k.laneIndices(), v * kLanes);
      Value score =
          k.select(k.less(lanes, visibleLanes),
                   k.load(k.floats(), scores, v * kVectorBytes), hidden);
      largest = k.max(score, largest);
      weights.push_back(score);
    }
    Value maximumAt = slot(layout.maxima, row, 4);
    Value before = k.load(k.f32Type(), maximumAt);
    Value maximum = k.max(k.reduceMax(largest), before);
    // With no visible key yet, any finite reference gives weights of zero.
    Value reference = k.select(k.less(minusInfinity(), maximum), maximum,
                               k.constantF32(0.0f));
    Value references = k.broadcast(reference);
    Value total = k.splat(0.0f);
    for (int64_t v = 0; v < kPageVectors; ++v) {
      Value weight = k.exp(k.sub(weights[v], references));
      k.store(weight, scores, v * kVectorBytes);
      total = k.add(total, weight);
    }
    Value factor = k.extract(k.exp(k.sub(k.broadcast(before), references)), 0);
    Value sumAt = slot(layout.sums, row, 4);
    Value sum = k.load(k.f32Type(), sumAt);
    k.store(k.fma(sum, factor, k.reduceAdd(total)), sumAt);
    k.store(maximum, maximumAt);
    k.store(factor, slot(layout.factors, row, 4));
  });
}

/// Divides by the sums and writes the rows; a row that saw no key yields zeros.
void AttentionEmitter::emitEnd(const Task &task) {
  Value zero = k.constantF32(0.0f);
  k.loop(task.rows, 1, [&](Value index) {
    RowPlace place = placeOf(task, index);
    Value to = k.at(k.at(y, k.mul(place.row, yStrideBytes)), place.headOffset);
    Value output = slot(layout.outputs, index, layout.rowBytes);
    Value sum = k.load(k.f32Type(), slot(layout.sums, index, 4));
    Value inverse = k.broadcast(
        k.select(k.less(zero, sum), k.div(k.constantF32(1.0f), sum), zero));
    forEachPiece(k, key.headDim, kLanes, [&](Value offset, int64_t lanes) {
      Value bytes = k.mul(offset, 4);
      k.storeFloats(k.mul(k.load(k.floats(), k.at(output, bytes)), inverse),
                    k.at(to, bytes), k.size(lanes));
    });
  });
}

void AttentionEmitter::emitTask(const Task &task) {
  emitStart(task);
  k.loop(k.divideCeil(task.keys, kPageTokens), 1, [&](Value page) {
    Value keys =
        loadPageKeys(k, key, task.segment.pages, page, layer, task.kvHead);
    Value values = k.at(keys, key.headDim * kPageBytes);
    Value firstKey = k.mul(page, kPageTokens);
    Value count = k.min(k.sub(task.keys, firstKey), kPageTokens);
    k.switchOn(task.rows, 1, kAttentionTileRows, [&](int64_t rows) {
      k.call(tile(AttentionTile::Scores, rows), {scratch, keys});
    });
    emitKeyMask(task, firstKey, count);
    emitSoftmax(task, firstKey);
    k.switchOn(task.rows, 1, kAttentionTileRows, [&](int64_t rows) {
      k.call(tile(AttentionTile::Values, rows), {scratch, values, count});
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
      Value lastQuery = k.div(k.sub(k.add(firstRow, count), 1), group);
      emitTask({segment, k.div(index, tiles), firstRow, count,
                k.add(k.add(segment.past, lastQuery), 1)});
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
  return AttentionScratch(key.headDim).bytes;
}

} // namespace llmopt
