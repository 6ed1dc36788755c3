//===- Conv.cpp - Convolutions ----------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//

#include "passes/Lowering/Graph/Conv.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/ConvPatches.h"
#include "passes/Lowering/Graph/Depthwise.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/FusedActivation.h"
#include "passes/Lowering/Graph/GraphEmitter.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/PackedConv.h"

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
  int64_t groups = node.attribute("group", int64_t(1));
  w.groups = node.g.number(groups);
  w.channels = weights.dims[1];
  if (failed(checkChannels(node, input, weights, groups)))
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
// Products
//===----------------------------------------------------------------------===//

/// True if the patches are the input itself.
static bool isPointwise(GraphBuilder &g, const Windows &w) {
  for (int64_t axis = 0; axis < w.rank(); ++axis)
    if (!g.isKnown(w.kernel[axis], 1) || w.strides[axis] != 1 ||
        !g.isKnown(w.pads[axis], 0) || !g.same(w.input[axis], w.output[axis]))
      return false;
  return true;
}

Value Convolution::channelOf(GraphBuilder &g, Value batch, Value row) const {
  return g.add(g.mul(g.rem(batch, windows.groups), shape.rows), row);
}

Value Convolution::elementOf(GraphBuilder &g, const Access &access) const {
  Value row = g.add(g.mul(access.indices[0], shape.rows), access.indices[1]);
  return g.add(g.mul(row, shape.columns), access.indices[2]);
}

PanelCopy Convolution::patches(GraphBuilder &g, Value fill) const {
  // The emitters that call this outlive neither the node nor the builder.
  return [this, &g, fill](const PanelPart &part, Value target) {
    Matrix image = input(part.batch);
    if (!isPointwise(g, windows))
      return copyPatches(g, windows, image.data, fill, part, target);
    if (isa<FloatType>(fill.getType()))
      return copyFloats(g, image, part, target);
    copyBytes(g, image, part, target);
  };
}

FailureOr<Convolution> planConvolution(Node &node, const Tensor &input,
                                       const Tensor &weights) {
  GraphBuilder &g = node.g;
  FailureOr<Windows> windows = convWindows(node, input, weights);
  if (failed(windows))
    return failure();
  Convolution c;
  c.windows = *windows;
  const Windows &w = c.windows;
  c.dims = {input.dims[0], weights.dims[0]};
  c.dims.append(w.output.begin(), w.output.end());
  c.shape.batch = g.mul(input.dims[0], w.groups);
  c.shape.rows = g.div(weights.dims[0], w.groups);
  c.shape.columns = g.product(w.output);
  c.shape.depth = g.mul(w.channels, g.product(w.kernel));
  Value one = g.number(1), pixels = g.product(w.input);
  Value channels = w.channels, groups = w.groups;
  ProductShape shape = c.shape;
  c.input = [=, &g](Value batch) {
    Value offset = g.product({batch, channels, pixels});
    return Matrix{g.at(input.buffer->data, g.mul(offset, input.type.bytes())),
                  input.type, pixels, one};
  };
  c.weights = [=, &g](Value batch) {
    Value offset = g.product({g.rem(batch, groups), shape.rows, shape.depth});
    return Matrix{
        g.at(weights.buffer->data, g.mul(offset, weights.type.bytes())),
        weights.type, shape.depth, one};
  };
  return c;
}

//===----------------------------------------------------------------------===//
// Conv
//===----------------------------------------------------------------------===//

/// Checks what Conv demands of its inputs.
static LogicalResult checkConv(Node &node) {
  ElementType type = node.input(0).type;
  for (size_t i = 1; i < node.inputCount(); ++i)
    if (node.hasInput(i) && node.input(i).type != type)
      return node.refuse("its inputs have different element types");
  if (!type.compute().isF32() || type.isMiniFloat())
    return node.refuse("expected elements of f32, f16 or bf16");
  return success();
}

/// The bias of a channel, if the node has one.
static FailureOr<std::function<Value(Value)>> biasOf(Node &node,
                                                     const Convolution &c) {
  if (!node.hasInput(2))
    return std::function<Value(Value)>();
  GraphBuilder &g = node.g;
  Value have = g.count(node.input(2)), want = c.dims[1];
  if (g.known(have) && g.known(want) && !g.same(have, want))
    return node.refuse("input 2 has " + Twine(*g.known(have)) +
                       " elements, expected " + Twine(*g.known(want)));
  g.require(g.equal(have, want),
            node.describe() + ": input 2 does not fit the weights");
  Tensor bias = productOperand(g, node.input(2));
  return std::function<Value(Value)>(
      [&g, bias](Value channel) { return g.loadElement(bias, channel); });
}

