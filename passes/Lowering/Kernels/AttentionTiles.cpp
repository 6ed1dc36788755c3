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

namespace {

/// Vectors per row of a register tile.
int64_t vectorsPerTile(KernelBuilder &k) {
  return k.hasAvx512() ? kPageVectors : 1;
}

/// scores[row][64] = query . key for the 64 keys of a page.
void emitScores(KernelBuilder &k, int64_t headDim, int64_t rows, Value scratch,
                Value keys) {
  AttentionScratch layout(headDim);
  int64_t tileVectors = vectorsPerTile(k);
  k.loop(k.size(kPageVectors), tileVectors, [&](Value vector) {
    Value column = k.mul(vector, kVectorBytes);
    Values sums(rows * tileVectors, k.splat(0.0f));
    sums = k.loop(k.size(headDim), 1, sums, [&](Value d, ValueRange in) {
      Values next(in), components;
      Value source = k.at(k.at(keys, column), k.mul(d, kPageBytes));
      for (int64_t v = 0; v < tileVectors; ++v)
        components.push_back(k.load(k.floats(), source, v * kVectorBytes));
      Value query = k.at(scratch, k.mul(d, 4));
      for (int64_t row = 0; row < rows; ++row) {
        Value q =
            k.loadBroadcast(k.f32Type(), k.at(query, row * layout.rowBytes));
        for (int64_t v = 0; v < tileVectors; ++v) {
          Value &sum = next[row * tileVectors + v];
          sum = k.fma(components[v], q, sum);
        }
      }
      return next;
    });
    Value scores = k.at(k.at(scratch, layout.scores), column);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t v = 0; v < tileVectors; ++v)
        k.store(sums[row * tileVectors + v], scores,
                row * kPageBytes + v * kVectorBytes);
  });
}

/// outputs = outputs * factor + weights . values, for `count` values of a page.
void emitOutputs(KernelBuilder &k, int64_t headDim, int64_t rows, Value scratch,
                 Value values, Value count) {
  AttentionScratch layout(headDim);
  auto emitPiece = [&](Value offset, int64_t lanes) {
    int64_t vectors = llvm::divideCeil(lanes, kLanes);
    Value bytes = k.mul(offset, 4);
    Value outputs = k.at(k.at(scratch, layout.outputs), bytes);
    Values sums;
    for (int64_t row = 0; row < rows; ++row) {
      Value factor =
          k.loadBroadcast(k.f32Type(), k.at(scratch, layout.factors + row * 4));
      for (int64_t v = 0; v < vectors; ++v)
        sums.push_back(k.mul(k.load(k.floats(), outputs,
                                    row * layout.rowBytes + v * kVectorBytes),
                             factor));
    }
    sums = k.loop(count, 1, sums, [&](Value index, ValueRange in) {
      Values next(in), components;
      Value source = k.at(k.at(values, k.mul(index, headDim * 4)), bytes);
      for (int64_t v = 0; v < vectors; ++v) {
        Value place = k.at(source, v * kVectorBytes);
        int64_t rest = lanes - v * kLanes;
        // Past a value that fills half a vector may lie the end of the page.
        components.push_back(rest >= kLanes
                                 ? k.load(k.floats(), place)
                                 : k.loadFloats(place, k.size(rest)));
      }
      Value weights = k.at(k.at(scratch, layout.scores), k.mul(index, 4));
      for (int64_t row = 0; row < rows; ++row) {
        Value weight =
            k.loadBroadcast(k.f32Type(), k.at(weights, row * kPageBytes));
        for (int64_t v = 0; v < vectors; ++v) {
          Value &sum = next[row * vectors + v];
          sum = k.fma(components[v], weight, sum);
        }
      }
      return next;
    });
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t v = 0; v < vectors; ++v)
        k.store(sums[row * vectors + v], outputs,
                row * layout.rowBytes + v * kVectorBytes);
  };
  forEachPiece(k, headDim, vectorsPerTile(k) * kLanes, emitPiece);
}

} // namespace

func::FuncOp getOrCreateAttentionTile(ModuleOp module, AttentionTile which,
                                      int64_t headDim, int64_t rows, Isa isa) {
  bool isScores = which == AttentionTile::Scores;
  std::string name = llvm::formatv("attention_{0}_d{1}_r{2}_{3}",
                                   isScores ? "scores" : "values", headDim,
                                   rows, stringify(isa));
  return getOrCreateFunction(
      module, name, isScores ? "pp" : "ppi", isa,
      [&](KernelBuilder &k, ValueRange args) {
        if (isScores)
          return emitScores(k, headDim, rows, args[0], args[1]);
        emitOutputs(k, headDim, rows, args[0], args[1], args[2]);
      });
}

} // namespace llmopt
