//===- AttentionTiles.cpp - Register tiles of attention ---------*- C++ -*-===//
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
  digitBytes = llvm::alignTo(key.headDim, kLanes);
  rowBytes = isInt8 ? 2 * digitBytes : digitBytes * 4;
  bytes = kAttentionTileRows * rowBytes;
  auto take = [&](int64_t size) {
    int64_t offset = bytes;
    bytes += llvm::alignTo(size, kVectorBytes);
    return offset;
  };
  scores = take(kAttentionTileRows * kPageBytes);
  outputs = take(kAttentionTileRows * outputBytes);
  for (int64_t *floats : {&maxima, &sums, &factors})
    *floats = take(kAttentionTileRows * 4);
  firsts = take(kAttentionTileRows * 8);
  limits = take(kAttentionTileRows * 8);
  weightDigits = take(isInt8 ? kAttentionTileRows * kWeightDigitBytes : 0);
  for (int64_t *digitSums : {&querySums, &weightSums})
    *digitSums = take(isInt8 ? kAttentionTileRows * 8 : 0);
  for (int64_t *scales : {&queryScales, &weightScales})
    *scales = take(isInt8 ? kAttentionTileRows * 4 : 0);
}

namespace {

/// Emits the tiles of one kernel for a number of rows.
class TileEmitter {
public:
  TileEmitter(KernelBuilder &k, const AttentionKernelKey &key, int64_t rows,
              Value scratch, Value ahead)
      : k(k), key(key), rows(rows), scratch(scratch), ahead(ahead), layout(key),
        tileVectors(k.hasAvx512() ? kPageVectors : 1) {}

  void emitScores(Value keys);
  void emitOutputs(Value values, Value count);

private:
  Values scoresOfFloats(Value keys, Value vector);
  Values scoresOfCodes(Value keys, Value vector);
  void emitPiece(Value values, Value count, Value offset, int64_t lanes);
  Values addFloats(Value values, Value count, Value offset, int64_t lanes,
                   Values sums);
  Values codeSums(Value values, Value count, Value offset, int64_t vectors);

  /// sums[row][v] += factor(row) * vectors[v].
  void multiply(Values &sums, ArrayRef<Value> vectors,
                function_ref<Value(int64_t row)> factor) {
    for (int64_t row = 0; row < rows; ++row) {
      Value value = factor(row);
      for (auto [v, vector] : llvm::enumerate(vectors)) {
        Value &sum = sums[row * vectors.size() + v];
        sum = k.fma(vector, value, sum);
      }
    }
  }
  /// Products of codes with the digits of every row. `digitsAt(row)` is where
  /// the high digits of a row begin, `lowOffset` bytes before the low ones;
  /// `sumsAt` where their sums are; codes(index, v) loads the v-th vector.
  Values multiplyDigits(Value count, int64_t vectors, int64_t sumsAt,
                        int64_t lowOffset,
                        function_ref<Value(int64_t row)> digitsAt,
                        function_ref<Value(Value index, int64_t v)> codes);
  /// The two bf16 of every 32 bits, as floats.
  std::pair<Value, Value> widen(Value pairs) {
    Value high = k.constant(k.ints(), int64_t(0xffff0000u));
    return {k.bitcast(k.shiftLeft(pairs, k.constant(k.ints(), 16)), k.floats()),
            k.bitcast(k.bitAnd(pairs, high), k.floats())};
  }
  /// Asks for bytes of the next page while those at the same place of this one
  /// are worked on: pages lie apart, so that no prefetcher finds the next one.
  void prefetchAhead(Value offset, int64_t bytes) {
    // Tiles of many rows take long enough for a page, and pay for the slots.
    if (rows > kAttentionTileRows / 2)
      return;
    for (int64_t line = 0; line < bytes; line += kVectorBytes)
      k.prefetch(k.at(k.at(ahead, offset), line));
  }
  Value floatAt(int64_t offset, int64_t row) {
    return k.loadBroadcast(k.f32Type(), k.at(scratch, offset + row * 4));
  }

  KernelBuilder &k;
  const AttentionKernelKey &key;
  int64_t rows;
  Value scratch;
  Value ahead; ///< what the next page has in place of keys or values
  AttentionScratch layout;
  int64_t tileVectors; ///< per row of a register tile
};

} // namespace

//===----------------------------------------------------------------------===//
// Products of codes
//===----------------------------------------------------------------------===//

