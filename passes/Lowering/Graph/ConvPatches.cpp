//===- ConvPatches.cpp - Copies of what convolutions read -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ConvPatches.h"
#include "passes/Lowering/Graph/GemmKernel.h"
#include "passes/Lowering/Kernels/KernelFunction.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// One or two dimensions: a function
//===----------------------------------------------------------------------===//

namespace {

/// Arguments of the function, in order; all but pointers are i64.
struct PatchCall {
  Value data, target, height, width, kernelHeight, kernelWidth, strideHeight,
      strideWidth, dilationHeight, dilationWidth, padTop, padLeft, outputWidth,
      firstRow, rows, firstColumn, columns, fill;
};
constexpr llvm::StringLiteral kPatchSignature = "ppiiiiiiiiiiiiiiii";

/// Emits the function for elements of a type.
class PatchEmitter {
public:
  PatchEmitter(KernelBuilder &k, Type element, const PatchCall &p)
      : k(k), p(p), element(element), vector(VectorType::get(kLanes, element)),
        bytes(element.getIntOrFloatBitWidth() / 8) {
    Value bits =
        k.truncate(p.fill, IntegerType::get(element.getContext(), bytes * 8));
    fill = k.bitcast(bits, element);
    fills = k.broadcast(fill);
  }

  void emit();

private:
  using CopyLine = llvm::function_ref<void(
      Value source, Value column, Value end, Value length, Value target)>;
  void emitRows(CopyLine copyLine);
  void copyUnit(Value source, Value column, Value end, Value length,
                Value target);
  void copyPairs(Value source, Value column, Value end, Value length,
                 Value target);
  void copySingle(Value source, Value column, Value end, Value length,
                  Value target);
  Value loadLanes(Value source, Value column, Value end);

  KernelBuilder &k;
  const PatchCall &p;
  Type element, vector;
  int64_t bytes;
  Value fill, fills;
};

} // namespace

/// 16 elements from `column` of a line on; columns outside of [0, end) yield
/// the fill.
Value PatchEmitter::loadLanes(Value source, Value column, Value end) {
  // Columns before the first one are large unsigned numbers.
  Value columns =
      k.add(k.laneIndices(), k.broadcast(k.truncate(column, k.i32Type())));
  Value mask = k.less(columns, k.broadcast(k.truncate(end, k.i32Type())));
  return k.loadMasked(vector, k.at(source, k.mul(column, bytes)), mask, fills);
}

void PatchEmitter::copyUnit(Value source, Value column, Value end, Value length,
                            Value target) {
  k.loop(length, kLanes, [&](Value i) {
    k.store(loadLanes(source, k.add(column, i), end),
            k.at(target, k.mul(i, bytes)));
  });
}

void PatchEmitter::copyPairs(Value source, Value column, Value end,
                             Value length, Value target) {
  k.loop(length, kLanes, [&](Value i) {
    Value first = k.add(column, k.mul(i, 2));
    Value low = loadLanes(source, first, end);
    Value high = loadLanes(source, k.add(first, kLanes), end);
    k.store(k.evenLanes(low, high), k.at(target, k.mul(i, bytes)));
  });
}

void PatchEmitter::copySingle(Value source, Value column, Value end,
                              Value length, Value target) {
  k.loop(length, 1, [&](Value i) {
    Value place = k.add(column, k.mul(i, p.strideWidth));
    Value to = k.at(target, k.mul(i, bytes));
    k.store(fill, to);
    k.ifThen(k.less(place, end), [&] {
      k.store(k.load(element, k.at(source, k.mul(place, bytes))), to);
    });
  });
}

/// Rows of patches, each line by line of the result's pixels.
void PatchEmitter::emitRows(CopyLine copyLine) {
  Value zero = k.size(0), lineBytes = k.mul(p.width, bytes);
  Value kernel = k.mul(p.kernelHeight, p.kernelWidth);
  Value firstLine = k.div(p.firstColumn, p.outputWidth);
  Value skipped = k.rem(p.firstColumn, p.outputWidth);
  Value lines =
      k.add(k.div(k.add(skipped, k.sub(p.columns, 1)), p.outputWidth), 1);
  k.loop(p.rows, 1, [&](Value row) {
    Value number = k.add(p.firstRow, row);
    Value channel = k.div(number, kernel), place = k.rem(number, kernel);
    Value top =
        k.sub(k.mul(k.div(place, p.kernelWidth), p.dilationHeight), p.padTop);
    Value left =
        k.sub(k.mul(k.rem(place, p.kernelWidth), p.dilationWidth), p.padLeft);
    Value image = k.at(p.data, k.mul(k.mul(channel, p.height), lineBytes));
    Value target = k.at(p.target, k.mul(row, kPanelColumns * bytes));
    k.loop(lines, 1, [&](Value line) {
      Value isFirst = k.equal(line, 0);
      Value pixel = k.select(isFirst, skipped, zero);
      Value done =
          k.select(isFirst, zero, k.sub(k.mul(line, p.outputWidth), skipped));
      Value length = k.min(k.sub(p.outputWidth, pixel), k.sub(p.columns, done));
      Value y = k.add(k.mul(k.add(firstLine, line), p.strideHeight), top);
      Value column = k.add(k.mul(pixel, p.strideWidth), left);
      Value end = k.select(k.less(y, p.height), p.width, zero);
      copyLine(k.at(image, k.mul(y, lineBytes)), column, end, length,
               k.at(target, k.mul(done, bytes)));
    });
  });
}

