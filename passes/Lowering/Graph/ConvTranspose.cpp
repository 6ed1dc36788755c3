//===- ConvTranspose.cpp - Transposed convolutions --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product of the weights, [channels of the result x kernel, channels], and
// the input, [channels, pixels], gives what every pixel of the input adds to
// every place around it; an element of the result is the sum of what reaches
// it.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Conv.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

/// Size of the result and what is cut off before it, along one dimension.
static void placeResult(Node &node, Windows &w, int64_t axis,
                        ArrayRef<int64_t> pads, int64_t extra) {
  GraphBuilder &g = node.g;
  std::string autoPad = node.attribute("auto_pad", StringRef("NOTSET"));
  auto shape = node.integers("output_shape");
  int64_t rank = w.rank(), stride = w.strides[axis];
  Value extent = g.add(g.mul(g.sub(w.kernel[axis], 1), w.dilations[axis]), 1);
  Value full =
      g.add(g.add(g.mul(g.sub(w.input[axis], 1), stride), extra), extent);
  bool isSame = StringRef(autoPad).starts_with("SAME");
  if (!shape && !isSame) {
    bool isValid = autoPad == "VALID";
    int64_t before = isValid ? 0 : pads[axis];
    int64_t after = isValid ? 0 : pads[axis + rank];
    w.output.push_back(g.max(g.sub(full, before + after), 0));
    w.pads.push_back(g.number(before));
    g.markDimension(w.output.back());
    return;
  }
  Value size = g.mul(w.input[axis], stride);
  if (shape)
    size = g.number((*shape)[shape->size() - rank + axis]);
  Value total = g.max(g.sub(full, size), 0);
  Value half = g.div(total, 2);
  w.output.push_back(size);
  w.pads.push_back(autoPad == "SAME_UPPER" ? half : g.sub(total, half));
}

static LogicalResult checkLength(Node &node, StringRef name, size_t length,
                                 size_t expected) {
  if (length == expected)
    return success();
  return node.refuse(name + " has " + Twine(length) + " entries, expected " +
                     Twine(expected));
}

static FailureOr<Windows> transposedWindows(Node &node, const Tensor &input,
                                            const Tensor &weights) {
  GraphBuilder &g = node.g;
  int64_t rank = input.rank() - 2;
  if (rank < 1 || weights.rank() != input.rank())
    return node.refuse("the input has " + Twine(input.rank()) +
                       " dimensions and the weights " + Twine(weights.rank()) +
                       ", expected the same number, at least 3");
  std::optional<int64_t> have = g.known(input.dims[1]),
                         want = g.known(weights.dims[0]);
  if (have && want && *have != *want)
    return node.refuse("the input has " + Twine(*have) +
                       " channels, but the weights have " + Twine(*want));
  g.require(g.equal(input.dims[1], weights.dims[0]),
            node.describe() + ": the weights do not fit the input's channels");
  int64_t groups = node.attribute("group", int64_t(1));
  if (groups < 1 || (want && *want % groups))
    return node.refuse("group is " + Twine(groups) +
                       ", expected a divisor of the channels");
  g.require(g.equal(g.rem(weights.dims[0], groups), 0),
            node.describe() + ": channels are no multiple of group");
  Windows w;
  w.groups = g.number(groups);
  w.channels = g.div(weights.dims[0], groups);
  SmallVector<int64_t> ones(rank, 1), zeros(2 * rank, 0);
  w.strides = node.integers("strides").value_or(ones);
  w.dilations = node.integers("dilations").value_or(ones);
  auto pads = node.integers("pads").value_or(zeros);
  auto extra =
      node.integers("output_padding").value_or(SmallVector<int64_t>(rank, 0));
  if (failed(checkLength(node, "strides", w.strides.size(), rank)) ||
      failed(checkLength(node, "dilations", w.dilations.size(), rank)) ||
      failed(checkLength(node, "pads", pads.size(), 2 * rank)) ||
      failed(checkLength(node, "output_padding", extra.size(), rank)))
    return failure();
  for (int64_t step : llvm::concat<int64_t>(w.strides, w.dilations))
    if (step < 1)
      return node.refuse("strides and dilations must be at least 1");
  auto shape = node.integers("output_shape");
  if (shape && int64_t(shape->size()) != rank &&
      int64_t(shape->size()) != rank + 2)
    return node.refuse("output_shape has " + Twine(shape->size()) +
                       " entries, expected " + Twine(rank));
  w.input.assign(input.dims.begin() + 2, input.dims.end());
  w.kernel.assign(weights.dims.begin() + 2, weights.dims.end());
  for (int64_t axis = 0; axis < rank; ++axis)
    placeResult(node, w, axis, pads, extra[axis]);
  return w;
}

