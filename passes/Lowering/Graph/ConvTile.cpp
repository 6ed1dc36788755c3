//===- ConvTile.cpp - Functions for images with channels last ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ConvTile.h"
#include "passes/Lowering/Graph/Panels.h"
#include "passes/Lowering/Kernels/KernelBuilder.h"
#include "passes/Lowering/Kernels/KernelFunction.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

namespace {

/// Arguments of window_pointers, in order; all but three pointers are i64.
struct WindowCall {
  Value data, outside, table, tapBytes, first, rows, height, width,
      outputHeight, outputWidth, kernelHeight, kernelWidth, strideHeight,
      strideWidth, dilationHeight, dilationWidth, padTop, padLeft, pixelBytes;
};

} // namespace

/// The addresses of all taps of one pixel of a result.
static void emitWindow(KernelBuilder &k, const WindowCall &p, Value image,
                       Value line, Value column, Value target) {
  Value top = k.sub(k.mul(line, p.strideHeight), p.padTop);
  Value left = k.sub(k.mul(column, p.strideWidth), p.padLeft);
  Value firstLine = k.mul(image, p.height);
  k.loop(p.kernelHeight, 1, {target}, [&](Value i, ValueRange in) -> Values {
    Value y = k.add(top, k.mul(i, p.dilationHeight));
    // Places before the image are large unsigned numbers.
    Value isLine = k.less(y, p.height);
    Value start = k.mul(k.add(firstLine, y), p.width);
    return k.loop(p.kernelWidth, 1, in, [&](Value j, ValueRange in) -> Values {
      Value x = k.add(left, k.mul(j, p.dilationWidth));
      Value isInside = k.bitAnd(isLine, k.less(x, p.width));
      Value inside = k.at(p.data, k.mul(k.add(start, x), p.pixelBytes));
      k.store(k.select(isInside, inside, p.outside), in[0]);
      return {k.at(in[0], p.tapBytes)};
    });
  });
}

static void emitWindows(KernelBuilder &k, const WindowCall &p) {
  Value plane = k.mul(p.outputHeight, p.outputWidth), zero = k.size(0);
  Value image = k.div(p.first, plane), rest = k.rem(p.first, plane);
  Values start = {image, k.div(rest, p.outputWidth),
                  k.rem(rest, p.outputWidth)};
  k.loop(p.rows, 1, start, [&](Value row, ValueRange in) -> Values {
    emitWindow(k, p, in[0], in[1], in[2], k.at(p.table, k.mul(row, 8)));
    Value column = k.add(in[2], 1);
    Value isEnd = k.bitAnd(k.less(p.outputWidth, k.add(column, 1)),
                           k.less(zero, p.outputWidth));
    Value line = k.select(isEnd, k.add(in[1], 1), in[1]);
    Value isLast = k.less(p.outputHeight, k.add(line, 1));
    return {k.select(isLast, k.add(in[0], 1), in[0]),
            k.select(isLast, zero, line), k.select(isEnd, zero, column)};
  });
}

func::FuncOp windowPointers(ModuleOp module, Isa isa) {
  return getOrCreateFunction(
      module, "window_pointers", "pppiiiiiiiiiiiiiiii", isa,
      [](KernelBuilder &k, ValueRange in) {
        emitWindows(k, {in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7],
                        in[8], in[9], in[10], in[11], in[12], in[13], in[14],
                        in[15], in[16], in[17], in[18]});
      });
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

namespace {

/// Arguments of conv_tile, in order.
struct TileCall {
  Value table, tapBytes, taps, steps, panel, start, factor, c, rows, columns;
};

constexpr int64_t kRowBytes = kPanelColumns * 4;

/// Emits the function.
class TileEmitter {
public:
  TileEmitter(KernelBuilder &k, const TileCall &p, bool isInteger)
      : k(k), p(p), isInteger(isInteger),
        lane(isInteger ? k.i32Type() : k.f32Type()),
        lanes(VectorType::get(kLanes, lane)) {}

  void emit();

private:
  void emitRows(Value column, int64_t vectors);
  void emitTile(Value first, Value column, int64_t rows, int64_t vectors);
  Values emitTap(Value pointers, int64_t rows, int64_t vectors, ValueRange in);
  Value startOf(Value column, int64_t vector);

