//===- AttentionValues.cpp - Weighted sums of values ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/AttentionEmitters.h"
#include "passes/Lowering/Kernels/KernelFunction.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmopt {

AttentionScratch::AttentionScratch(const AttentionKernelKey &key) {
  bool isInt8 = key.kv == LLMOPT_KV_INT8;
  parts = key.kv == LLMOPT_KV_BF16 ? 2 : 1;
  partDim = key.headDim / parts;
  partBytes = llvm::alignTo(partDim, kLanes) * 4;
  outputBytes = parts * partBytes;
  rowBytes = llvm::alignTo(key.headDim, kLanes) * (isInt8 ? 1 : 4);
  bytes = llvm::alignTo(kAttentionTileRows * rowBytes, kVectorBytes);
  auto take = [&](int64_t size) {
    int64_t offset = bytes;
    bytes += llvm::alignTo(size, kVectorBytes);
    return offset;
  };
  weights = take(kAttentionTileRows * kPageBytes);
  outputs = take(kAttentionTileRows * outputBytes);
  hidden = take(kPageBytes);
  sums = take(kAttentionTileRows * kVectorBytes);
  for (int64_t *floats : {&maxima, &factors, &gains})
    *floats = take(kVectorBytes);
  firsts = take(kAttentionTileRows * 8);
  limits = take(kAttentionTileRows * 8);
  codes = take(isInt8 ? kAttentionTileRows * kPageTokens : 0);
  querySums = take(isInt8 ? kAttentionTileRows * 4 : 0);
  queryScales = take(isInt8 ? kAttentionTileRows * 4 : 0);
}

void prefetchAhead(KernelBuilder &k, int64_t rows, Value ahead, Value offset,
                   int64_t bytes) {
  // Tiles of many rows take long enough for a page, and pay for the slots.
  if (rows > kAttentionTileRows / 2)
    return;
  for (int64_t line = 0; line < bytes; line += kVectorBytes)
    k.prefetch(k.at(k.at(ahead, offset), line));
}

std::pair<Value, Value> widenPairs(KernelBuilder &k, Value pairs) {
  Value high = k.constant(k.ints(), int64_t(0xffff0000u));
  return {k.bitcast(k.shiftLeft(pairs, k.constant(k.ints(), 16)), k.floats()),
          k.bitcast(k.bitAnd(pairs, high), k.floats())};
}

void multiplyRows(KernelBuilder &k, int64_t rows, Values &sums,
                  ArrayRef<Value> vectors,
                  function_ref<Value(int64_t row)> factor) {
  for (int64_t row = 0; row < rows; ++row) {
    Value value = factor(row);
    for (auto [v, vector] : llvm::enumerate(vectors)) {
      Value &sum = sums[row * vectors.size() + v];
      sum = k.fma(vector, value, sum);
    }
  }
}

namespace {

class ValuesEmitter {
public:
  ValuesEmitter(KernelBuilder &k, const AttentionKernelKey &key, int64_t rows,
                ValueRange args)
      : k(k), key(key), rows(rows), scratch(args[0]), values(args[1]),
        ahead(args[2]), count(args[3]), layout(key) {}

  /// outputs = outputs * factor + weights . values, for `count` values of a
  /// page.
  void emit() {
    int64_t lanes =
        std::max<int64_t>(tileVectors(k) / layout.parts, 1) * kLanes;
    forEachPiece(k, layout.partDim, lanes, [&](Value offset, int64_t lanes) {
      emitPiece(offset, lanes);
    });
  }

private:
  void emitPiece(Value offset, int64_t lanes);
  Values addFloats(Value offset, int64_t lanes, Values sums);
  Values codeSums(Value offset, int64_t vectors);

  KernelBuilder &k;
  const AttentionKernelKey &key;
  int64_t rows;
  Value scratch, values, ahead, count;
  AttentionScratch layout;
};

} // namespace

/// Adds weights . values to sums[row][part][v].
Values ValuesEmitter::addFloats(Value offset, int64_t lanes, Values sums) {
  bool isPairs = key.kv == LLMOPT_KV_BF16;
  int64_t vectors = llvm::divideCeil(lanes, kLanes);
  return k.loop(count, 1, sums, [&](Value index, ValueRange in) {
    Values next(in), low, high;
    Value from = k.add(k.mul(index, layout.partDim * 4), k.mul(offset, 4));
    Value source = k.at(values, from);
    prefetchAhead(k, rows, ahead, from, vectors * kVectorBytes);
    for (int64_t v = 0; v < vectors; ++v) {
      Value place = k.at(source, v * kVectorBytes);
      int64_t rest = lanes - v * kLanes;
      // Past a value that fills a vector in part may lie the end of the page.
      Value loaded = rest >= kLanes ? k.load(k.floats(), place)
                                    : k.loadFloats(place, k.size(rest));
      if (isPairs) {
        auto [first, second] = widenPairs(k, k.bitcast(loaded, k.ints()));
        low.push_back(first), high.push_back(second);
      } else {
        low.push_back(loaded);
      }
    }
    Value weights = k.at(k.at(scratch, layout.weights), k.mul(index, 4));
    low.append(high);
    multiplyRows(k, rows, next, low, [&](int64_t row) {
      return k.loadBroadcast(k.f32Type(), weights, row * kPageBytes);
    });
    return next;
  });
}

