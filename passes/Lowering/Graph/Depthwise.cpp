//===- Depthwise.cpp - Convolutions of one channel at a time ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Depthwise.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Kernels/KernelFunction.h"

using namespace mlir;

namespace llmopt::graph {

/// Places of the kernel that are worth code of their own.
static constexpr int64_t kMostPlaces = 49;
/// Sums of integers that a task holds.
static constexpr int64_t kSumsOfTask = 4096;

namespace {

enum class Pixels { F32, U8, S8 };

/// What a function is made for.
struct DepthwiseKey {
  Pixels pixels;
  int64_t kernelHeight, kernelWidth, strideWidth;

  std::string name() const {
    const char *type = pixels == Pixels::F32  ? "f32"
                       : pixels == Pixels::U8 ? "u8"
                                              : "s8";
    return "depthwise_" + std::string(type) + "_" +
           std::to_string(kernelHeight) + "x" + std::to_string(kernelWidth) +
           "_" + std::to_string(strideWidth);
  }
  int64_t bytes() const { return pixels == Pixels::F32 ? 4 : 1; }
};

/// Arguments of a function: a plane of the input, weights and rows of the
/// result. Weights and results are f32 or i32, of which weights use 16 bits.
struct RowsCall {
  Value x, weights, y, start, height, width, strideHeight, dilationHeight,
      dilationWidth, top, left, rows, columns, rowBytes, fill;
};
constexpr llvm::StringLiteral kRowsSignature = "pppiiiiiiiiiiii";

class RowEmitter {
public:
  RowEmitter(KernelBuilder &k, const DepthwiseKey &key, const RowsCall &p)
      : k(k), key(key), p(p) {}

  void emit();

private:
  bool isFloat() const { return key.pixels == Pixels::F32; }
  Value loadLanes(Value line, Value column, Value end);
  Value loadPixels(Value line, Value column, Value end);
  void emitVector(Value target, Value column, Value top, Value count,
                  bool inside);

  KernelBuilder &k;
  const DepthwiseKey &key;
  const RowsCall &p;
  Values weights;
  Value fills, start;
};

} // namespace

/// 16 stored pixels of a line; without an end, all are in the image.
Value RowEmitter::loadLanes(Value line, Value column, Value end) {
  Type element = isFloat() ? k.f32Type() : k.i8Type();
  Type vector = VectorType::get(kLanes, element);
  Value from = k.at(line, k.mul(column, key.bytes()));
  if (!end)
    return k.load(vector, from);
  // Columns before the first one are large unsigned numbers.
  Value columns =
      k.add(k.laneIndices(), k.broadcast(k.truncate(column, k.i32Type())));
  Value mask = k.less(columns, k.broadcast(k.truncate(end, k.i32Type())));
  return k.loadMasked(vector, from, mask, fills);
}

Value RowEmitter::loadPixels(Value line, Value column, Value end) {
  Value pixels = loadLanes(line, column, end);
  if (key.strideWidth == 2)
    pixels = k.evenLanes(pixels, loadLanes(line, k.add(column, kLanes), end));
  if (isFloat())
    return pixels;
  return key.pixels == Pixels::U8 ? k.zeroExtend(pixels, k.ints())
                                  : k.signExtend(pixels, k.ints());
}

/// 16 results from a column on, of the row whose window begins at line `top`.
void RowEmitter::emitVector(Value target, Value column, Value top, Value count,
                            bool inside) {
  Value sum = start;
  Value left = k.add(k.mul(column, key.strideWidth), p.left);
  for (int64_t i = 0; i < key.kernelHeight; ++i) {
    Value y = k.add(top, k.mul(p.dilationHeight, i));
    Value line = k.at(p.x, k.mul(k.mul(y, p.width), key.bytes()));
    Value end;
    if (!inside)
      end = k.select(k.less(y, p.height), p.width, k.size(0));
    for (int64_t j = 0; j < key.kernelWidth; ++j) {
      Value pixels =
          loadPixels(line, k.add(left, k.mul(p.dilationWidth, j)), end);
      Value weight = weights[i * key.kernelWidth + j];
      sum = isFloat() ? k.fma(pixels, weight, sum)
                      : k.dotPairs(sum, pixels, weight);
    }
  }
  k.storeFloats(k.bitcast(sum, k.floats()), target, count);
}

void RowEmitter::emit() {
  Type lane = isFloat() ? k.f32Type() : k.i32Type();
  for (int64_t i = 0; i < key.kernelHeight * key.kernelWidth; ++i)
    weights.push_back(k.loadBroadcast(lane, k.at(p.weights, 4 * i)));
  start = k.broadcast(k.bitcast(k.truncate(p.start, k.i32Type()), lane));
  fills =
      isFloat() ? k.splat(0.0f) : k.broadcast(k.truncate(p.fill, k.i8Type()));
  // Lines and columns that the windows of a vector span.
  Value lines = k.add(k.mul(p.dilationHeight, key.kernelHeight - 1), 1);
  Value span = k.add(k.mul(p.dilationWidth, key.kernelWidth - 1),
                     kLanes * key.strideWidth);
  auto fits = [&](Value first, Value length, Value size) {
    // A first one before 0 is a large unsigned number.
    Value isStarted = k.less(first, size);
    return k.bitAnd(isStarted, k.less(k.sub(k.add(first, length), 1), size));
  };
  k.loop(p.rows, 1, [&](Value row) {
    Value top = k.add(k.mul(row, p.strideHeight), p.top);
    Value target = k.at(p.y, k.mul(row, p.rowBytes));
    Value hasLines = fits(top, lines, p.height);
    k.loop(p.columns, kLanes, [&](Value column) {
      Value left = k.add(k.mul(column, key.strideWidth), p.left);
      Value inside = k.bitAnd(hasLines, fits(left, span, p.width));
      Value to = k.at(target, k.mul(column, 4));
      Value count = k.sub(p.columns, column);
      Value outside = k.bitXor(inside, k.constant(inside.getType(), 1));
      k.ifThen(inside, [&] { emitVector(to, column, top, count, true); });
      k.ifThen(outside, [&] { emitVector(to, column, top, count, false); });
    });
  });
}

static func::FuncOp rowFunction(GraphBuilder &g, const DepthwiseKey &key) {
  return getOrCreateFunction(moduleOf(g), key.name(), kRowsSignature,
                             g.targetIsa, [=](KernelBuilder &k, ValueRange in) {
                               RowsCall call{in[0],  in[1],  in[2],  in[3],
                                             in[4],  in[5],  in[6],  in[7],
                                             in[8],  in[9],  in[10], in[11],
                                             in[12], in[13], in[14]};
                               RowEmitter(k, key, call).emit();
                             });
}

//===----------------------------------------------------------------------===//
// Planes
//===----------------------------------------------------------------------===//

bool isDepthwise(GraphBuilder &g, const Convolution &conv) {
  const Windows &w = conv.windows;
  if (!g.isKnown(w.channels, 1) || w.rank() > 2 || w.strides.back() > 2)
    return false;
  int64_t places = 1;
  for (Value size : w.kernel) {
    std::optional<int64_t> known = g.known(size);
    if (!known || *known > kMostPlaces)
      return false;
    places *= *known;
  }
  return places > 0 && places <= kMostPlaces;
}

namespace {

/// The planes of a convolution, with a dimension of height in any case.
struct Planes {
  Value height, width, outputHeight, outputWidth, padTop, padLeft;
  int64_t strideHeight = 1, dilationHeight = 1;
  DepthwiseKey key;
  int64_t dilationWidth;

