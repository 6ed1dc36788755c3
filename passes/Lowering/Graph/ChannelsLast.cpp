//===- ChannelsLast.cpp - Images with channels last -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ChannelsLast.h"
#include "passes/Lowering/Graph/Movement.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace llmopt::graph {

bool readsChannelsLast(onnx::NodeOp node) {
  if (!node.getDomain().empty() && node.getDomain() != onnx::kDefaultDomain)
    return false;
  // All but the first rows compute elements with mapElements.
  return llvm::StringSwitch<bool>(node.getOpType())
      .Cases({"Conv", "ConvInteger", "MaxPool", "Pad", "Shape"}, true)
      .Cases({"Add", "Sub", "Mul", "Div", "Cast"}, true)
      .Cases({"Relu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish"}, true)
      .Cases({"LeakyRelu", "Tanh", "Erf", "Sqrt"}, true)
      .Cases({"QuantizeLinear", "DequantizeLinear"}, true)
      .Default(false);
}

Tensor withChannelsLast(ArrayRef<Value> dims, const Tensor &matrix) {
  Tensor result;
  result.type = matrix.type;
  result.dims.assign(dims.begin(), dims.end());
  result.depth = matrix.depth;
  result.channelsLast = std::make_shared<Tensor>(matrix);
  return result;
}

void settleChannelsLast(GraphBuilder &g, const Tensor &tensor) {
  Tensor &matrix = *tensor.channelsLast;
  if (matrix.isExpression())
    matrix = g.materialize(matrix);
}

/// [N, C, pixels of an image]
static Values imageDims(GraphBuilder &g, const Tensor &tensor) {
  return {tensor.dims[0], tensor.dims[1],
          g.product(ArrayRef(tensor.dims).drop_front(2))};
}

Tensor channelsFirst(GraphBuilder &g, const Tensor &tensor) {
  settleChannelsLast(g, tensor);
  Values dims = imageDims(g, tensor);
  Tensor images = g.reshaped(*tensor.channelsLast, {dims[0], dims[2], dims[1]});
  Tensor first = g.materialize(transposed(g, images, {0, 2, 1}));
  return g.reshaped(first, tensor.dims);
}

/// Pixel by pixel: images of few channels, or with zeros behind them.
static Tensor interleaved(GraphBuilder &g, const Tensor &source,
                          ArrayRef<Value> dims, Value width) {
  Value pixels = dims[2], channels = dims[1];
  Value lines = g.divideCeil(pixels, g.number(256));
  Tensor result =
      g.allocateTensor(source.type, {g.mul(dims[0], pixels), width});
  Type element = source.type.storage();
  int64_t bytes = source.type.bytes();
  Value nothing =
      isa<FloatType>(element) ? g.constant(element, 0) : g.integer(element, 0);
  g.parallelFor(g.mul(dims[0], lines), g.mul(width, 256), [&](Value task) {
    Values place = g.delinearize(task, {dims[0], lines});
    Value begin = g.mul(place[1], 256);
    Value end = g.min(g.add(begin, 256), pixels);
    g.loop(begin, end, g.number(1), [&](Value pixel) {
      Value to = g.mul(g.add(g.mul(place[0], pixels), pixel), width);
      auto target = [&](Value channel) {
        return g.at(result.buffer->data, g.mul(g.add(to, channel), bytes));
      };
      g.loop(channels, [&](Value channel) {
        Value line = g.add(g.mul(place[0], channels), channel);
        Value from = g.add(g.mul(line, pixels), pixel);
        g.store(g.load(element, g.at(source.buffer->data, g.mul(from, bytes))),
                target(channel));
      });
      g.loop(channels, width, g.number(1),
             [&](Value channel) { g.store(nothing, target(channel)); });
    });
  });
  return result;
}

/// A matrix with more columns, zeros.
static Tensor widened(GraphBuilder &g, const Tensor &matrix, Value width) {
  // Pixels of one channel each, as an image of one pixel.
  Values dims = {matrix.dims[0], matrix.dims[1], g.number(1)};
  return interleaved(g, g.materialize(matrix), dims, width);
}

Tensor channelsLast(GraphBuilder &g, const Tensor &tensor, int64_t multiple) {
  Value channels = tensor.dims[1];
  Value width = g.mul(g.divideCeil(channels, g.number(multiple)), multiple);
  if (tensor.channelsLast) {
    settleChannelsLast(g, tensor);
    if (g.same(width, channels))
      return *tensor.channelsLast;
    return widened(g, *tensor.channelsLast, width);
  }
  constexpr int64_t kFewChannels = 8;
  Values dims = imageDims(g, tensor);
  Tensor source = g.materialize(tensor);
  if (g.known(channels).value_or(0) < kFewChannels || !g.same(width, channels))
    return interleaved(g, source, dims, width);
  Tensor images = g.reshaped(source, dims);
  Tensor last = g.materialize(transposed(g, images, {0, 2, 1}));
  return g.reshaped(last, {g.mul(dims[0], dims[2]), channels});
}

static bool haveSameDims(GraphBuilder &g, ArrayRef<Value> a,
                         ArrayRef<Value> b) {
  return a.size() == b.size() &&
         llvm::all_of(llvm::zip_equal(a, b), [&](auto pair) {
           return g.same(std::get<0>(pair), std::get<1>(pair));
         });
}

/// True if the operand has one number for each channel of `dims`.
static bool isPerChannel(GraphBuilder &g, const Tensor &operand,
                         ArrayRef<Value> dims) {
  int64_t axis = 1 - (int64_t(dims.size()) - operand.rank());
  if (axis < 0 || !g.same(operand.dims[axis], dims[1]))
    return false;
  for (int64_t other = 0; other < operand.rank(); ++other)
    if (other != axis && !g.isKnown(operand.dims[other], 1))
      return false;
  return true;
}

std::optional<SmallVector<Tensor>>
channelsLastOperands(GraphBuilder &g, ArrayRef<Tensor> operands,
                     const Twine &what) {
  auto isLast = [](const Tensor &t) { return t.channelsLast && !t.buffer; };
  if (llvm::none_of(operands, isLast))
    return std::nullopt;
  Values dims = g.broadcast(operands, what);
  for (const Tensor &operand : operands)
    if (g.knownCount(operand) != 1 && !isPerChannel(g, operand, dims) &&
        !haveSameDims(g, operand.dims, dims))
      return std::nullopt;
  SmallVector<Tensor> matrices;
  Deferred *product = nullptr;
  for (const Tensor &operand : operands) {
    if (haveSameDims(g, operand.dims, dims)) {
      if (!operand.channelsLast) {
        matrices.push_back(channelsLast(g, operand, 1));
        continue;
      }
      // One product at a time can be executed.
      Deferred *own = operand.channelsLast->deferred.get();
      if (own && product && own != product)
        settleChannelsLast(g, operand);
      else if (own)
        product = own;
      matrices.push_back(*operand.channelsLast);
    } else if (g.knownCount(operand) == 1) {
      matrices.push_back(g.scalar(operand.type, g.onlyElement(operand)));
    } else {
      matrices.push_back(g.reshaped(g.materialize(operand), {dims[1]}));
    }
  }
  return matrices;
}

} // namespace llmopt::graph
