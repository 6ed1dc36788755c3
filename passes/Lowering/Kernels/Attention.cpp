//===- Attention.cpp - Attention over the paged cache -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rows of a task are the queries of one kv head: (token, head within its
// group), up to kAttentionTileRows of them. Page by page: weights of the 64
// keys as a register tile with its softmax, then the values as a second
// register tile. The state of a task lives in scratch.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/AttentionEmitters.h"

using namespace mlir;

namespace llmopt {

namespace {

/// What a task works on.
struct Task {
  SegmentValues segment;
  Value kvHead;
  Value firstRow; ///< among rows * group of the segment
  Value rows;     ///< 1..kAttentionTileRows
  Value firstKey; ///< that its first row may see
  Value keys;     ///< end of those that its last row may see
  Value firstPage, endPage;
  Value endOfPages; ///< of those that are worth being fetched
};

class AttentionEmitter {
public:
  AttentionEmitter(KernelBuilder &k, ModuleOp module,
                   const AttentionKernelKey &key, ValueRange args)
      : k(k), module(module), key(key), layout(key), call(args[0]),
        qkv(args[1]), strideBytes(k.mul(args[2], 4)), y(args[3]),
        yStrideBytes(k.mul(args[4], 4)), layer(args[5]), thread(args[6]),
        threads(args[7]), scratch(args[8]), group(key.heads / key.kvHeads) {}

  void emitRows();
  void emitParts();

private:
  Task taskOf(const SegmentValues &segment, Value kvHead, Value tile,
              Value tiles);
  void emitPages(const Task &task);
  void emitPage(const Task &task, Value page);
  void emitStart(const Task &task);
  void emitQuery(Value source, Value index);
  void emitQueryCodes(Value source, Value index);
  void emitKeyMask(const Task &task, Value firstKey);
  void emitOutputs(const Task &task);
  void emitPart(const Task &task, Value part);
  void copyOutput(Value index, Value to, Value factor);

  /// Bytes from the start of a row of queries or outputs to the head of a
  /// task's row.
  struct RowPlace {
    Value row, head, query;
  };
  RowPlace placeOf(const Task &task, Value index);
  Value slot(int64_t offset, Value index, int64_t bytes) {
    return k.at(k.at(scratch, offset), k.mul(index, bytes));
  }
  Value sumOf(Value index) {
    return k.reduceAdd(
        k.load(k.floats(), slot(layout.sums, index, kVectorBytes)));
  }
  void callTile(const Task &task, AttentionTile which, ValueRange arguments) {
    k.switchOn(task.rows, 1, kAttentionTileRows, [&](int64_t rows) {
      k.call(getOrCreateAttentionTile(module, which, key, rows), arguments);
    });
  }
  /// What queries are multiplied by: scores are exponents of two, or what a
  /// soft cap takes.
  float queryScale() const {
    return key.softcap == 0 ? key.scale * kLog2E : key.scale;
  }

