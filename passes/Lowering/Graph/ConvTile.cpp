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

/// Arguments of window_pointers, in order; all but the table are i64.
struct WindowCall {
  Value data, outside, table, tapBytes, first, rows, height, width,
      outputHeight, outputWidth, kernelHeight, kernelWidth, strideHeight,
      strideWidth, dilationHeight, dilationWidth, padTop, padLeft, pixelBytes;
};

/// Where the windows of pixels begin: numbers of lines and columns, and of the
/// first line of the image; one array of i64 each.
struct PlaceArrays {
  Value lines, columns, images;
};

/// Addresses that are computed at a time.
constexpr int64_t kAddresses = kLanes;

/// Emits window_pointers.
class WindowEmitter {
public:
  WindowEmitter(KernelBuilder &k, const WindowCall &p)
      : k(k), p(p), lanes(VectorType::get(kAddresses, k.i64Type())) {}

  void emit();

private:
  PlaceArrays makeArrays();
  void emitPlaces(const PlaceArrays &places);
  void emitTap(const PlaceArrays &places, Value i, Value j, Value target);

  KernelBuilder &k;
  const WindowCall &p;
  VectorType lanes;
};

} // namespace

/// Behind the table and what the last vector may write (see windowTableBytes).
PlaceArrays WindowEmitter::makeArrays() {
  Value taps = k.mul(p.kernelHeight, p.kernelWidth);
  Value bytes = k.roundUp(p.tapBytes, kAddresses * 8);
  Value lines = k.at(k.at(p.table, k.mul(taps, p.tapBytes)), kAddresses * 8);
  Value columns = k.at(lines, bytes);
  return {lines, columns, k.at(columns, bytes)};
}

void WindowEmitter::emitPlaces(const PlaceArrays &places) {
  Value plane = k.mul(p.outputHeight, p.outputWidth), zero = k.size(0);
  Value image = k.div(p.first, plane), rest = k.rem(p.first, plane);
  Values start = {image, k.div(rest, p.outputWidth),
                  k.rem(rest, p.outputWidth)};
  k.loop(p.rows, 1, start, [&](Value row, ValueRange in) -> Values {
    Value offset = k.mul(row, 8);
    k.store(k.sub(k.mul(in[1], p.strideHeight), p.padTop),
            k.at(places.lines, offset));
    k.store(k.sub(k.mul(in[2], p.strideWidth), p.padLeft),
            k.at(places.columns, offset));
    k.store(k.mul(in[0], p.height), k.at(places.images, offset));
    Value column = k.add(in[2], 1);
    Value isEnd = k.bitAnd(k.less(p.outputWidth, k.add(column, 1)),
                           k.less(zero, p.outputWidth));
    Value line = k.select(isEnd, k.add(in[1], 1), in[1]);
    Value isLast = k.less(p.outputHeight, k.add(line, 1));
    return {k.select(isLast, k.add(in[0], 1), in[0]),
            k.select(isLast, zero, line), k.select(isEnd, zero, column)};
  });
}

/// The addresses of one tap of all pixels. The last vector may go over the end,
/// to taps that are computed later.
void WindowEmitter::emitTap(const PlaceArrays &places, Value i, Value j,
                            Value target) {
  Value down = k.broadcast(k.mul(i, p.dilationHeight));
  Value right = k.broadcast(k.mul(j, p.dilationWidth));
  Value height = k.broadcast(p.height), width = k.broadcast(p.width);
  Value data = k.broadcast(p.data), outside = k.broadcast(p.outside);
  Value pixelBytes = k.broadcast(p.pixelBytes);
  k.loop(k.size(0), p.rows, k.size(kAddresses), [&](Value row) {
    Value offset = k.mul(row, 8);
    Value y = k.add(k.load(lanes, k.at(places.lines, offset)), down);
    Value x = k.add(k.load(lanes, k.at(places.columns, offset)), right);
    Value image = k.load(lanes, k.at(places.images, offset));
    // Places before the image are large unsigned numbers.
    Value isInside = k.bitAnd(k.less(y, height), k.less(x, width));
    Value pixel = k.add(k.mul(k.add(image, y), width), x);
    Value inside = k.add(data, k.mul(pixel, pixelBytes));
    k.store(k.select(isInside, inside, outside), k.at(target, offset));
  });
}

void WindowEmitter::emit() {
  PlaceArrays places = makeArrays();
  emitPlaces(places);
  k.loop(p.kernelHeight, 1, {p.table}, [&](Value i, ValueRange in) -> Values {
    return k.loop(p.kernelWidth, 1, in, [&](Value j, ValueRange in) -> Values {
      emitTap(places, i, j, in[0]);
      return {k.at(in[0], p.tapBytes)};
    });
  });
}

int64_t windowTableBytes(int64_t taps, int64_t rows) {
  int64_t places = 3 * llvm::alignTo(rows, kAddresses);
  return (taps * rows + kAddresses + places) * 8;
}

func::FuncOp windowPointers(ModuleOp module, Isa isa) {
  return getOrCreateFunction(
      module, "window_pointers", "iipiiiiiiiiiiiiiiii", isa,
      [](KernelBuilder &k, ValueRange in) {
        WindowCall call{in[0],  in[1],  in[2],  in[3],  in[4],  in[5],  in[6],
                        in[7],  in[8],  in[9],  in[10], in[11], in[12], in[13],
                        in[14], in[15], in[16], in[17], in[18]};
        WindowEmitter(k, call).emit();
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