/// `activation` is applied to results of f32, null for none.
static LogicalResult emitConvolution(Node &node, const Activation &activation) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  Tensor x = productOperand(g, node.input(0));
  Tensor weights = productOperand(g, node.input(1));
  FailureOr<Convolution> plan = planConvolution(node, x, weights);
  if (failed(plan))
    return failure();
  const Convolution &c = *plan;
  auto bias = biasOf(node, c);
  if (failed(bias))
    return failure();
  Tensor y = g.allocateTensor(g.b.getF32Type(), c.dims);
  if (isDepthwise(g, c)) {
    Epilogue epilogue;
    if (activation)
      epilogue = [&](Value value, const Access &) {
        return activation(g, value);
      };
    emitDepthwise(g, c, y, *bias, epilogue);
    node.setResult(0, convertedTo(g, y, type));
    return success();
  }
  auto result = [&](Value batch) {
    Value offset = g.product({batch, c.shape.rows, c.shape.columns});
    return Matrix{g.at(y.buffer->data, g.mul(offset, 4)), y.type,
                  c.shape.columns, g.number(1)};
  };
  Epilogue epilogue;
  if (*bias || activation)
    epilogue = [&](Value sum, const Access &access) -> Value {
      if (*bias) {
        Value channel = c.channelOf(g, access.indices[0], access.indices[1]);
        Value value = g.splat((*bias)(channel), access.lanes);
        sum = arith::AddFOp::create(g.b, g.loc, sum, value);
      }
      return activation ? activation(g, sum) : sum;
    };
  Value zero = g.constant(g.b.getF32Type(), 0);
  emitPanelProducts(g, c.shape, c.weights, c.patches(g, zero), result,
                    epilogue);
  node.setResult(0, convertedTo(g, y, type));
  return success();
}

/// With packed weights; a bias is added to the expression of its sums.
static LogicalResult emitLastConv(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(emitPackedConv(node, nullptr)))
    return failure();
  if (!node.hasInput(2))
    return success();
  Tensor sums = *node.result(0);
  Value have = g.count(node.input(2)), want = sums.dims[1];
  if (g.known(have) && !g.same(have, want))
    return node.refuse("input 2 has " + Twine(*g.known(have)) +
                       " elements, expected " + Twine(*g.known(want)));
  g.require(g.equal(have, want),
            node.describe() + ": input 2 does not fit the weights");
  Values dims(sums.rank() - 1, g.number(1));
  dims[0] = want;
  Tensor bias = g.reshaped(node.buffer(2), dims);
  node.setResult(0, mapElements(
                        g, {sums, bias}, sums.type,
                        [](GraphBuilder &g, ArrayRef<Value> in) -> Value {
                          return arith::AddFOp::create(g.b, g.loc, in[0],
                                                       in[1]);
                        },
                        node.describe()));
  return success();
}

static LogicalResult emitConv(Node &node) {
  if (failed(checkConv(node)))
    return failure();
  const std::shared_ptr<Buffer> &weights = node.input(1).buffer;
  if (weights && weights->convolution)
    return emitLastConv(node);
  node.emitter.requireKnownLayout(node.op.getInputs()[0]);
  return emitConvolution(node, absorbActivation(node));
}

/// Conv of com.microsoft: its activation is an attribute, and input 3 is added
/// before it.
static LogicalResult emitFusedConv(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(checkConv(node)))
    return failure();
  FailureOr<Activation> activation = namedActivation(node);
  if (failed(activation))
    return failure();
  if (!node.hasInput(3))
    return emitConvolution(node, *activation);
  if (failed(emitConvolution(node, nullptr)))
    return failure();
  ElementType type = node.input(0).type;
  Activation last = *activation;
  node.setResult(0, mapElements(
                        g, {*node.result(0), node.input(3)}, type,
                        [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
                          Value sum =
                              arith::AddFOp::create(g.b, g.loc, in[0], in[1]);
                          return last ? last(g, sum) : sum;
                        },
                        node.describe()));
  return success();
}

static const OperatorRow rows[] = {
    {"Conv", emitConv, 2, 3},
    {"FusedConv", emitFusedConv, 2, 4, 1, 1, 1, INT64_MAX, "com.microsoft"},
};

ArrayRef<OperatorRow> convOperators() { return rows; }

} // namespace llmopt::graph
