//===- Conv.cpp - Convolutions ----------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A group of a convolution is the product of its weights, [channels of the
// result, channels x kernel], and the patches [channels x kernel, pixels of the
// result], which only ever exist as panels of a task.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Conv.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/GemmKernel.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// An attribute with an entry for each spatial dimension, all at least 1.
static FailureOr<SmallVector<int64_t>> steps(Node &node, StringRef name,
                                             int64_t rank) {
  auto values = node.integers(name).value_or(SmallVector<int64_t>(rank, 1));
  if (int64_t(values.size()) != rank)
    return node.refuse(name + " has " + Twine(values.size()) +
                       " entries, expected " + Twine(rank));
  for (int64_t value : values)
    if (value < 1)
      return node.refuse(name + " has the entry " + Twine(value) +
                         ", expected at least 1");
  return values;
}

/// Sizes of the result and zeros before the input along one dimension.
static LogicalResult placeWindows(Node &node, Windows &w, int64_t axis,
                                  StringRef autoPad, ArrayRef<int64_t> pads) {
  GraphBuilder &g = node.g;
  int64_t stride = w.strides[axis];
  Value input = w.input[axis], zero = g.number(0);
  Value extent = g.add(g.mul(g.sub(w.kernel[axis], 1), w.dilations[axis]), 1);
  if (autoPad.starts_with("SAME")) {
    Value size = g.divideCeil(input, g.number(stride));
    Value covered = g.add(g.mul(g.sub(size, 1), stride), extent);
    Value total = g.max(g.sub(covered, input), 0);
    if (autoPad == "SAME_LOWER")
      total = g.add(total, 1);
    w.output.push_back(size);
    w.pads.push_back(g.div(total, 2));
    return success();
  }
  Value before = zero, padded = input;
  if (autoPad == "NOTSET") {
    int64_t rank = w.rank();
    before = g.number(pads[axis]);
    padded = g.add(input, pads[axis] + pads[axis + rank]);
  }
  Value room = g.sub(padded, extent);
  Value size = g.add(g.div(g.max(room, 0), stride), 1);
  size = g.select(g.less(room, zero), zero, size);
  g.markDimension(size);
  w.output.push_back(size);
  w.pads.push_back(before);
  return success();
}

static LogicalResult checkKernel(Node &node, const Windows &w) {
  std::optional<SmallVector<int64_t>> shape = node.integers("kernel_shape");
  if (!shape)
    return success();
  if (int64_t(shape->size()) != w.rank())
    return node.refuse("kernel_shape has " + Twine(shape->size()) +
                       " entries, expected " + Twine(w.rank()));
  for (auto [wanted, dim] : llvm::zip_equal(*shape, w.kernel)) {
    std::optional<int64_t> size = node.g.known(dim);
    if (size && *size != wanted)
      return node.refuse("kernel_shape says " + Twine(wanted) +
                         ", but the weights have " + Twine(*size));
    node.g.require(node.g.equal(dim, wanted),
                   node.describe() + ": the weights do not fit kernel_shape");
  }
  return success();
}

/// Checks channels against groups.
static LogicalResult checkChannels(Node &node, const Tensor &input,
                                   const Tensor &weights, int64_t groups) {
  GraphBuilder &g = node.g;
  if (groups < 1)
    return node.refuse("group is " + Twine(groups) + ", expected at least 1");
  Value channels = input.dims[1], expected = g.mul(weights.dims[1], groups);
  std::optional<int64_t> have = g.known(channels), want = g.known(expected);
  if (have && want && *have != *want)
    return node.refuse("the input has " + Twine(*have) +
                       " channels, but the weights and group ask for " +
                       Twine(*want));
  g.require(g.equal(channels, expected),
            node.describe() + ": the weights do not fit the input's channels");
  std::optional<int64_t> results = g.known(weights.dims[0]);
  if (results && *results % groups)
    return node.refuse(Twine(*results) + " channels of the result are no " +
                       "multiple of group " + Twine(groups));
  g.require(g.equal(g.rem(weights.dims[0], groups), 0),
            node.describe() + ": channels are no multiple of group");
  return success();
}

FailureOr<Windows> convWindows(Node &node, const Tensor &input,
                               const Tensor &weights) {
  int64_t rank = input.rank() - 2;
  if (rank < 1 || weights.rank() != input.rank())
    return node.refuse("the input has " + Twine(input.rank()) +
                       " dimensions and the weights " + Twine(weights.rank()) +
                       ", expected the same number, at least 3");
  Windows w;
  w.groups = node.attribute("group", int64_t(1));
  if (failed(checkChannels(node, input, weights, w.groups)))
    return failure();
  auto strides = steps(node, "strides", rank);
  auto dilations = steps(node, "dilations", rank);
  if (failed(strides) || failed(dilations))
    return failure();
  w.strides = *strides;
  w.dilations = *dilations;
  w.input.assign(input.dims.begin() + 2, input.dims.end());
  w.kernel.assign(weights.dims.begin() + 2, weights.dims.end());
  if (failed(checkKernel(node, w)))
    return failure();
  std::string autoPad = node.attribute("auto_pad", StringRef("NOTSET"));
  if (autoPad != "NOTSET" && autoPad != "VALID" && autoPad != "SAME_UPPER" &&
      autoPad != "SAME_LOWER")
    return node.refuse("auto_pad is '" + autoPad +
                       "', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER");
  auto pads = node.integers("pads").value_or(SmallVector<int64_t>(2 * rank, 0));
  if (int64_t(pads.size()) != 2 * rank)
    return node.refuse("pads has " + Twine(pads.size()) +
                       " entries, expected " + Twine(2 * rank));
  for (int64_t pad : pads)
    if (pad < 0)
      return node.refuse("pads has the entry " + Twine(pad) +
                         ", expected at least 0");
  for (int64_t axis = 0; axis < rank; ++axis)
    if (failed(placeWindows(node, w, axis, autoPad, pads)))
      return failure();
  return w;
}

