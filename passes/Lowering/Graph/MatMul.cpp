//===- MatMul.cpp - Products of stacks of matrices --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/MatMul.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

Operand::Operand(GraphBuilder &g, const Tensor &tensor)
    : data(tensor.buffer->data), type(tensor.type), dims(tensor.dims) {
  strides.resize(dims.size());
  Value stride = g.number(1);
  for (int64_t axis = int64_t(dims.size()) - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    stride = g.mul(stride, dims[axis]);
  }
}

void Operand::swap(size_t a, size_t b) {
  std::swap(dims[a], dims[b]);
  std::swap(strides[a], strides[b]);
}

void Operand::insert(GraphBuilder &g, size_t axis) {
  dims.insert(dims.begin() + axis, g.number(1));
  strides.insert(strides.begin() + axis, g.number(0));
}

/// Offset in elements of the matrix that `indices`, of the batch dimensions
/// `batch`, select.
static Value batchOffset(GraphBuilder &g, const Operand &operand,
                         ArrayRef<Value> indices, ArrayRef<Value> batch) {
  Value offset = g.number(0);
  size_t own = operand.dims.size() - 2, skipped = batch.size() - own;
  for (size_t axis = 0; axis < own; ++axis) {
    Value dim = operand.dims[axis], index = indices[skipped + axis];
    if (g.isKnown(dim, 1))
      continue;
    if (!g.same(dim, batch[skipped + axis]))
      index = g.select(g.equal(dim, 1), g.number(0), index);
    offset = g.add(offset, g.mul(index, operand.strides[axis]));
  }
  return offset;
}

static MatrixOf matrixOf(GraphBuilder &g, const Operand &operand,
                         const Values &batch) {
  return [&g, operand, batch](Value number) {
    Values indices = g.delinearize(number, batch);
    Value offset = batchOffset(g, operand, indices, batch);
    size_t rank = operand.dims.size();
    return Matrix{g.at(operand.data, g.mul(offset, operand.type.bytes())),
                  operand.type, operand.strides[rank - 2],
                  operand.strides[rank - 1]};
  };
}

/// True if the dimensions before the last two are all 1.
static bool isSingle(GraphBuilder &g, const Operand &operand) {
  return llvm::all_of(ArrayRef(operand.dims).drop_back(2),
                      [&](Value dim) { return g.isKnown(dim, 1); });
}

/// A stack of row-major matrices as one matrix of all rows.
static Operand stacked(GraphBuilder &g, const Operand &operand) {
  Operand result = operand;
  size_t rank = operand.dims.size();
  result.dims = {g.product(ArrayRef(operand.dims).drop_back()),
                 operand.dims[rank - 1]};
  result.strides = {operand.strides[rank - 2], operand.strides[rank - 1]};
  return result;
}

static Values broadcastBatch(GraphBuilder &g, const Operand &a,
                             const Operand &b, const Twine &what) {
  Tensor left, right;
  left.dims.assign(a.dims.begin(), a.dims.end() - 2);
  right.dims.assign(b.dims.begin(), b.dims.end() - 2);
  return g.broadcast({left, right}, what);
}

FailureOr<StackProduct> planProduct(Node &node, Operand a, Operand b,
                                    bool mayStack) {
  GraphBuilder &g = node.g;
  size_t aRank = a.dims.size(), bRank = b.dims.size();
  Value rows = a.dims[aRank - 2], depth = a.dims[aRank - 1];
  Value columns = b.dims[bRank - 1], bRows = b.dims[bRank - 2];
  if (g.known(depth) && g.known(bRows) && !g.same(depth, bRows))
    return node.refuse("cannot multiply rows of " + Twine(*g.known(depth)) +
                       " by columns of " + Twine(*g.known(bRows)) +
                       " elements");
  g.require(g.equal(depth, bRows),
            node.describe() + ": rows and columns differ in length");
  StackProduct p;
  p.batch = broadcastBatch(g, a, b, node.describe());
  p.dims = p.batch;
  p.dims.append({rows, columns});
  if (mayStack && isSingle(g, b) && a.isRowMajor) {
    a = stacked(g, a);
    b.dims.erase(b.dims.begin(), b.dims.end() - 2);
    b.strides.erase(b.strides.begin(), b.strides.end() - 2);
    rows = a.dims[0];
    p.batch.clear();
    p.isStacked = true;
  }
  p.shape = {g.product(p.batch), rows, columns, depth};
  p.a = matrixOf(g, a, p.batch);
  p.b = matrixOf(g, b, p.batch);
  return p;
}

Value StackProduct::elementOf(GraphBuilder &g, const Access &access) const {
  Value row = g.add(g.mul(access.indices[0], shape.rows), access.indices[1]);
  return g.add(g.mul(row, shape.columns), access.indices[2]);
}