void PatchEmitter::emit() {
  auto bind = [&](auto method) {
    return [this, method](Value source, Value column, Value end, Value length,
                          Value target) {
      (this->*method)(source, column, end, length, target);
    };
  };
  k.ifThen(k.equal(p.strideWidth, 1),
           [&] { emitRows(bind(&PatchEmitter::copyUnit)); });
  k.ifThen(k.equal(p.strideWidth, 2),
           [&] { emitRows(bind(&PatchEmitter::copyPairs)); });
  k.ifThen(k.less(k.size(2), p.strideWidth),
           [&] { emitRows(bind(&PatchEmitter::copySingle)); });
}

static func::FuncOp patchFunction(GraphBuilder &g, Type element) {
  bool isFloat = isa<FloatType>(element);
  return getOrCreateFunction(
      moduleOf(g), isFloat ? "copy_patches_f32" : "copy_patches_i8",
      kPatchSignature, g.targetIsa, [=](KernelBuilder &k, ValueRange in) {
        PatchCall call{in[0],  in[1],  in[2],  in[3],  in[4],  in[5],
                       in[6],  in[7],  in[8],  in[9],  in[10], in[11],
                       in[12], in[13], in[14], in[15], in[16], in[17]};
        PatchEmitter(k, element, call).emit();
      });
}

static void callFunction(GraphBuilder &g, const Windows &w, Value data,
                         Value fill, const PanelPart &part, Value target) {
  KernelBuilder k(g.b, g.loc, g.targetIsa);
  Type element = fill.getType();
  bool isPlane = w.rank() == 2;
  size_t last = w.rank() - 1;
  auto upper = [&](const Values &values, int64_t otherwise) {
    return isPlane ? values[0] : g.number(otherwise);
  };
  auto upperStep = [&](ArrayRef<int64_t> steps) {
    return g.number(isPlane ? steps[0] : 1);
  };
  Value bits =
      k.bitcast(fill, g.b.getIntegerType(element.getIntOrFloatBitWidth()));
  k.call(patchFunction(g, element),
         {data, target, upper(w.input, 1), w.input[last], upper(w.kernel, 1),
          w.kernel[last], upperStep(w.strides), g.number(w.strides[last]),
          upperStep(w.dilations), g.number(w.dilations[last]), upper(w.pads, 0),
          w.pads[last], w.output[last], part.firstRow, part.rows,
          part.firstColumn, part.columns,
          k.zeroExtend(bits, g.b.getI64Type())});
}

//===----------------------------------------------------------------------===//
// Any number of dimensions: element by element
//===----------------------------------------------------------------------===//

static void copyElements(GraphBuilder &g, const Windows &w, Value data,
                         Value fill, const PanelPart &part, Value target) {
  Type element = fill.getType();
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  Values rowDims = {w.channels};
  rowDims.append(w.kernel.begin(), w.kernel.end());
  g.loop(part.rows, [&](Value k) {
    Values row = g.delinearize(g.add(part.firstRow, k), rowDims);
    Value targetRow = g.at(target, g.mul(k, kPanelColumns * bytes));
    g.loop(part.columns, [&](Value j) {
      Values pixel = g.delinearize(g.add(part.firstColumn, j), w.output);
      Value inside = g.less(g.number(-1), row[0]), offset = row[0];
      for (int64_t axis = 0; axis < w.rank(); ++axis) {
        Value place = g.sub(g.add(g.mul(pixel[axis], w.strides[axis]),
                                  g.mul(row[axis + 1], w.dilations[axis])),
                            w.pads[axis]);
        inside = g.logicalAnd(inside, g.less(g.number(-1), place));
        inside = g.logicalAnd(inside, g.less(place, w.input[axis]));
        offset = g.add(g.mul(offset, w.input[axis]), place);
      }
      Value value = g.ifElse(
          inside, {element},
          [&]() -> Values {
            return {g.load(element, g.at(data, g.mul(offset, bytes)))};
          },
          [&]() -> Values { return {fill}; })[0];
      g.store(value, g.at(targetRow, g.mul(j, bytes)));
    });
  });
}

void copyPatches(GraphBuilder &g, const Windows &windows, Value data,
                 Value fill, const PanelPart &part, Value target) {
  if (windows.rank() <= 2)
    callFunction(g, windows, data, fill, part, target);
  else
    copyElements(g, windows, data, fill, part, target);
}

} // namespace llmopt::graph