Values
TileEmitter::multiplyDigits(Value count, int64_t vectors, int64_t sumsAt,
                            int64_t lowOffset,
                            function_ref<Value(int64_t row)> digitsAt,
                            function_ref<Value(Value index, int64_t v)> codes) {
  Values sums;
  auto bias = [&](int64_t row, int64_t digit) {
    return k.biasOfSum(
        k.load(k.i32Type(), scratch, sumsAt + row * 8 + digit * 4));
  };
  for (int64_t row = 0; row < rows; ++row)
    sums.append(vectors, bias(row, 0));
  for (int64_t digit : {0, 1}) {
    for (int64_t i = 0; digit == 1 && i < rows * vectors; ++i)
      sums[i] = k.add(k.mul(sums[i], 128), bias(i / vectors, 1));
    sums = k.loop(count, 1, sums, [&](Value index, ValueRange in) {
      Values next(in), loaded;
      for (int64_t v = 0; v < vectors; ++v)
        loaded.push_back(codes(index, v));
      for (int64_t row = 0; row < rows; ++row) {
        Value at =
            k.at(k.at(digitsAt(row), digit * lowOffset), k.mul(index, 4));
        Value four = k.bitcast(k.loadBroadcast(k.i32Type(), at), k.bytes());
        for (int64_t v = 0; v < vectors; ++v) {
          Value &sum = next[row * vectors + v];
          sum = k.dot(sum, loaded[v], four);
        }
      }
      return next;
    });
  }
  return sums;
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

Values TileEmitter::scoresOfFloats(Value keys, Value vector) {
  bool isPairs = key.kv == LLMOPT_KV_BF16;
  Value column = k.mul(vector, kVectorBytes);
  Values sums(rows * tileVectors, k.splat(0.0f));
  return k.loop(k.size(layout.partDim), 1, sums, [&](Value d, ValueRange in) {
    Values next(in), low, high;
    Value from = k.add(column, k.mul(d, kPageBytes));
    Value source = k.at(keys, from);
    prefetchAhead(from, tileVectors * kVectorBytes);
    for (int64_t v = 0; v < tileVectors; ++v) {
      Value place = k.at(source, v * kVectorBytes);
      if (isPairs) {
        auto [first, second] = widen(k.load(k.ints(), place));
        low.push_back(first), high.push_back(second);
      } else {
        low.push_back(k.load(k.floats(), place));
      }
    }
    Value query = k.at(scratch, k.mul(d, 4));
    auto component = [&](int64_t offset) {
      return [&k = k, query, offset, this](int64_t row) {
        return k.loadBroadcast(k.f32Type(),
                               k.at(query, row * layout.rowBytes + offset));
      };
    };
    multiply(next, low, component(0));
    if (isPairs)
      multiply(next, high, component(layout.partDim * 4));
    return next;
  });
}

Values TileEmitter::scoresOfCodes(Value keys, Value vector) {
  Value column = k.mul(vector, kVectorBytes);
  Value codes = k.at(keys, column);
  Values sums = multiplyDigits(
      k.size(key.headDim / 4), tileVectors, layout.querySums, layout.digitBytes,
      [&](int64_t row) { return k.at(scratch, row * layout.rowBytes); },
      [&](Value index, int64_t v) {
        Value place = k.mul(index, kPageBytes);
        if (v == 0)
          prefetchAhead(k.add(column, place), tileVectors * kVectorBytes);
        return k.load(k.bytes(), k.at(codes, place), v * kVectorBytes);
      });
  Value scales = k.at(k.at(keys, key.headDim * kPageTokens), column);
  for (int64_t v = 0; v < tileVectors; ++v) {
    Value scale = k.load(k.floats(), scales, v * kVectorBytes);
    for (int64_t row = 0; row < rows; ++row) {
      Value &sum = sums[row * tileVectors + v];
      sum =
          k.mul(k.mul(k.toFloat(sum), floatAt(layout.queryScales, row)), scale);
    }
  }
  return sums;
}

/// scores[row][64] = query . key for the 64 keys of a page.
void TileEmitter::emitScores(Value keys) {
  k.loop(k.size(kPageVectors), tileVectors, [&](Value vector) {
    Values sums = key.kv == LLMOPT_KV_INT8 ? scoresOfCodes(keys, vector)
                                           : scoresOfFloats(keys, vector);
    Value scores =
        k.at(k.at(scratch, layout.scores), k.mul(vector, kVectorBytes));
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t v = 0; v < tileVectors; ++v)
        k.store(sums[row * tileVectors + v], scores,
                row * kPageBytes + v * kVectorBytes);
  });
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

/// Adds weights . values to sums[row][part][v].
Values TileEmitter::addFloats(Value values, Value count, Value offset,
                              int64_t lanes, Values sums) {
  bool isPairs = key.kv == LLMOPT_KV_BF16;
  int64_t vectors = llvm::divideCeil(lanes, kLanes);
  return k.loop(count, 1, sums, [&](Value index, ValueRange in) {
    Values next(in), low, high;
    Value from = k.add(k.mul(index, layout.partDim * 4), k.mul(offset, 4));
    Value source = k.at(values, from);
    prefetchAhead(from, vectors * kVectorBytes);
    for (int64_t v = 0; v < vectors; ++v) {
      Value place = k.at(source, v * kVectorBytes);
      int64_t rest = lanes - v * kLanes;
      // Past a value that fills a vector in part may lie the end of the page.
      Value loaded = rest >= kLanes ? k.load(k.floats(), place)
                                    : k.loadFloats(place, k.size(rest));
      if (isPairs) {
        auto [first, second] = widen(k.bitcast(loaded, k.ints()));
        low.push_back(first), high.push_back(second);
      } else {
        low.push_back(loaded);
      }
    }
    Value weights = k.at(k.at(scratch, layout.scores), k.mul(index, 4));
    low.append(high);
    multiply(next, low, [&](int64_t row) {
      return k.loadBroadcast(k.f32Type(), k.at(weights, row * kPageBytes));
    });
    return next;
  });
}

/// weights . values as integers, sums[row][v].
Values TileEmitter::codeSums(Value values, Value count, Value offset,
                             int64_t vectors) {
  Value codes = k.at(values, k.mul(offset, 4));
  return multiplyDigits(
      k.divideCeil(count, 4), vectors, layout.weightSums, kPageTokens,
      [&](int64_t row) {
        return k.at(scratch, layout.weightDigits + row * kWeightDigitBytes);
      },
      [&](Value index, int64_t v) {
        Value place = k.mul(index, key.headDim * 4);
        if (v == 0)
          prefetchAhead(k.add(k.mul(offset, 4), place), vectors * kVectorBytes);
        return k.load(k.bytes(), k.at(codes, place), v * kVectorBytes);
      });
}

/// Components offset..offset+lanes-1 of every part of the outputs.
void TileEmitter::emitPiece(Value values, Value count, Value offset,
                            int64_t lanes) {
  int64_t vectors = llvm::divideCeil(lanes, kLanes);
  Value outputs = k.at(k.at(scratch, layout.outputs), k.mul(offset, 4));
  auto placeOf = [&](int64_t row, int64_t part, int64_t v) {
    return k.at(outputs, row * layout.outputBytes + part * layout.partBytes +
                             v * kVectorBytes);
  };
  Values old;
  for (int64_t row = 0; row < rows; ++row) {
    Value factor = floatAt(layout.factors, row);
    for (int64_t part = 0; part < layout.parts; ++part)
      for (int64_t v = 0; v < vectors; ++v)
        old.push_back(k.mul(k.load(k.floats(), placeOf(row, part, v)), factor));
  }
  Values sums;
  if (key.kv == LLMOPT_KV_INT8) {
    sums = codeSums(values, count, offset, vectors);
    for (auto [i, sum] : llvm::enumerate(sums))
      sum = k.fma(k.toFloat(sum), floatAt(layout.weightScales, i / vectors),
                  old[i]);
  } else {
    sums = addFloats(values, count, offset, lanes, old);
  }
  auto sum = sums.begin();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t part = 0; part < layout.parts; ++part)
      for (int64_t v = 0; v < vectors; ++v)
        k.store(*sum++, placeOf(row, part, v));
}

/// outputs = outputs * factor + weights . values, for `count` values of a page.
void TileEmitter::emitOutputs(Value values, Value count) {
  int64_t lanes = std::max<int64_t>(tileVectors / layout.parts, 1) * kLanes;
  forEachPiece(k, layout.partDim, lanes, [&](Value offset, int64_t lanes) {
    emitPiece(values, count, offset, lanes);
  });
}

func::FuncOp getOrCreateAttentionTile(ModuleOp module, AttentionTile which,
                                      const AttentionKernelKey &key,
                                      int64_t rows) {
  bool isScores = which == AttentionTile::Scores;
  std::string name = llvm::formatv(
      "attention_{0}_{1}_d{2}_r{3}_{4}", isScores ? "scores" : "values",
      stringify(key.kv), key.headDim, rows, stringify(key.isa));
  return getOrCreateFunction(module, name, isScores ? "ppp" : "pppi", key.isa,
                             [&](KernelBuilder &k, ValueRange args) {
                               TileEmitter tile(k, key, rows, args[0], args[2]);
                               isScores ? tile.emitScores(args[1])
                                        : tile.emitOutputs(args[1], args[3]);
                             });
}

} // namespace llmopt
