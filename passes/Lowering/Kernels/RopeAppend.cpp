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
  return k.at(page, k.mul(slice, 2 * partBytes(key)));
}

int64_t partBytes(const AttentionKernelKey &key) {
  return llmopt_page_part_bytes(key.kv, key.headDim);
}

void forEachPiece(KernelBuilder &k, int64_t count, int64_t step,
                  function_ref<void(Value, int64_t)> body) {
  int64_t whole = count / step * step;
  if (whole != 0)
    k.loop(k.size(whole), step, [&](Value offset) { body(offset, step); });
  if (whole != count)
    body(k.size(whole), count - whole);
}

/// Components i and i + head_dim / 2 of a head, from `first` on.
struct Halves {
  Value low, high;
  Value first;
  int64_t lanes;
};

/// Runs body for pieces of a head's halves.
static void forEachHalves(KernelBuilder &k, int64_t headDim, Value head,
                          function_ref<void(const Halves &)> body) {
  int64_t half = headDim / 2;
  forEachPiece(k, half, kLanes, [&](Value index, int64_t lanes) {
    Value from = k.at(head, k.mul(index, 4)), count = k.size(lanes);
    body({k.loadFloats(from, count), k.loadFloats(k.at(from, half * 4), count),
          index, lanes});
  });
}

/// Rotates the pairs (i, i + rotated / 2) of the first `rotated` elements of a
/// head in place.
static void rotate(KernelBuilder &k, int64_t rotated, Value head,
                   Value cosines) {
  int64_t half = rotated / 2;
  forEachHalves(k, rotated, head, [&](const Halves &x) {
    Value offset = k.mul(x.first, 4), count = k.size(x.lanes);
    Value angles = k.at(cosines, offset), to = k.at(head, offset);
    Value cosine = k.loadFloats(angles, count);
    Value sine = k.loadFloats(k.at(angles, half * 4), count);
    k.storeFloats(k.sub(k.mul(x.low, cosine), k.mul(x.high, sine)), to, count);
    k.storeFloats(k.add(k.mul(x.high, cosine), k.mul(x.low, sine)),
                  k.at(to, half * 4), count);
  });
}

//===----------------------------------------------------------------------===//
// Formats of the cache
//===----------------------------------------------------------------------===//

/// Appends one key and one value to a page in f32.
static void appendFloats(KernelBuilder &k, int64_t headDim, Value key,
                         Value value, Value keys, Value values, Value slot) {
  Value column = k.at(keys, k.mul(slot, 4));
  forEachPiece(k, headDim, kLanes, [&](Value index, int64_t lanes) {
    Value offset = k.mul(index, 4), count = k.size(lanes);
    Value components = k.loadFloats(k.at(key, offset), count);
    Value to = k.at(column, k.mul(index, kPageTokens * 4));
    for (int64_t lane = 0; lane < lanes; ++lane)
      k.store(k.extract(components, lane), to, lane * kPageTokens * 4);
    Value row = k.at(values, k.mul(slot, headDim * 4));
    k.storeFloats(k.loadFloats(k.at(value, offset), count), k.at(row, offset),
                  count);
  });
}

/// Nearest bf16, ties to even, in the low bits; NaN stays NaN.
static Value toBFloat(KernelBuilder &k, Value x) {
  auto constant = [&](int64_t value) { return k.constant(k.ints(), value); };
  Value bits = k.bitcast(x, k.ints());
  Value odd = k.bitAnd(k.shiftRight(bits, constant(16)), 1);
  Value rounded = k.shiftRight(k.add(k.add(bits, 0x7fff), odd), constant(16));
  Value isNaN = k.less(constant(0x7f800000), k.bitAnd(bits, 0x7fffffff));
  return k.select(isNaN, constant(0x7fc0), rounded);
}

/// The two halves of a head as pairs of bf16.
static Value toPairs(KernelBuilder &k, const Halves &x) {
  return k.add(k.shiftLeft(toBFloat(k, x.high), k.constant(k.ints(), 16)),
               toBFloat(k, x.low));
}