FailureOr<Tensor> multiply(Node &node, Operand a, Operand b) {
  GraphBuilder &g = node.g;
  FailureOr<StackProduct> product = planProduct(node, a, b);
  if (failed(product))
    return failure();
  Tensor result = g.allocateTensor(a.type, product->dims);
  const ProductShape &shape = product->shape;
  auto matrix = [&](Value batch) {
    Value offset = g.product({batch, shape.rows, shape.columns});
    return Matrix{g.at(result.buffer->data, g.mul(offset, a.type.bytes())),
                  a.type, shape.columns, g.number(1)};
  };
  emitProducts(g, shape, product->a, product->b, matrix);
  return result;
}

FailureOr<std::pair<Operand, Operand>>
matMulOperands(Node &node, const Tensor &left, const Tensor &right) {
  if (left.rank() == 0 || right.rank() == 0)
    return node.refuse("an input has no dimensions, expected at least 1");
  Operand a(node.g, left), b(node.g, right);
  if (left.rank() == 1)
    a.insert(node.g, 0);
  if (right.rank() == 1)
    b.insert(node.g, 1);
  return std::make_pair(a, b);
}

Values withoutAdded(ArrayRef<Value> dims, const Tensor &a, const Tensor &b) {
  Values result(dims);
  if (b.rank() == 1)
    result.pop_back();
  if (a.rank() == 1)
    result.erase(result.end() - (b.rank() == 1 ? 1 : 2));
  return result;
}

/// True if products of the element type can be computed.
static LogicalResult checkTypes(Node &node, ElementType a, ElementType b) {
  if (a != b)
    return node.refuse("its inputs have different element types");
  if (a.isBool() || a.isMiniFloat() || a.bits() < 16)
    return node.refuse("products of this element type are not supported");
  return success();
}

Tensor convertedTo(GraphBuilder &g, const Tensor &tensor, ElementType type) {
  if (tensor.type == type)
    return tensor;
  return mapElements(
      g, {tensor}, type,
      [](GraphBuilder &, ArrayRef<Value> in) { return in[0]; }, "");
}

static LogicalResult emitMatMul(Node &node) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  if (failed(checkTypes(node, type, node.input(1).type)))
    return failure();
  Tensor left = productOperand(g, node.input(0)), right = node.buffer(1);
  auto operands = matMulOperands(node, left, right);
  if (failed(operands))
    return failure();
  FailureOr<Tensor> product = multiply(node, operands->first, operands->second);
  if (failed(product))
    return failure();
  Values dims = withoutAdded(product->dims, left, right);
  node.setResult(0, convertedTo(g, g.reshaped(*product, dims), type));
  return success();
}

/// An input of FusedMatMul: the first dimension may be that of the rows, then
/// the last two may be swapped.
static void rearrange(Operand &operand, bool batchFirst, bool transposed) {
  size_t rank = operand.dims.size();
  if (rank < 2)
    return;
  if (batchFirst && rank > 2) {
    for (size_t axis = 0; axis + 2 < rank; ++axis)
      operand.swap(axis, axis + 1);
    operand.isRowMajor = false;
  }
  if (transposed) {
    operand.swap(rank - 2, rank - 1);
    operand.isRowMajor = false;
  }
}

static LogicalResult emitFusedMatMul(Node &node) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  if (failed(checkTypes(node, type, node.input(1).type)))
    return failure();
  if (!type.isFloat())
    return node.refuse("expected floats");
  if (node.input(0).rank() < 2 || node.input(1).rank() < 2)
    return node.refuse("inputs of less than 2 dimensions are not supported");
  Tensor left = productOperand(g, node.input(0));
  Operand a(g, left), b(g, node.buffer(1));
  rearrange(a, node.attribute("transBatchA", int64_t(0)),
            node.attribute("transA", int64_t(0)));
  rearrange(b, node.attribute("transBatchB", int64_t(0)),
            node.attribute("transB", int64_t(0)));
  FailureOr<Tensor> product = multiply(node, a, b);
  if (failed(product))
    return failure();
  double alpha = node.attribute("alpha", 1.0);
  Tensor result = *product;
  if (alpha != 1)
    result = mapElements(
        g, {result}, type,
        [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
          return arith::MulFOp::create(g.b, g.loc, in[0],
                                       g.constant(in[0].getType(), alpha));
        },
        "");
  node.setResult(0, convertedTo(g, result, type));
  return success();
}

static const OperatorRow rows[] = {
    {"MatMul", emitMatMul, 2, 2},
    {"FusedMatMul", emitFusedMatMul, 2, 2, 1, 1, 1, INT64_MAX, "com.microsoft"},
};

ArrayRef<OperatorRow> matMulOperators() { return rows; }

} // namespace llmopt::graph
