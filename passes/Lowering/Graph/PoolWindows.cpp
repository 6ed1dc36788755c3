//===- PoolWindows.cpp - Windows of pooling operators -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/PoolWindows.h"

using namespace mlir;

namespace llmopt::graph {

/// A list with one entry (or two: pads) of at least `least` for each spatial
/// dimension.
static FailureOr<SmallVector<int64_t>> spatialList(Node &node, StringRef name,
                                                   size_t count, int64_t least,
                                                   int64_t byDefault) {
  std::optional<SmallVector<int64_t>> list = node.integers(name);
  if (!list)
    return SmallVector<int64_t>(count, byDefault);
  if (list->size() != count)
    return node.refuse(name + " has " + Twine(list->size()) +
                       " entries, expected " + Twine(count));
  // Larger ones would overflow where sizes are computed.
  for (int64_t value : *list)
    if (value < least || value > INT32_MAX)
      return node.refuse("an entry of " + name + " is " + Twine(value) +
                         ", expected " + Twine(least) + " or more");
  return *list;
}

namespace {
enum class AutoPad { NotSet, Valid, SameUpper, SameLower };
}

static FailureOr<AutoPad> autoPad(Node &node) {
  std::string text = node.attribute("auto_pad", StringRef("NOTSET"));
  auto mode = llvm::StringSwitch<std::optional<AutoPad>>(text)
                  .Cases({"NOTSET", ""}, AutoPad::NotSet)
                  .Case("VALID", AutoPad::Valid)
                  .Case("SAME_UPPER", AutoPad::SameUpper)
                  .Case("SAME_LOWER", AutoPad::SameLower)
                  .Default(std::nullopt);
  if (!mode)
    return node.refuse("auto_pad is '" + text +
                       "', expected NOTSET, VALID, "
                       "SAME_UPPER or SAME_LOWER");
  return *mode;
}

/// As many elements as fit strides; zeros are split.
static void padToSame(GraphBuilder &g, PoolDim &dim, bool isUpper) {
  dim.output = g.divideCeil(dim.input, g.number(dim.stride));
  Value covered =
      g.add(g.mul(g.sub(dim.output, 1), dim.stride), dim.reach() + 1);
  Value total = g.max(g.sub(covered, dim.input), 0);
  Value half = g.div(total, 2), rest = g.sub(total, half);
  dim.padBefore = isUpper ? half : rest;
  dim.padAfter = isUpper ? rest : half;
}

/// The size of the output with given padding.
static void sizeOutput(Node &node, PoolDim &dim, bool isCeil) {
  GraphBuilder &g = node.g;
  Value padded = g.add(dim.input, g.add(dim.padBefore, dim.padAfter));
  Value room = g.sub(padded, dim.reach() + 1);
  g.require(g.less(g.number(-1), room),
            node.describe() + ": its window is larger than its padded input");
  room = g.max(room, 0);
  Value steps = isCeil ? g.divideCeil(room, g.number(dim.stride))
                       : g.div(room, dim.stride);
  dim.output = g.add(steps, 1);
  if (isCeil) {
    // The last window must start before the padding after the input.
    Value start = g.mul(steps, dim.stride);
    Value isInside = g.less(start, g.add(dim.input, dim.padBefore));
    dim.output = g.select(isInside, dim.output, steps);
  }
  // Nothing comes of nothing.
  dim.output = g.select(g.equal(dim.input, 0), g.number(0), dim.output);
  g.markDimension(dim.output);
}

FailureOr<SmallVector<PoolDim>> poolDims(Node &node, const Tensor &input) {
  GraphBuilder &g = node.g;
  if (input.rank() < 3)
    return node.refuse("its input has " + Twine(input.rank()) +
                       " dimensions, expected at least 3");
  size_t rank = input.rank() - 2;
  if (!node.hasAttribute("kernel_shape"))
    return node.refuse("kernel_shape is missing");
  auto kernel = spatialList(node, "kernel_shape", rank, 1, 1);
  auto strides = spatialList(node, "strides", rank, 1, 1);
  auto dilations = spatialList(node, "dilations", rank, 1, 1);
  auto pads = spatialList(node, "pads", 2 * rank, 0, 0);
  FailureOr<AutoPad> mode = autoPad(node);
  if (failed(kernel) || failed(strides) || failed(dilations) || failed(pads) ||
      failed(mode))
    return failure();
  bool isCeil = node.attribute("ceil_mode", int64_t(0));
  SmallVector<PoolDim> dims;
  for (size_t i = 0; i < rank; ++i) {
    PoolDim dim{(*kernel)[i],
                (*strides)[i],
                (*dilations)[i],
                input.dims[i + 2],
                {},
                {},
                {}};
    bool isGiven = *mode == AutoPad::NotSet;
    dim.padBefore = g.number(isGiven ? (*pads)[i] : 0);
    dim.padAfter = g.number(isGiven ? (*pads)[i + rank] : 0);
    if (isGiven || *mode == AutoPad::Valid)
      sizeOutput(node, dim, isCeil);
    else
      padToSame(g, dim, *mode == AutoPad::SameUpper);
    dims.push_back(dim);
  }
  return dims;
}

PoolSpan poolSpan(GraphBuilder &g, const PoolDim &dim, Value index) {
  PoolSpan span;
  Value step = g.number(dim.dilation), kernel = g.number(dim.kernel);
  span.start = g.sub(g.mul(index, dim.stride), dim.padBefore);
  // How many elements come before a place.
  auto before = [&](Value place) {
    Value distance = g.max(g.sub(place, span.start), 0);
    return g.min(g.divideCeil(distance, step), kernel);
  };
  span.first = before(g.number(0));
  span.last = before(dim.input);
  span.padded = before(g.add(dim.input, dim.padAfter));
  return span;
}

} // namespace llmopt::graph
