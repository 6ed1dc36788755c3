//===- Elementwise.cpp - Operators that work element by element -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/ChannelsLast.h"
#include "passes/Lowering/Graph/Conversion.h"

using namespace mlir;

namespace llmopt::graph {

/// True if the row-major number of an element of the result is also that of the
/// input's element: the dimensions agree but for leading ones.
static bool isLinearIn(GraphBuilder &g, const Tensor &tensor,
                       ArrayRef<Value> dims) {
  if (g.knownCount(tensor) == 1)
    return true;
  if (tensor.isExpression() && !tensor.isLinear)
    return false;
  ArrayRef<Value> own = tensor.dims;
  while (own.size() > 0 && g.isKnown(own.front(), 1))
    own = own.drop_front();
  while (dims.size() > own.size() && g.isKnown(dims.front(), 1))
    dims = dims.drop_front();
  return own.size() == dims.size() &&
         llvm::all_of(llvm::zip_equal(own, dims), [&](auto pair) {
           return g.same(std::get<0>(pair), std::get<1>(pair));
         });
}

/// True if vectors along the last dimension of the result can be read.
static bool hasLanesIn(GraphBuilder &g, const Tensor &tensor,
                       ArrayRef<Value> dims) {
  if (g.knownCount(tensor) == 1 || tensor.dims.empty() ||
      g.isKnown(tensor.dims.back(), 1))
    return true;
  if (!g.same(tensor.dims.back(), dims.back()))
    return false;
  if (tensor.buffer)
    return !tensor.buffer->isPacked && !tensor.type.isMiniFloat();
  return !tensor.hasElements && tensor.hasLanes;
}

/// Of how many trailing dimensions of the result the input has all or none.
static unsigned mergeableIn(GraphBuilder &g, const Tensor &tensor,
                            ArrayRef<Value> dims) {
  if (g.knownCount(tensor) == 1)
    return dims.size();
  unsigned same = 0, ones = 0, rank = tensor.rank();
  auto own = [&](unsigned i) { return tensor.dims[rank - 1 - i]; };
  while (same < rank && g.same(own(same), dims[dims.size() - 1 - same]))
    ++same;
  while (ones < rank && g.isKnown(own(ones), 1))
    ++ones;
  return std::max(same, ones);
}

/// How many trailing dimensions of the result can be merged into one; inputs
/// that have merged some themselves must agree.
static unsigned mergedDims(GraphBuilder &g, ArrayRef<Tensor> inputs,
                           ArrayRef<Value> dims) {
  auto isFixed = [&](const Tensor &input) {
    return input.isExpression() && !input.isLinear && g.knownCount(input) != 1;
  };
  unsigned merged = dims.size();
  for (const Tensor &input : inputs) {
    merged = std::min(merged, mergeableIn(g, input, dims));
    if (isFixed(input))
      merged = std::min(merged, input.merged);
  }
  for (const Tensor &input : inputs)
    if (isFixed(input) && input.merged != merged)
      return 1;
  return std::max(merged, 1u);
}

static Values mergeDims(GraphBuilder &g, ArrayRef<Value> dims,
                        unsigned merged) {
  Values result(dims.drop_back(merged));
  result.push_back(g.product(dims.take_back(merged)));
  return result;
}

/// The input with its trailing dimensions merged.
static Tensor mergeInput(GraphBuilder &g, const Tensor &input,
                         unsigned merged) {
  Tensor result = input;
  if (g.knownCount(input) == 1) {
    result = g.scalar(input.type, g.onlyElement(input));
    return result;
  }
  result.dims = mergeDims(g, input.dims, merged);
  result.merged = 1;
  return result;
}

Tensor makeExpression(ElementType type, ArrayRef<Value> dims,
                      ArrayRef<Tensor> reads, Expression expression) {
  Tensor result;
  result.type = type;
  result.dims.assign(dims.begin(), dims.end());
  result.expression = std::move(expression);
  for (const Tensor &tensor : reads)
    if (tensor.isExpression()) {
      result.depth = std::max(result.depth, tensor.depth);
      if (tensor.deferred)
        result.deferred = tensor.deferred;
    }
  ++result.depth;
  return result;
}

/// What a reader finds of an element in memory: fusion must not change numbers,
/// so f16 and bf16 are rounded after every operator as if they had been stored.
static Value rounded(GraphBuilder &g, ElementType type, Value value) {
  if (!type.isSmallFloat() || type.isMiniFloat())
    return value;
  return fromStorage(g, type, toStorage(g, type, value));
}

/// All elements of the result, or nullopt if an input is no list of scalars.
static std::optional<Values> mapScalars(GraphBuilder &g,
                                        ArrayRef<Tensor> inputs,
                                        ArrayRef<Value> dims, ElementType type,
                                        const ElementFunction &function) {
  if (!llvm::all_of(inputs, [](const Tensor &t) { return t.hasElements; }))
    return std::nullopt;
  std::optional<int64_t> count = g.known(g.product(dims));
  if (!count || *count > kMaxScalars)
    return std::nullopt;
  Values elements;
  for (int64_t i = 0; i < *count; ++i) {
    Access access;
    access.indices = g.delinearize(g.number(i), dims);
    Values arguments;
    for (const Tensor &input : inputs)
      arguments.push_back(g.broadcastElement(input, access, dims));
    elements.push_back(rounded(g, type, function(g, arguments)));
  }
  return elements;
}

Tensor mapElements(GraphBuilder &g, ArrayRef<Tensor> inputs, ElementType type,
                   const ElementFunction &function, const Twine &what,
                   bool hasLanes) {
  if (std::optional<SmallVector<Tensor>> last =
          channelsLastOperands(g, inputs, what))
    return withChannelsLast(
        g.broadcast(inputs, what),
        mapElements(g, *last, type, function, what, hasLanes));
  Values dims = g.broadcast(inputs, what);
  if (std::optional<Values> elements =
          mapScalars(g, inputs, dims, type, function))
    return g.scalars(type, dims, *elements);
  bool isLinear = llvm::all_of(
      inputs, [&](const Tensor &t) { return isLinearIn(g, t, dims); });
  SmallVector<Tensor> reads(inputs);
  for (Tensor &read : reads)
    if (read.channelsLast && !read.buffer)
      read = g.materialize(read);
  unsigned merged = isLinear ? 1 : mergedDims(g, inputs, dims);
  Values evaluated = dims;
  if (merged > 1) {
    evaluated = mergeDims(g, dims, merged);
    for (Tensor &read : reads)
      read = mergeInput(g, read, merged);
  }
  Tensor result = makeExpression(
      type, dims, reads, [=](GraphBuilder &g, const Access &access) {
        Values arguments;
        for (const Tensor &read : reads)
          arguments.push_back(g.broadcastElement(read, access, evaluated));
        return rounded(g, type, function(g, arguments));
      });
  result.isLinear = isLinear;
  result.merged = merged;
  result.hasLanes = hasLanes && !type.isMiniFloat() &&
                    llvm::all_of(reads, [&](const Tensor &t) {
                      return hasLanesIn(g, t, evaluated);
                    });
  return result;
}

LogicalResult mapInputs(Node &node, ElementType type,
                        const ElementFunction &function, bool hasLanes) {
  SmallVector<Tensor> inputs;
  for (size_t i = 0; i < node.inputCount(); ++i)
    inputs.push_back(node.input(i));
  node.setResult(0, mapElements(node.g, inputs, type, function, node.describe(),
                                hasLanes));
  return success();
}

FailureOr<ElementType> commonType(Node &node, size_t first) {
  ElementType type = node.input(first).type;
  for (size_t i = first + 1; i < node.inputCount(); ++i)
    if (node.hasInput(i) && node.input(i).type != type)
      return node.refuse("its inputs have different element types");
  return type;
}

FailureOr<Tensor> alignedOperand(Node &node) {
  const Tensor &operand = node.input(1);
  if (node.version() >= 7 || !node.hasAttribute("axis"))
    return operand;
  int64_t rank = node.input(0).rank();
  FailureOr<int64_t> axis = node.axis(node.attribute("axis", int64_t(0)), rank);
  if (failed(axis))
    return failure();
  int64_t behind = rank - *axis - operand.rank();
  if (behind < 0)
    return node.refuse("axis " + Twine(*axis) + " leaves no place for the " +
                       Twine(operand.rank()) +
                       " dimensions of the second input");
  Values dims = operand.dims;
  dims.append(behind, node.g.number(1));
  return node.g.reshaped(operand, dims);
}

} // namespace llmopt::graph
