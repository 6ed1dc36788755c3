//===- Gemm.cpp - alpha A B + beta C ----------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/MatMul.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

static LogicalResult checkInputs(Node &node) {
  ElementType type = node.input(0).type;
  for (size_t i = 0; i < 2; ++i)
    if (node.input(i).rank() != 2)
      return node.refuse("input " + Twine(i) + " has " +
                         Twine(node.input(i).rank()) +
                         " dimensions, expected 2");
  if (node.hasInput(2) && node.input(2).rank() > 2)
    return node.refuse("input 2 has " + Twine(node.input(2).rank()) +
                       " dimensions, expected at most 2");
  for (size_t i = 1; i < node.inputCount(); ++i)
    if (node.hasInput(i) && node.input(i).type != type)
      return node.refuse("its inputs have different element types");
  if (type.isBool() || type.isMiniFloat() || type.bits() < 16)
    return node.refuse("products of this element type are not supported");
  return success();
}

/// factor * value
static Value scaled(GraphBuilder &g, Value value, double factor) {
  if (factor == 1)
    return value;
  return arith::MulFOp::create(g.b, g.loc, value,
                               g.constant(value.getType(), factor));
}

static LogicalResult emitGemm(Node &node) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  if (failed(checkInputs(node)))
    return failure();
  double alpha = node.attribute("alpha", 1.0),
         beta = node.attribute("beta", 1.0);
  if (!type.isFloat() && (alpha != 1 || beta != 1))
    return node.refuse("factors of integers are not supported");
  Tensor left = productOperand(g, node.input(0));
  Operand a(g, left), b(g, node.buffer(1));
  if (node.attribute("transA", int64_t(0))) {
    a.swap(0, 1);
    a.isRowMajor = false;
  }
  if (node.attribute("transB", int64_t(0)))
    b.swap(0, 1);
  FailureOr<Tensor> product = multiply(node, a, b);
  if (failed(product))
    return failure();
  Tensor result = *product;
  if (alpha != 1)
    result = mapElements(
        g, {result}, result.type,
        [=](GraphBuilder &g, ArrayRef<Value> in) {
          return scaled(g, in[0], alpha);
        },
        "");
  if (node.hasInput(2) && beta != 0) {
    Values dims = result.dims;
    result = mapElements(
        g, {result, node.input(2)}, type,
        [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
          if (!type.isFloat())
            return arith::AddIOp::create(g.b, g.loc, in[0], in[1]);
          return arith::AddFOp::create(g.b, g.loc, in[0],
                                       scaled(g, in[1], beta));
        },
        node.describe());
    for (auto [dim, wanted] : llvm::zip_equal(result.dims, dims))
      g.require(g.equal(dim, wanted),
                node.describe() + ": input 2 does not fit the product");
  }
  node.setResult(0, convertedTo(g, result, type));
  return success();
}

static const OperatorRow rows[] = {
    {"Gemm", emitGemm, 2, 3, 1, 1, 7},
    {"Gemm", emitGemm, 3, 3, 1, 1, 1, 6},
};

ArrayRef<OperatorRow> gemmOperators() { return rows; }

} // namespace llmopt::graph
