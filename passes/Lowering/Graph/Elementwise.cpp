//===- Elementwise.cpp - Operators that work element by element -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Elementwise.h"
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

Tensor makeExpression(ElementType type, ArrayRef<Value> dims,
                      ArrayRef<Tensor> reads, Expression expression) {
  Tensor result;
  result.type = type;
  result.dims.assign(dims.begin(), dims.end());
  result.expression = std::move(expression);
  for (const Tensor &tensor : reads)
    if (tensor.isExpression())
      result.depth = std::max(result.depth, tensor.depth);
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
  Values dims = g.broadcast(inputs, what);
  if (std::optional<Values> elements =
          mapScalars(g, inputs, dims, type, function))
    return g.scalars(type, dims, *elements);
  SmallVector<Tensor> reads(inputs);
  Tensor result = makeExpression(
      type, dims, reads, [=](GraphBuilder &g, const Access &access) {
        Values arguments;
        for (const Tensor &input : reads)
          arguments.push_back(g.broadcastElement(input, access, dims));
        return rounded(g, type, function(g, arguments));
      });
  result.isLinear = llvm::all_of(
      inputs, [&](const Tensor &t) { return isLinearIn(g, t, dims); });
  result.hasLanes = hasLanes && !type.isMiniFloat() &&
                    llvm::all_of(inputs, [&](const Tensor &t) {
                      return hasLanesIn(g, t, dims);
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