static void appendPairs(KernelBuilder &k, int64_t headDim, Value key,
                        Value value, Value keys, Value values, Value slot) {
  Value column = k.at(keys, k.mul(slot, 4));
  forEachHalves(k, headDim, key, [&](const Halves &x) {
    Value to = k.at(column, k.mul(x.first, kPageTokens * 4));
    Value pairs = toPairs(k, x);
    for (int64_t lane = 0; lane < x.lanes; ++lane)
      k.store(k.extract(pairs, lane), to, lane * kPageTokens * 4);
  });
  Value row = k.at(values, k.mul(slot, headDim * 2));
  forEachHalves(k, headDim, value, [&](const Halves &x) {
    // Stored as floats, for their bits: half a vector may end the page.
    k.storeFloats(k.bitcast(toPairs(k, x), k.floats()),
                  k.at(row, k.mul(x.first, 4)), k.size(x.lanes));
  });
}

/// Quantizes a head as PagePart does and writes its scale; body gets the codes
/// of 16 components, with +128, and the first one's index.
static void quantizeHead(KernelBuilder &k, int64_t headDim, Value head,
                         Value scaleAt,
                         function_ref<void(Value, Value, int64_t)> body) {
  auto load = [&](Value index, int64_t lanes) {
    return k.loadFloats(k.at(head, k.mul(index, 4)), k.size(lanes));
  };
  Value largest = k.splat(0.0f);
  for (int64_t i = 0; i < headDim; i += kLanes)
    largest = k.max(k.absolute(load(k.size(i), std::min(kLanes, headDim - i))),
                    largest);
  Value maximum = k.reduceMax(largest);
  Value isZero = k.less(maximum, k.constantF32(0x1p-100f));
  Value zero = k.constantF32(0.0f), limit = k.constantF32(127.0f);
  Value inverse = k.broadcast(k.select(isZero, zero, k.div(limit, maximum)));
  k.store(k.select(isZero, zero, k.div(maximum, limit)), scaleAt);
  forEachPiece(k, headDim, kLanes, [&](Value index, int64_t lanes) {
    Value codes = k.roundToInt(k.mul(load(index, lanes), inverse));
    body(k.truncate(k.add(codes, 128), VectorType::get(kLanes, k.i8Type())),
         index, lanes);
  });
}

static void appendCodes(KernelBuilder &k, int64_t headDim, Value key,
                        Value value, Value keys, Value values, Value slot) {
  auto scaleAt = [&](Value part) {
    return k.at(k.at(part, headDim * kPageTokens), k.mul(slot, 4));
  };
  Value column = k.at(keys, k.mul(slot, 4));
  quantizeHead(k, headDim, key, scaleAt(keys),
               [&](Value codes, Value index, int64_t lanes) {
                 // Four components of a token share 32 bits.
                 Value fours =
                     k.bitcast(codes, VectorType::get(4, k.i32Type()));
                 Value to = k.at(column, k.mul(index, kPageTokens));
                 for (int64_t i = 0; i < lanes / 4; ++i)
                   k.store(k.extract(fours, i), to, i * kPageTokens * 4);
               });
  Value row =
      k.at(k.at(values, k.mul(k.div(slot, 4), headDim * 4)), k.rem(slot, 4));
  quantizeHead(k, headDim, value, scaleAt(values),
               [&](Value codes, Value index, int64_t lanes) {
                 Value to = k.at(row, k.mul(index, 4));
                 for (int64_t lane = 0; lane < lanes; ++lane)
                   k.store(k.extract(codes, lane), to, lane * 4);
               });
}