/// The sum of what reaches pixel `pixel` of a channel, whose places begin at
/// `data`.
static Value gatherSum(GraphBuilder &g, const Windows &w, Value data,
                       ArrayRef<Value> pixel, Value start) {
  Value kernel = g.product(w.kernel), pixels = g.product(w.input);
  return g.loop(kernel, {start}, [&](Value place, ValueRange in) -> Values {
    Values at = g.delinearize(place, w.kernel);
    Value inside = g.less(g.number(-1), place), offset = place;
    Value index = g.number(0);
    for (int64_t axis = 0; axis < w.rank(); ++axis) {
      Value reached = g.sub(g.add(pixel[axis], w.pads[axis]),
                            g.mul(at[axis], w.dilations[axis]));
      Value source = g.div(reached, w.strides[axis]);
      inside = g.logicalAnd(inside, g.less(g.number(-1), reached));
      inside = g.logicalAnd(inside,
                            g.equal(g.mul(source, w.strides[axis]), reached));
      inside = g.logicalAnd(inside, g.less(source, w.input[axis]));
      index = g.add(g.mul(index, w.input[axis]), source);
    }
    offset = g.add(g.mul(place, pixels), index);
    return g.ifElse(
        inside, {start.getType()},
        [&]() -> Values {
          Value value = g.load(start.getType(), g.at(data, g.mul(offset, 4)));
          return {arith::AddFOp::create(g.b, g.loc, in[0], value)};
        },
        [&]() -> Values { return {in[0]}; });
  })[0];
}

static LogicalResult emitConvTranspose(Node &node) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  for (size_t i = 1; i < node.inputCount(); ++i)
    if (node.hasInput(i) && node.input(i).type != type)
      return node.refuse("its inputs have different element types");
  if (!type.compute().isF32() || type.isMiniFloat())
    return node.refuse("expected elements of f32, f16 or bf16");
  Tensor x = productOperand(g, node.input(0));
  Tensor weights = productOperand(g, node.input(1));
  FailureOr<Windows> windows = transposedWindows(node, x, weights);
  if (failed(windows))
    return failure();
  const Windows &w = *windows;
  ElementType f32 = g.b.getF32Type();
  Value one = g.number(1), results = weights.dims[1];
  Value kernel = g.product(w.kernel), pixels = g.product(w.input);
  ProductShape shape;
  shape.batch = g.mul(x.dims[0], w.groups);
  shape.rows = g.mul(results, kernel);
  shape.columns = pixels;
  shape.depth = w.channels;
  auto matrixAt = [&](const Tensor &tensor, Value offset, Value rowStride,
                      Value columnStride) {
    return Matrix{g.at(tensor.buffer->data, g.mul(offset, 4)), f32, rowStride,
                  columnStride};
  };
  Tensor places =
      g.allocateTensor(f32, {shape.batch, shape.rows, shape.columns});
  emitProducts(
      g, shape,
      [&](Value batch) {
        Value group = g.rem(batch, w.groups);
        return matrixAt(weights, g.product({group, w.channels, shape.rows}),
                        one, shape.rows);
      },
      [&](Value batch) {
        return matrixAt(x, g.product({batch, w.channels, pixels}), pixels, one);
      },
      [&](Value batch) {
        return matrixAt(places, g.product({batch, shape.rows, pixels}), pixels,
                        one);
      });

  Values dims = {x.dims[0], g.mul(results, w.groups)};
  dims.append(w.output.begin(), w.output.end());
  Tensor y = g.allocateTensor(f32, dims);
  std::optional<Tensor> bias;
  if (node.hasInput(2)) {
    bias = productOperand(g, node.input(2));
    g.require(g.equal(g.count(*bias), dims[1]),
              node.describe() + ": input 2 does not fit the weights");
  }
  Value count = g.product(w.output);
  g.parallelFor(g.mul(x.dims[0], dims[1]), g.mul(count, g.mul(kernel, 8)),
                [&](Value plane) {
                  Value data =
                      g.at(places.buffer->data,
                           g.mul(g.product({plane, kernel, pixels}), 4));
                  Value start = g.constant(g.b.getF32Type(), 0);
                  if (bias)
                    start = g.loadElement(*bias, g.rem(plane, dims[1]));
                  g.loop(count, [&](Value i) {
                    Values pixel = g.delinearize(i, w.output);
                    Value sum = gatherSum(g, w, data, pixel, start);
                    g.storeElement(y, g.add(g.mul(plane, count), i), sum);
                  });
                });
  node.setResult(0, convertedTo(g, y, type));
  return success();
}

static const OperatorRow rows[] = {
    {"ConvTranspose", emitConvTranspose, 2, 3},
};

ArrayRef<OperatorRow> convTransposeOperators() { return rows; }

} // namespace llmopt::graph