  Planes(GraphBuilder &g, const Windows &w, Pixels pixels) {
    Value one = g.number(1);
    bool isPlane = w.rank() == 2;
    size_t last = w.rank() - 1;
    height = isPlane ? w.input[0] : one;
    outputHeight = isPlane ? w.output[0] : one;
    padTop = isPlane ? w.pads[0] : g.number(0);
    if (isPlane) {
      strideHeight = w.strides[0];
      dilationHeight = w.dilations[0];
    }
    width = w.input[last];
    outputWidth = w.output[last];
    padLeft = w.pads[last];
    dilationWidth = w.dilations[last];
    key = {pixels, isPlane ? *g.known(w.kernel[0]) : 1,
           *g.known(w.kernel[last]), w.strides[last]};
  }

  int64_t places() const { return key.kernelHeight * key.kernelWidth; }

  /// Computes rows of the result; `start` and `fill` are i64.
  void call(GraphBuilder &g, Value x, Value weights, Value y, Value start,
            Value firstRow, Value rows, Value firstColumn, Value columns,
            Value rowBytes, Value fill) const {
    Value top = g.sub(g.mul(firstRow, strideHeight), padTop);
    Value left = g.sub(g.mul(firstColumn, key.strideWidth), padLeft);
    func::CallOp::create(
        g.b, g.loc, rowFunction(g, key),
        ValueRange{x, weights, y, start, height, width, g.number(strideHeight),
                   g.number(dilationHeight), g.number(dilationWidth), top, left,
                   rows, columns, rowBytes, fill});
  }
};

} // namespace

/// Calls body(batch, row of the product) for all planes of the result.
static void forPlanes(GraphBuilder &g, const Convolution &conv, int64_t places,
                      llvm::function_ref<void(Value, Value)> body) {
  const ProductShape &shape = conv.shape;
  Value work = g.mul(shape.columns, places);
  g.parallelFor(g.mul(shape.batch, shape.rows), work, [&](Value plane) {
    Values place = g.delinearize(plane, {shape.batch, shape.rows});
    body(place[0], place[1]);
  });
}

static Value bitsOf(GraphBuilder &g, Value value) {
  Type i32 = g.b.getI32Type(), i64 = g.b.getI64Type();
  if (isa<FloatType>(value.getType()))
    value = arith::BitcastOp::create(g.b, g.loc, i32, value);
  return arith::ExtSIOp::create(g.b, g.loc, i64, value);
}

void emitDepthwise(GraphBuilder &g, const Convolution &conv,
                   const Tensor &result,
                   const std::function<Value(Value)> &bias,
                   const Epilogue &epilogue) {
  Planes planes(g, conv.windows, Pixels::F32);
  Value zero = g.number(0), pixels = conv.shape.columns;
  forPlanes(g, conv, planes.places(), [&](Value batch, Value row) {
    Value start = g.constant(g.b.getF32Type(), 0);
    if (bias)
      start = bias(conv.channelOf(g, batch, row));
    Access first{{batch, row, zero}, nullptr, 1};
    Value y = g.at(result.buffer->data, g.mul(conv.elementOf(g, first), 4));
    planes.call(g, conv.input(batch).data, conv.weights(batch).at(g, row, zero),
                y, bitsOf(g, start), zero, planes.outputHeight, zero,
                planes.outputWidth, g.mul(planes.outputWidth, 4), zero);
    if (!epilogue)
      return;
    forVectors(g, pixels, [&](Value pixel, int64_t lanes) {
      Value place = g.at(y, g.mul(pixel, 4));
      Value value = g.load(g.withLanes(g.b.getF32Type(), lanes), place);
      Access access{{batch, row, pixel}, nullptr, lanes};
      g.store(epilogue(value, access), place);
    });
  });
}

/// Writes the weights of a channel, less their zero point, as 16 bits in i32.
/// Returns their sum.
static Value prepareWeights(GraphBuilder &g, const Matrix &weights, Value row,
                            int64_t places, Value zero, Value target) {
  Type i32 = g.b.getI32Type();
  return g.loop(
      g.number(places), {g.integer(i32, 0)},
      [&](Value place, ValueRange in) -> Values {
        Value stored = g.load(g.b.getI8Type(), weights.at(g, row, place));
        Value value =
            weights.type.isUnsigned()
                ? Value(arith::ExtUIOp::create(g.b, g.loc, i32, stored))
                : Value(arith::ExtSIOp::create(g.b, g.loc, i32, stored));
        if (zero)
          value = arith::SubIOp::create(g.b, g.loc, value, zero);
        Value half =
            arith::AndIOp::create(g.b, g.loc, value, g.integer(i32, 0xffff));
        g.store(half, g.at(target, g.mul(place, 4)));
        return {arith::AddIOp::create(g.b, g.loc, in[0], value)};
      })[0];
}

void emitDepthwise(GraphBuilder &g, const Convolution &conv,
                   const DepthwiseZeros &zeros, const SumSink &sink) {
  bool isUnsigned = conv.input(g.number(0)).type.isUnsigned();
  Planes planes(g, conv.windows, isUnsigned ? Pixels::U8 : Pixels::S8);
  Value zero = g.number(0), width = planes.outputWidth;
  // Parts of the plane that fit the sums of a task.
  Value partColumns = g.min(width, kSumsOfTask);
  Value partRows = g.div(g.number(kSumsOfTask), g.max(partColumns, 1));
  forPlanes(g, conv, planes.places(), [&](Value batch, Value row) {
    Value weights = g.scratch(planes.places() * 4);
    Value sums = g.scratch(kSumsOfTask * 4);
    Value weightZero;
    if (zeros.weights)
      weightZero = zeros.weights(conv.channelOf(g, batch, row));
    Value total = prepareWeights(g, conv.weights(batch), row, planes.places(),
                                 weightZero, weights);
    Value start = arith::MulIOp::create(g.b, g.loc, total, zeros.input);
    start =
        arith::SubIOp::create(g.b, g.loc, g.integer(start.getType(), 0), start);
    Value image = conv.input(batch).data;
    g.loop(zero, planes.outputHeight, g.max(partRows, 1), [&](Value y) {
      Value rows = g.min(g.sub(planes.outputHeight, y), partRows);
      g.loop(zero, width, g.max(partColumns, 1), [&](Value x) {
        Value columns = g.min(g.sub(width, x), partColumns);
        planes.call(g, image, weights, sums, bitsOf(g, start), y, rows, x,
                    columns, g.mul(columns, 4), bitsOf(g, zeros.input));
        g.loop(rows, [&](Value i) {
          Value line = g.mul(i, columns);
          Value first = g.add(g.mul(g.add(y, i), width), x);
          forVectors(g, columns, [&](Value j, int64_t lanes) {
            Value value = g.load(g.withLanes(g.b.getI32Type(), lanes),
                                 g.at(sums, g.mul(g.add(line, j), 4)));
            Access access{{batch, row, g.add(first, j)}, nullptr, lanes};
            sink(value, access);
          });
        });
      });
    });
  });
}

} // namespace llmopt::graph