  KernelBuilder &k;
  const TileCall &p;
  bool isInteger;
  Type lane;
  VectorType lanes;
};

} // namespace

Value TileEmitter::startOf(Value column, int64_t vector) {
  if (!isInteger)
    return k.splat(0);
  Value place = k.at(k.at(p.start, k.mul(column, 4)), vector * kVectorBytes);
  Value start = k.load(lanes, place);
  return k.mul(start, k.broadcast(k.truncate(p.factor, k.i32Type())));
}

/// Adds what a tap contributes; carried are the sums and the place in the
/// panel.
Values TileEmitter::emitTap(Value pointers, int64_t rows, int64_t vectors,
                            ValueRange in) {
  Values pixels;
  for (int64_t row = 0; row < rows; ++row)
    pixels.push_back(k.load(p.table.getType(), pointers, row * 8));
  Values carried(in);
  carried.push_back(k.size(0));
  carried = k.loop(p.steps, 1, carried, [&](Value, ValueRange in) {
    Values next(in);
    Value offset = next.pop_back_val(), position = next.pop_back_val();
    Values b;
    for (int64_t v = 0; v < vectors; ++v)
      b.push_back(k.load(lanes, position, v * kVectorBytes));
    for (int64_t row = 0; row < rows; ++row) {
      Value x = k.loadBroadcast(lane, k.at(pixels[row], offset));
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = next[row * vectors + v];
        sum = isInteger ? k.dotExact(sum, x, b[v]) : k.fma(x, b[v], sum);
      }
    }
    next.push_back(k.at(position, kRowBytes));
    next.push_back(k.add(offset, 4));
    return next;
  });
  carried.pop_back();
  return carried;
}

/// A tile of `rows` x 16 `vectors` at row `first` and column `column`.
void TileEmitter::emitTile(Value first, Value column, int64_t rows,
                           int64_t vectors) {
  Value bytes = k.mul(column, 4);
  Value pointers = k.at(p.table, k.mul(first, 8));
  Values start;
  for (int64_t v = 0; v < vectors; ++v)
    start.push_back(startOf(column, v));
  Values sums;
  for (int64_t row = 0; row < rows; ++row)
    sums.append(start.begin(), start.end());
  sums.push_back(k.at(p.panel, bytes));
  sums = k.loop(p.taps, 1, sums, [&](Value tap, ValueRange in) {
    return emitTap(k.at(pointers, k.mul(tap, p.tapBytes)), rows, vectors, in);
  });
  Value c = k.at(k.at(p.c, k.mul(first, kRowBytes)), bytes);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t v = 0; v < vectors; ++v)
      k.store(sums[row * vectors + v],
              k.at(c, row * kRowBytes + v * kVectorBytes));
}

/// All rows of 16 `vectors` columns at `column`, in tiles of 6 rows; the rest
/// in tiles of 4, 2 and 1.
void TileEmitter::emitRows(Value column, int64_t vectors) {
  constexpr int64_t kTileRows = 6;
  Value whole = k.mul(k.div(p.rows, kTileRows), kTileRows);
  k.loop(k.size(0), whole, k.size(kTileRows),
         [&](Value row) { emitTile(row, column, kTileRows, vectors); });
  Value first = whole, left = k.sub(p.rows, whole);
  for (int64_t rows : {4, 2, 1}) {
    Value bit = k.bitAnd(left, rows);
    k.ifThen(k.equal(bit, rows),
             [&] { emitTile(first, column, rows, vectors); });
    first = k.add(first, bit);
  }
}

void TileEmitter::emit() {
  if (!k.hasAvx512()) {
    k.loop(p.columns, kLanes, [&](Value column) { emitRows(column, 1); });
    return;
  }
  Value vectors = k.divideCeil(p.columns, kLanes);
  k.switchOn(vectors, 1, 4, [&](int64_t count) { emitRows(k.size(0), count); });
}

func::FuncOp convTile(ModuleOp module, Isa isa, bool isInteger) {
  return getOrCreateFunction(
      module, isInteger ? "conv_tile_u8s8" : "conv_tile_f32", "piiippipii", isa,
      [=](KernelBuilder &k, ValueRange in) {
        TileCall call{in[0], in[1], in[2], in[3], in[4],
                      in[5], in[6], in[7], in[8], in[9]};
        TileEmitter(k, call, isInteger).emit();
      });
}

} // namespace llmopt::graph