  KernelBuilder &k;
  ModuleOp module;
  const AttentionKernelKey &key;
  AttentionScratch layout;
  Value call, qkv, strideBytes, y, yStrideBytes, layer, thread, threads,
      scratch;
  int64_t group;
};

} // namespace

Value firstVisibleKey(KernelBuilder &k, const AttentionKernelKey &key,
                      Value limit) {
  return key.window ? k.sub(limit, k.min(limit, key.window)) : k.size(0);
}

AttentionEmitter::RowPlace AttentionEmitter::placeOf(const Task &task,
                                                     Value index) {
  Value row = k.add(task.firstRow, index);
  Value query = k.div(row, group);
  Value head = k.add(k.mul(task.kvHead, group), k.rem(row, group));
  return {k.add(task.segment.firstRow, query), head, query};
}

//===----------------------------------------------------------------------===//
// Start
//===----------------------------------------------------------------------===//

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

/// Writes a query as codes, with the scale that makes them exponents of two.
void AttentionEmitter::emitQueryCodes(Value source, Value index) {
  auto pieceOf = [&](int64_t offset) {
    return k.loadFloats(k.at(source, offset * 4),
                        k.size(std::min(kLanes, key.headDim - offset)));
  };
  Value query = slot(0, index, layout.rowBytes);
  // A query of zeros has codes of zero, whatever its scale.
  Value largest = k.splat(0x1p-100f);
  for (int64_t offset = 0; offset < key.headDim; offset += kLanes)
    largest = k.max(k.absolute(pieceOf(offset)), largest);
  Value maximum = k.reduceMax(largest);
  Value inverse = k.broadcast(k.div(k.constantF32(kLargestQueryCode), maximum));
  Value sum = k.constant(k.ints(), 0);
  for (int64_t offset = 0; offset < key.headDim; offset += kLanes) {
    Value codes = k.roundToInt(k.mul(pieceOf(offset), inverse));
    k.store(k.truncate(codes, VectorType::get(kLanes, k.i8Type())), query,
            offset);
    sum = k.add(sum, codes);
  }
  k.store(k.reduceAdd(sum), slot(layout.querySums, index, 4));
  k.store(k.mul(maximum, k.constantF32(queryScale() / kLargestQueryCode)),
          slot(layout.queryScales, index, 4));
}

/// Brings the queries to scratch and clears the state.
void AttentionEmitter::emitStart(const Task &task) {
  Value zeros = k.splat(0.0f);
  for (int64_t offset = 0; offset < kPageBytes; offset += kVectorBytes)
    k.store(zeros, scratch, layout.hidden + offset);
  k.store(k.broadcast(minusInfinity(k)), scratch, layout.maxima);
  k.loop(task.rows, 1, [&](Value index) {
    RowPlace place = placeOf(task, index);
    Value source = k.at(k.at(qkv, k.mul(place.row, strideBytes)),
                        k.mul(place.head, key.headDim * 4));
    key.kv == LLMOPT_KV_INT8 ? emitQueryCodes(source, index)
                             : emitQuery(source, index);
    Value output = slot(layout.outputs, index, layout.outputBytes);
    for (int64_t offset = 0; offset < layout.outputBytes;
         offset += kVectorBytes)
      k.store(zeros, output, offset);
    k.store(zeros, slot(layout.sums, index, kVectorBytes));
    Value limit = k.add(k.add(task.segment.past, place.query), 1);
    k.store(limit, slot(layout.limits, index, 8));
    k.store(firstVisibleKey(k, key, limit), slot(layout.firsts, index, 8));
  });
}

//===----------------------------------------------------------------------===//
// Pages
//===----------------------------------------------------------------------===//

/// Says which keys of a page the key mask hides.
void AttentionEmitter::emitKeyMask(const Task &task, Value firstKey) {
  k.ifThen(k.notNull(task.segment.keyMask), [&] {
    Value count = k.min(k.sub(task.keys, firstKey), kPageTokens);
    k.loop(count, 1, [&](Value index) {
      Value keep = k.load(k.i8Type(),
                          k.at(task.segment.keyMask, k.add(firstKey, index)));
      k.store(k.select(k.equal(keep, 0), minusInfinity(k), k.constantF32(0)),
              slot(layout.hidden, index, 4));
    });
  });
}

void AttentionEmitter::emitPage(const Task &task, Value page) {
  auto keysOf = [&](Value index) {
    return loadPageKeys(k, key, task.segment.pages, index, layer, task.kvHead);
  };
  Value keys = keysOf(page);
  Value next = keysOf(k.min(k.add(page, 1), k.sub(task.endOfPages, 1)));
  Value firstKey = k.mul(page, kPageTokens);
  Value end = k.add(firstKey, kPageTokens);
  // The first row sees the fewest keys, the last one's window begins last.
  Value firstLimit =
      k.add(k.add(task.segment.past, k.div(task.firstRow, group)), 1);
  Value isEdge = k.less(firstLimit, end);
  isEdge = k.either(isEdge, k.notNull(task.segment.keyMask));
  if (key.window)
    isEdge =
        k.either(isEdge, k.less(firstKey, firstVisibleKey(k, key, task.keys)));
  k.ifElse(
      isEdge,
      [&] {
        emitKeyMask(task, firstKey);
        callTile(task, AttentionTile::EdgeWeights,
                 {scratch, keys, next, firstKey, task.keys});
      },
      [&] {
        callTile(task, AttentionTile::WholeWeights,
                 {scratch, keys, next, firstKey, task.keys});
      });
  callTile(task, AttentionTile::Values,
           {scratch, k.at(keys, partBytes(key)), k.at(next, partBytes(key)),
            k.min(k.sub(task.keys, firstKey), kPageTokens)});
}

void AttentionEmitter::emitPages(const Task &task) {
  emitStart(task);
  k.loop(task.firstPage, task.endPage, k.size(1),
         [&](Value page) { emitPage(task, page); });
}

//===----------------------------------------------------------------------===//
// End
//===----------------------------------------------------------------------===//

/// Writes the components of an output, times a factor.
void AttentionEmitter::copyOutput(Value index, Value to, Value factor) {
  Value output = slot(layout.outputs, index, layout.outputBytes);
  Value factors = k.broadcast(factor);
  for (int64_t part = 0; part < layout.parts; ++part)
    forEachPiece(k, layout.partDim, kLanes, [&](Value offset, int64_t lanes) {
      Value bytes = k.mul(offset, 4);
      Value sums =
          k.load(k.floats(), k.at(output, bytes), part * layout.partBytes);
      k.storeFloats(k.mul(sums, factors),
                    k.at(k.at(to, bytes), part * layout.partDim * 4),
                    k.size(lanes));
    });
}

/// Divides by the sums and writes the rows; a row that saw no key yields zeros.
void AttentionEmitter::emitOutputs(const Task &task) {
  Value zero = k.constantF32(0.0f);
  k.loop(task.rows, 1, [&](Value index) {
    RowPlace place = placeOf(task, index);
    Value to = k.at(k.at(y, k.mul(place.row, yStrideBytes)),
                    k.mul(place.head, key.headDim * 4));
    Value sum = sumOf(index);
    copyOutput(
        index, to,
        k.select(k.less(zero, sum), k.div(k.constantF32(1.0f), sum), zero));
  });
}

/// Writes what a part of the pages adds up to, with its maximum and its sum.
void AttentionEmitter::emitPart(const Task &task, Value part) {
  k.loop(task.rows, 1, [&](Value index) {
    Value record = k.add(k.mul(placeOf(task, index).head, key.parts), part);
    Value to = k.at(y, k.mul(record, partsFloats(1, key.headDim, 1) * 4));
    k.store(k.load(k.f32Type(), slot(layout.maxima, index, 4)), to);
    k.store(sumOf(index), to, 4);
    copyOutput(index, k.at(to, kVectorBytes), k.constantF32(1.0f));
  });
}

//===----------------------------------------------------------------------===//
// Tasks
//===----------------------------------------------------------------------===//

/// The `tile`-th of `tiles` equal shares of a kv head's rows.
Task AttentionEmitter::taskOf(const SegmentValues &segment, Value kvHead,
                              Value tile, Value tiles) {
  Value rows = k.mul(segment.rows, group);
  Value firstRow = k.div(k.mul(rows, tile), tiles);
  Value count = k.sub(k.div(k.mul(rows, k.add(tile, 1)), tiles), firstRow);
  auto limitOf = [&](Value row) {
    return k.add(k.add(segment.past, k.div(row, group)), 1);
  };
  Value firstKey = firstVisibleKey(k, key, limitOf(firstRow));
  Value keys = limitOf(k.sub(k.add(firstRow, count), 1));
  Value end = k.divideCeil(keys, kPageTokens);
  return {segment,
          kvHead,
          firstRow,
          count,
          firstKey,
          keys,
          k.div(firstKey, kPageTokens),
          end,
          end};
}

void AttentionEmitter::emitRows() {
  Value segments = loadCount(k, call, CallLayout::segmentCount);
  // Tasks are dealt out in turn, since later tiles of a segment see more keys.
  k.loop(segments, 1, k.size(0), [&](Value index, ValueRange in) {
    SegmentValues segment = loadSegment(k, call, index);
    Value tiles = k.divideCeil(k.mul(segment.rows, group), kAttentionTileRows);
    Value tasks = k.mul(tiles, key.kvHeads);
    Value turn = k.rem(in[0], threads);
    Value first = k.rem(k.sub(k.add(thread, threads), turn), threads);
    k.loop(first, tasks, threads, [&](Value index) {
      Task task =
          taskOf(segment, k.div(index, tiles), k.rem(index, tiles), tiles);
      emitPages(task);
      emitOutputs(task);
    });
    return Values{k.add(in[0], tasks)};
  });
}

/// The only row: its parts are dealt out as ranges, so that a thread goes on
/// with the pages after those that it has read.
void AttentionEmitter::emitParts() {
  SegmentValues segment = loadSegment(k, call, k.size(0));
  PageSplit split = splitPages(k, key, segment);
  Value tiles = k.size(llvm::divideCeil(group, kAttentionTileRows));
  Value tasks = k.mul(k.mul(tiles, split.parts), key.kvHeads);
  auto [first, last] = k.partition(tasks, thread, threads);
  k.loop(first, last, k.size(1), [&](Value index) {
    Value part = k.rem(index, split.parts), tile = k.div(index, split.parts);
    Task task = taskOf(segment, k.div(tile, tiles), k.rem(tile, tiles), tiles);
    task.firstPage = split.begin(k, part);
    task.endPage = split.begin(k, k.add(part, 1));
    emitPages(task);
    emitPart(task, part);
  });
}

void emitAttention(KernelBuilder &k, ModuleOp module,
                   const AttentionKernelKey &key, ValueRange args) {
  AttentionEmitter emitter(k, module, key, args);
  key.kernel == AttentionKernel::AttentionParts ? emitter.emitParts()
                                                : emitter.emitRows();
}

int64_t scratchBytes(const AttentionKernelKey &key) {
  if (key.kernel == AttentionKernel::RopeAppend ||
      key.kernel == AttentionKernel::MergeParts)
    return 0;
  return AttentionScratch(key).bytes;
}

} // namespace llmopt