//===----------------------------------------------------------------------===//
// Patches
//===----------------------------------------------------------------------===//

/// Copies a part of the patches of a group, element by element. `data` points
/// to the group's channels.
static void copyPatches(GraphBuilder &g, const Windows &w, Value channels,
                        Value data, const PanelPart &part, Value target) {
  Values rowDims = {channels};
  rowDims.append(w.kernel.begin(), w.kernel.end());
  Value zero = g.constant(g.b.getF32Type(), 0);
  g.loop(part.rows, [&](Value k) {
    Values row = g.delinearize(g.add(part.firstRow, k), rowDims);
    Value targetRow = g.at(target, g.mul(k, kPanelColumns * 4));
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
      Value element = g.ifElse(
          inside, {g.b.getF32Type()},
          [&]() -> Values {
            return {g.load(g.b.getF32Type(), g.at(data, g.mul(offset, 4)))};
          },
          [&]() -> Values { return {zero}; })[0];
      g.store(element, g.at(targetRow, g.mul(j, 4)));
    });
    g.loop(part.columns, g.number(kPanelColumns), g.number(1),
           [&](Value j) { g.store(zero, g.at(targetRow, g.mul(j, 4))); });
  });
}

/// True if the patches are the input itself.
static bool isPointwise(GraphBuilder &g, const Windows &w) {
  for (int64_t axis = 0; axis < w.rank(); ++axis)
    if (!g.isKnown(w.kernel[axis], 1) || w.strides[axis] != 1 ||
        !g.isKnown(w.pads[axis], 0) || !g.same(w.input[axis], w.output[axis]))
      return false;
  return true;
}

static LogicalResult emitConv(Node &node) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  if (node.input(1).type != type ||
      (node.hasInput(2) && node.input(2).type != type))
    return node.refuse("its inputs have different element types");
  if (!type.compute().isF32() || type.isMiniFloat())
    return node.refuse("expected elements of f32, f16 or bf16");
  Tensor x = productOperand(g, node.input(0));
  FailureOr<Windows> windows = convWindows(node, x, node.input(1));
  if (failed(windows))
    return failure();
  const Windows &w = *windows;
  Tensor weights = productOperand(g, node.input(1));
  Values dims = {x.dims[0], weights.dims[0]};
  dims.append(w.output.begin(), w.output.end());
  Tensor y = g.allocateTensor(g.b.getF32Type(), dims);

  Value groups = g.number(w.groups), channels = weights.dims[1];
  Value pixelsIn = g.product(w.input), pixels = g.product(w.output);
  ProductShape shape;
  shape.batch = g.mul(x.dims[0], groups);
  shape.rows = g.div(weights.dims[0], groups);
  shape.columns = pixels;
  shape.depth = g.mul(channels, g.product(w.kernel));
  Value one = g.number(1);
  ElementType f32 = g.b.getF32Type();
  auto inputOf = [&](Value batch) {
    Value offset = g.product({batch, channels, pixelsIn});
    return Matrix{g.at(x.buffer->data, g.mul(offset, 4)), f32, pixelsIn, one};
  };
  auto weightsOf = [&](Value batch) {
    Value group = g.rem(batch, groups);
    Value offset = g.product({group, shape.rows, shape.depth});
    return Matrix{g.at(weights.buffer->data, g.mul(offset, 4)), f32,
                  shape.depth, one};
  };
  auto resultOf = [&](Value batch) {
    Value offset = g.product({batch, shape.rows, pixels});
    return Matrix{g.at(y.buffer->data, g.mul(offset, 4)), f32, pixels, one};
  };
  Epilogue epilogue;
  if (node.hasInput(2)) {
    Tensor bias = productOperand(g, node.input(2));
    epilogue = [&g, bias, groups, shape](Value sum, const Access &access) {
      Value channel = g.add(g.mul(g.rem(access.indices[0], groups), shape.rows),
                            access.indices[1]);
      Value value = g.splat(g.loadElement(bias, channel), access.lanes);
      return Value(arith::AddFOp::create(g.b, g.loc, sum, value));
    };
  }
  if (isPointwise(g, w))
    emitProducts(g, shape, weightsOf, inputOf, resultOf, epilogue);
  else
    emitPanelProducts(
        g, shape, weightsOf,
        [&](const PanelPart &part, Value target) {
          copyPatches(g, w, channels, inputOf(part.batch).data, part, target);
        },
        resultOf, epilogue);
  node.setResult(0, convertedTo(g, y, type));
  return success();
}

static const OperatorRow rows[] = {
    {"Conv", emitConv, 2, 3},
};

ArrayRef<OperatorRow> convOperators() { return rows; }

} // namespace llmopt::graph