/// weights . values as integers, sums[row][v].
Values ValuesEmitter::codeSums(Value offset, int64_t vectors) {
  Value start = k.mul(offset, 4), weights = k.at(scratch, layout.codes);
  Values sums(rows * vectors, k.constant(k.ints(), 0));
  return k.loop(
      k.divideCeil(count, 4), 1, sums, [&](Value four, ValueRange in) {
        Values next(in), loaded;
        Value from = k.add(start, k.mul(four, key.headDim * 4));
        prefetchAhead(k, rows, ahead, from, vectors * kVectorBytes);
        for (int64_t v = 0; v < vectors; ++v) {
          Value codes = k.load(k.bytes(), k.at(values, from), v * kVectorBytes);
          loaded.push_back(k.bitXor(codes, k.constant(k.bytes(), 128)));
        }
        Value place = k.at(weights, k.mul(four, 4));
        for (int64_t row = 0; row < rows; ++row) {
          Value weight =
              k.bitcast(k.loadBroadcast(k.i32Type(), place, row * kPageTokens),
                        k.bytes());
          for (int64_t v = 0; v < vectors; ++v) {
            Value &sum = next[row * vectors + v];
            sum = k.dotExact(sum, weight, loaded[v]);
          }
        }
        return next;
      });
}

/// Components offset..offset+lanes-1 of every part of the outputs.
void ValuesEmitter::emitPiece(Value offset, int64_t lanes) {
  int64_t vectors = llvm::divideCeil(lanes, kLanes);
  Value outputs = k.at(k.at(scratch, layout.outputs), k.mul(offset, 4));
  auto placeOf = [&](int64_t row, int64_t part, int64_t v) {
    return k.at(outputs, row * layout.outputBytes + part * layout.partBytes +
                             v * kVectorBytes);
  };
  auto old = [&] {
    Values sums;
    for (int64_t row = 0; row < rows; ++row) {
      Value factor =
          k.loadBroadcast(k.f32Type(), scratch, layout.factors + row * 4);
      for (int64_t part = 0; part < layout.parts; ++part)
        for (int64_t v = 0; v < vectors; ++v)
          sums.push_back(
              k.mul(k.load(k.floats(), placeOf(row, part, v)), factor));
    }
    return sums;
  };
  Values sums;
  if (key.kv == LLMOPT_KV_INT8) {
    sums = codeSums(offset, vectors);
    for (auto [i, before] : llvm::enumerate(old())) {
      Value gain =
          k.loadBroadcast(k.f32Type(), scratch, layout.gains + i / vectors * 4);
      sums[i] = k.fma(k.toFloat(sums[i]), gain, before);
    }
  } else {
    sums = addFloats(offset, lanes, old());
  }
  auto *sum = sums.begin();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t part = 0; part < layout.parts; ++part)
      for (int64_t v = 0; v < vectors; ++v)
        k.store(*sum++, placeOf(row, part, v));
}

void emitAttentionValues(KernelBuilder &k, const AttentionKernelKey &key,
                         int64_t rows, ValueRange args) {
  ValuesEmitter(k, key, rows, args).emit();
}

/// Tiles that do the same have the same name.
static std::string tileName(AttentionTile which, const AttentionKernelKey &key,
                            int64_t rows) {
  std::string name =
      llvm::formatv("attention_{0}_{1}_d{2}_r{3}",
                    which == AttentionTile::Values         ? "values"
                    : which == AttentionTile::WholeWeights ? "weights"
                                                           : "edge_weights",
                    stringify(key.kv), key.headDim, rows);
  if (which == AttentionTile::EdgeWeights && key.window)
    name += "_w";
  if (which != AttentionTile::Values && key.softcap != 0)
    name += llvm::formatv("_c{0:x-8}", llvm::bit_cast<uint32_t>(key.softcap));
  return name + "_" + stringify(key.isa).str();
}

func::FuncOp getOrCreateAttentionTile(ModuleOp module, AttentionTile which,
                                      const AttentionKernelKey &key,
                                      int64_t rows) {
  bool isValues = which == AttentionTile::Values;
  return getOrCreateFunction(
      module, tileName(which, key, rows), isValues ? "pppi" : "pppii", key.isa,
      [&](KernelBuilder &k, ValueRange args) {
        if (isValues)
          return emitAttentionValues(k, key, rows, args);
        emitAttentionWeights(k, key, rows, which == AttentionTile::EdgeWeights,
                             args);
      });
}

} // namespace llmopt
