//===- QuantizedNode.cpp - Parameters of quantized products -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/QuantizedNode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace llmopt::graph {

FailureOr<Parameter> Parameter::read(Node &node, size_t input, Value count) {
  GraphBuilder &g = node.g;
  const Tensor &tensor = node.input(input);
  Parameter parameter;
  parameter.isUnsigned = tensor.type.isUnsigned();
  if (g.knownCount(tensor) == 1) {
    parameter.scalar = g.onlyElement(tensor);
    return parameter;
  }
  // Of more than one dimension, all but one must be 1.
  Value own = g.count(tensor);
  int64_t many = llvm::count_if(tensor.dims,
                                [&](Value dim) { return !g.isKnown(dim, 1); });
  if (many > 1 || tensor.type.isMiniFloat())
    return node.refuse("input " + Twine(input) +
                       " must be one number or one for each row or column");
  std::optional<int64_t> have = g.known(own), want = g.known(count);
  if (have && want && *have != *want)
    return node.refuse("input " + Twine(input) + " has " + Twine(*have) +
                       " elements, expected 1 or " + Twine(*want));
  g.require(g.equal(own, count), node.describe() + ": input " + Twine(input) +
                                     " has a wrong number of elements");
  parameter.vector = node.buffer(input);
  return parameter;
}

Value Parameter::at(GraphBuilder &g, Value index, int64_t lanes) const {
  if (!scalar && !vector.buffer)
    return g.integer(g.withLanes(g.b.getI32Type(), lanes), 0);
  Value value =
      scalar ? g.splat(scalar, lanes) : g.loadElement(vector, index, lanes);
  Type type = getElementTypeOrSelf(value.getType());
  if (isa<FloatType>(type) || type.isInteger(32))
    return value;
  // Zero points: the sign is that of the tensor.
  Type i32 = g.withLanes(g.b.getI32Type(), lanes);
  if (isUnsigned)
    return arith::ExtUIOp::create(g.b, g.loc, i32, value);
  return arith::ExtSIOp::create(g.b, g.loc, i32, value);
}

bool Parameter::isZero() const {
  if (!scalar)
    return !vector.buffer;
  APInt value;
  return matchPattern(scalar, m_ConstantInt(&value)) && value.isZero();
}

Value requantize(GraphBuilder &g, Value sum, Value scale, Value zero,
                 ElementType type) {
  Type sums = sum.getType();
  auto vector = dyn_cast<VectorType>(sums);
  int64_t lanes = vector ? vector.getNumElements() : 1;
  Type floats = g.withLanes(g.b.getF32Type(), lanes);
  Value value = arith::SIToFPOp::create(g.b, g.loc, floats, sum);
  value = arith::MulFOp::create(g.b, g.loc, value, scale);
  Value offset = arith::SIToFPOp::create(g.b, g.loc, floats, zero);
  int64_t least = type.isUnsigned() ? 0 : -128;
  Value low =
      arith::SubFOp::create(g.b, g.loc, g.constant(floats, least), offset);
  Value high = arith::SubFOp::create(g.b, g.loc,
                                     g.constant(floats, least + 255), offset);
  // In this order a NaN becomes the lower bound.
  value = arith::MaxNumFOp::create(g.b, g.loc, value, low);
  value = arith::MinNumFOp::create(g.b, g.loc, value, high);
  value = math::RoundEvenOp::create(g.b, g.loc, value);
  Value rounded = arith::FPToSIOp::create(g.b, g.loc, sums, value);
  rounded = arith::AddIOp::create(g.b, g.loc, rounded, zero);
  return arith::TruncIOp::create(g.b, g.loc,
                                 g.withLanes(g.b.getI8Type(), lanes), rounded);
}

} // namespace llmopt::graph
