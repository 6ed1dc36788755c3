//===- RopeAppend.cpp - Rotary embedding and growth of the cache ----------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/AttentionEmitters.h"
#include "passes/Lowering/Kernels/KernelFunction.h"
#include "target/CallLayout.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmopt {

Value loadCount(KernelBuilder &k, Value structure, int64_t offset) {
  return k.zeroExtend(k.load(k.i32Type(), structure, offset), k.i64Type());
}

SegmentValues loadSegment(KernelBuilder &k, Value call, Value index) {
  Value segments = k.load(k.ptrType(), call, CallLayout::segments);
  Value segment = k.at(segments, k.mul(index, SegmentLayout::bytes));
  return {loadCount(k, segment, SegmentLayout::firstRow),
          loadCount(k, segment, SegmentLayout::rows),
          loadCount(k, segment, SegmentLayout::past),
          k.load(k.ptrType(), segment, SegmentLayout::pages),
          k.load(k.ptrType(), segment, SegmentLayout::keyMask)};
}

Value loadPageKeys(KernelBuilder &k, const AttentionKernelKey &key, Value pages,
                   Value index, Value layer, Value kvHead) {
  Value page = k.load(k.ptrType(), k.at(pages, k.mul(index, 8)));
  Value slice = k.add(k.mul(layer, key.kvHeads), kvHead);
  return k.at(page, k.mul(slice, 2 * key.headDim * kPageTokens * 4));
}

void forEachPiece(KernelBuilder &k, int64_t count, int64_t step,
                  function_ref<void(Value, int64_t)> body) {
  int64_t whole = count / step * step;
  if (whole != 0)
    k.loop(k.size(whole), step, [&](Value offset) { body(offset, step); });
  if (whole != count)
    body(k.size(whole), count - whole);
}

/// Rotates the pairs (i, i + head_dim / 2) of a head; `write` gets the results,
/// the index of the first component and the number of lanes.
static void
rotate(KernelBuilder &k, int64_t headDim, Value head, Value cosines,
       function_ref<void(Value result, Value first, int64_t lanes)> write) {
  int64_t half = headDim / 2;
  forEachPiece(k, half, kLanes, [&](Value index, int64_t lanes) {
    Value count = k.size(lanes), offset = k.mul(index, 4);
    auto read = [&](Value base, int64_t first) {
      return k.loadFloats(k.at(k.at(base, offset), first * 4), count);
    };
    Value x1 = read(head, 0), x2 = read(head, half);
    Value cosine = read(cosines, 0), sine = read(cosines, half);
    Value y1 = k.sub(k.mul(x1, cosine), k.mul(x2, sine));
    Value y2 = k.add(k.mul(x2, cosine), k.mul(x1, sine));
    write(y1, index, lanes);
    write(y2, k.add(index, half), lanes);
  });
}

/// Appends one key and one value to the cache page slice `keys`.
static void appendToken(KernelBuilder &k, int64_t headDim, Value key,
                        Value value, Value cosines, Value keys, Value slot) {
  Value column = k.at(keys, k.mul(slot, 4));
  rotate(k, headDim, key, cosines,
         [&](Value result, Value first, int64_t lanes) {
           Value to = k.at(column, k.mul(first, kPageTokens * 4));
           for (int64_t lane = 0; lane < lanes; ++lane)
             k.store(k.extract(result, lane), to, lane * kPageTokens * 4);
         });
  Value values = k.at(keys, headDim * kPageTokens * 4);
  Value row = k.at(values, k.mul(slot, headDim * 4));
  forEachPiece(k, headDim, kLanes, [&](Value index, int64_t lanes) {
    Value offset = k.mul(index, 4), count = k.size(lanes);
    k.storeFloats(k.loadFloats(k.at(value, offset), count), k.at(row, offset),
                  count);
  });
}

void emitRopeAppend(KernelBuilder &k, const AttentionKernelKey &key,
                    ValueRange args) {
  Value call = args[0], qkv = args[1], stride = args[2], table = args[3],
        layer = args[4];
  int64_t headBytes = key.headDim * 4;
  auto [firstRow, lastRow] =
      k.partition(loadCount(k, call, CallLayout::rows), args[5], args[6]);
  Value positions = k.load(k.ptrType(), call, CallLayout::positions);

  auto appendRow = [&](const SegmentValues &segment, Value row) {
    Value position = k.signExtend(
        k.load(k.i32Type(), k.at(positions, k.mul(row, 4))), k.i64Type());
    Value cosines = k.at(table, k.mul(position, headBytes));
    Value token = k.add(segment.past, k.sub(row, segment.firstRow));
    Value page = k.div(token, kPageTokens), slot = k.rem(token, kPageTokens);
    Value queries = k.at(qkv, k.mul(row, k.mul(stride, 4)));
    k.loop(k.size(key.heads), 1, [&](Value head) {
      Value q = k.at(queries, k.mul(head, headBytes));
      rotate(k, key.headDim, q, cosines,
             [&](Value result, Value first, int64_t lanes) {
               k.storeFloats(result, k.at(q, k.mul(first, 4)), k.size(lanes));
             });
    });
    Value newKeys = k.at(queries, key.heads * headBytes);
    Value newValues = k.at(newKeys, key.kvHeads * headBytes);
    k.loop(k.size(key.kvHeads), 1, [&](Value head) {
      Value offset = k.mul(head, headBytes);
      appendToken(k, key.headDim, k.at(newKeys, offset),
                  k.at(newValues, offset), cosines,
                  loadPageKeys(k, key, segment.pages, page, layer, head), slot);
    });
  };

  k.loop(loadCount(k, call, CallLayout::segmentCount), 1, [&](Value index) {
    SegmentValues segment = loadSegment(k, call, index);
    Value end = k.add(segment.firstRow, segment.rows);
    Value first = k.select(k.less(firstRow, segment.firstRow), segment.firstRow,
                           firstRow);
    // An empty intersection gives last <= first, and no iterations.
    k.loop(first, k.min(lastRow, end), k.size(1),
           [&](Value row) { appendRow(segment, row); });
  });
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

StringRef stringify(AttentionKernel kernel) {
  return kernel == AttentionKernel::Attention ? "attention" : "rope_append";
}

std::string kernelName(const AttentionKernelKey &key) {
  std::string name = llvm::formatv("{0}_h{1}_kv{2}_d{3}", stringify(key.kernel),
                                   key.heads, key.kvHeads, key.headDim);
  if (key.kernel == AttentionKernel::Attention)
    name += llvm::formatv("_s{0:x-8}", llvm::bit_cast<uint32_t>(key.scale));
  return name + "_" + stringify(key.isa).str();
}

func::FuncOp getOrCreateKernel(ModuleOp module, const AttentionKernelKey &key) {
  assert(key.headDim % 8 == 0 && key.headDim <= 256 &&
         key.heads % key.kvHeads == 0 && "unsupported attention shape");
  bool isRope = key.kernel == AttentionKernel::RopeAppend;
  return getOrCreateFunction(module, kernelName(key),
                             isRope ? "ppipiii" : "ppipiiiip", key.isa,
                             [&](KernelBuilder &k, ValueRange arguments) {
                               if (isRope)
                                 return emitRopeAppend(k, key, arguments);
                               emitAttention(k, module, key, arguments);
                             });
}

} // namespace llmopt