void emitRopeAppend(KernelBuilder &k, const AttentionKernelKey &key,
                    ValueRange args) {
  Value call = args[0], qkv = args[1], stride = args[2], table = args[3],
        layer = args[4];
  int64_t headBytes = key.headDim * 4;
  int64_t rotated = key.rotated ? key.rotated : key.headDim;
  auto [firstRow, lastRow] =
      k.partition(loadCount(k, call, CallLayout::rows), args[5], args[6]);
  Value positions = k.load(k.ptrType(), call, CallLayout::positions);
  auto *append = key.kv == LLMOPT_KV_F32    ? appendFloats
                 : key.kv == LLMOPT_KV_BF16 ? appendPairs
                                            : appendCodes;

  auto appendRow = [&](const SegmentValues &segment, Value row) {
    Value position = k.signExtend(
        k.load(k.i32Type(), k.at(positions, k.mul(row, 4))), k.i64Type());
    Value cosines = k.at(table, k.mul(position, rotated * 4));
    Value token = k.add(segment.past, k.sub(row, segment.firstRow));
    Value page = k.div(token, kPageTokens), slot = k.rem(token, kPageTokens);
    Value queries = k.at(qkv, k.mul(row, k.mul(stride, 4)));
    k.loop(k.size(key.heads), 1, [&](Value head) {
      rotate(k, rotated, k.at(queries, k.mul(head, headBytes)), cosines);
    });
    Value newKeys = k.at(queries, key.heads * headBytes);
    Value newValues = k.at(newKeys, key.kvHeads * headBytes);
    k.loop(k.size(key.kvHeads), 1, [&](Value head) {
      Value offset = k.mul(head, headBytes), newKey = k.at(newKeys, offset);
      rotate(k, rotated, newKey, cosines);
      Value keys = loadPageKeys(k, key, segment.pages, page, layer, head);
      append(k, key.headDim, newKey, k.at(newValues, offset), keys,
             k.at(keys, partBytes(key)), slot);
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

StringRef stringify(llmopt_kv_format format) {
  switch (format) {
  case LLMOPT_KV_F32:
    return "f32";
  case LLMOPT_KV_BF16:
    return "bf16";
  case LLMOPT_KV_INT8:
    return "int8";
  }
  llvm_unreachable("unknown format of the cache");
}

StringRef stringify(AttentionKernel kernel) {
  switch (kernel) {
  case AttentionKernel::RopeAppend:
    return "rope_append";
  case AttentionKernel::Attention:
    return "attention";
  case AttentionKernel::AttentionParts:
    return "attention_parts";
  case AttentionKernel::MergeParts:
    return "merge_parts";
  }
  llvm_unreachable("unknown kernel of attention");
}

std::string kernelName(const AttentionKernelKey &key) {
  std::string name = llvm::formatv("{0}_h{1}_kv{2}_d{3}", stringify(key.kernel),
                                   key.heads, key.kvHeads, key.headDim);
  if (key.parts != 1)
    name += llvm::formatv("_p{0}", key.parts);
  if (key.kernel != AttentionKernel::RopeAppend)
    name += llvm::formatv("_s{0:x-8}", llvm::bit_cast<uint32_t>(key.scale));
  if (key.rotated)
    name += llvm::formatv("_r{0}", key.rotated);
  if (key.window)
    name += llvm::formatv("_w{0}", key.window);
  if (key.softcap != 0)
    name += llvm::formatv("_c{0:x-8}", llvm::bit_cast<uint32_t>(key.softcap));
  if (key.kv != LLMOPT_KV_F32)
    name += "_" + stringify(key.kv).str();
  return name + "_" + stringify(key.isa).str();
}

func::FuncOp getOrCreateKernel(ModuleOp module, const AttentionKernelKey &key) {
  assert(key.headDim % 8 == 0 && key.headDim <= 256 &&
         key.heads % key.kvHeads == 0 && "unsupported attention shape");
  // (call, qkv, stride, table, layer, thread, threads), with the output and its
  // stride in place of the table, or (call, parts, y)
  static constexpr const char *signatures[] = {"ppipiii", "ppipiiiip",
                                               "ppipiiiip", "ppp"};
  return getOrCreateFunction(module, kernelName(key),
                             signatures[static_cast<int>(key.kernel)], key.isa,
                             [&](KernelBuilder &k, ValueRange arguments) {
                               if (key.kernel == AttentionKernel::RopeAppend)
                                 return emitRopeAppend(k, key, arguments);
                               if (key.kernel == AttentionKernel::MergeParts)
                                 return emitMergeParts(k, key, arguments);
                               emitAttention(k, module, key, arguments);
                             });
}

} // namespace llmopt
