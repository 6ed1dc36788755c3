//===- PoolingOps.cpp - Pooling operators -----------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Pooling.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// MaxPool
//===----------------------------------------------------------------------===//

/// The greatest element of each window and where it is, one by one. Of equal
/// ones the first counts.
static void poolWithIndices(Node &node, const Tensor &input,
                            ArrayRef<PoolDim> dims) {
  GraphBuilder &g = node.g;
  ElementType type = input.type;
  Values shape{g.mul(input.dims[0], input.dims[1])};
  for (const PoolDim &dim : dims)
    shape.push_back(dim.output);
  Tensor output = g.allocateTensor(type, shape);
  Tensor places = g.allocateTensor(g.b.getI64Type(), shape);
  // Numbers count rows first, or columns.
  bool isColumnMajor = node.attribute("storage_order", int64_t(0));
  Values inputs, strides(dims.size());
  for (const PoolDim &dim : dims)
    inputs.push_back(dim.input);
  Value stride = g.number(1);
  for (size_t i = 0; i < dims.size(); ++i) {
    size_t axis = isColumnMajor ? i : dims.size() - 1 - i;
    strides[axis] = stride;
    stride = g.mul(stride, inputs[axis]);
  }
  Value imageSize = stride;
  g.parallelFor(g.product(shape), g.number(16), [&](Value element) {
    Values indices = g.delinearize(element, shape);
    Value image = g.mul(indices[0], imageSize);
    std::function<Values(size_t, Value, Value, ValueRange)> nest =
        [&](size_t depth, Value place, Value number, ValueRange best) {
          if (depth == dims.size()) {
            Value x = g.loadElement(input, g.add(image, place));
            Value isBetter =
                type.isFloat()
                    ? Value(arith::CmpFOp::create(
                          g.b, g.loc, arith::CmpFPredicate::OGT, x, best[0]))
                    : Value(arith::CmpIOp::create(
                          g.b, g.loc,
                          type.isUnsigned() ? arith::CmpIPredicate::ugt
                                            : arith::CmpIPredicate::sgt,
                          x, best[0]));
            // An element as small as can be is better than none.
            Value isFirst = g.less(best[1], 0);
            Value wins = g.logicalOr(isBetter, isFirst);
            return Values{g.select(wins, x, best[0]),
                          g.select(wins, number, best[1])};
          }
          PoolSpan span = poolSpan(g, dims[depth], indices[depth + 1]);
          return g.loop(
              span.first, span.last, g.number(1), best,
              [&](Value tap, ValueRange carried) {
                Value index =
                    g.add(span.start, g.mul(tap, dims[depth].dilation));
                return nest(
                    depth + 1, g.add(g.mul(place, inputs[depth]), index),
                    g.add(number, g.mul(index, strides[depth])), carried);
              });
        };
    Values best =
        nest(0, g.number(0), image, Values{lowestValue(g, type), g.number(-1)});
    g.storeElement(output, element, best[0]);
    g.storeElement(places, element, best[1]);
  });
  Values result{input.dims[0], input.dims[1]};
  llvm::append_range(result, ArrayRef(shape).drop_front());
  node.setResult(0, g.reshaped(output, result));
  node.setResult(1, g.reshaped(places, result));
}

static LogicalResult emitMaxPool(Node &node) {
  GraphBuilder &g = node.g;
  if (node.input(0).type.isBool())
    return node.refuse("its input has element type bool");
  FailureOr<SmallVector<PoolDim>> dims = poolDims(node, node.input(0));
  if (failed(dims))
    return failure();
  if (!node.needsResult(1) && canMaxPoolLast(g, node.input(0), *dims)) {
    node.setResult(0, maxPoolLast(g, node.input(0), *dims));
    return success();
  }
  Tensor input = node.buffer(0);
  if (node.needsResult(1)) {
    poolWithIndices(node, input, *dims);
    return success();
  }
  ElementType type = input.type;
  PoolFunction max{
      lowestValue(g, type), [](Value x) { return x; },
      [&g, type](Value a, Value b) { return maxValues(g, type, a, b); },
      [](Value best, Value) { return best; }};
  node.setResult(0, poolTensor(g, input, *dims, max));
  return success();
}

//===----------------------------------------------------------------------===//
// AveragePool and LpPool
//===----------------------------------------------------------------------===//

static LogicalResult emitAveragePool(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<SmallVector<PoolDim>> dims = poolDims(node, node.input(0));
  if (failed(dims) || failed(node.requireFloat(0)))
    return failure();
  Tensor input = node.buffer(0);
  bool countsPadding = node.attribute("count_include_pad", int64_t(0));
  PoolFunction average = averageFunction(g, input.type, countsPadding);
  node.setResult(0, poolTensor(g, input, *dims, average));
  return success();
}

/// |x|^p
static Value powerOf(GraphBuilder &g, Value x, double p) {
  Value size = math::AbsFOp::create(g.b, g.loc, x);
  if (p == 1)
    return size;
  return p == 2 ? mulValues(g, x, x) : pow(g, size, g.constant(x.getType(), p));
}

static Value rootOf(GraphBuilder &g, Value x, double p) {
  if (p == 1)
    return x;
  return p == 2 ? sqrt(g, x) : pow(g, x, g.constant(x.getType(), 1 / p));
}

/// The exponent: a float in version 1, an integer since.
static FailureOr<double> exponent(Node &node) {
  double p = node.version() < 2 ? node.attribute("p", 2.0)
                                : double(node.attribute("p", int64_t(2)));
  if (!(p > 0))
    return node.refuse("p must be greater than 0");
  return p;
}

static LogicalResult emitLpPool(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<SmallVector<PoolDim>> dims = poolDims(node, node.input(0));
  FailureOr<double> p = exponent(node);
  if (failed(dims) || failed(p) || failed(node.requireFloat(0)))
    return failure();
  Tensor input = node.buffer(0);
  double power = *p;
  PoolFunction norm{
      g.constant(input.type.compute(), 0),
      [&g, power](Value x) { return powerOf(g, x, power); },
      [&g](Value a, Value b) { return addValues(g, a, b); },
      [&g, power](Value sum, Value) { return rootOf(g, sum, power); }};
  node.setResult(0, poolTensor(g, input, *dims, norm));
  return success();
}

static LogicalResult emitGlobalLpPool(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  FailureOr<double> p = exponent(node);
  if (failed(p) || failed(node.requireFloat(0)))
    return failure();
  if (input.rank() < 3)
    return node.refuse("its input has " + Twine(input.rank()) +
                       " dimensions, expected at least 3");
  double power = *p;
  ElementType wide = input.type.compute();
  Tensor powers = mapElements(
      g, {input}, wide,
      [=](GraphBuilder &g, ArrayRef<Value> in) {
        return powerOf(g, in[0], power);
      },
      "");
  Tensor sums = reduceTensor(g, powers, 2, input.rank(), ReduceKind::Sum);
  node.setResult(0, mapElements(
                        g, {sums}, input.type,
                        [=](GraphBuilder &g, ArrayRef<Value> in) {
                          return rootOf(g, in[0], power);
                        },
                        ""));
  return success();
}

//===----------------------------------------------------------------------===//
// MaxUnpool
//===----------------------------------------------------------------------===//

/// Dimensions of what was pooled, as far as the kernel says.
static FailureOr<Values> unpooledDims(Node &node) {
  GraphBuilder &g = node.g;
  Values dims = node.input(0).dims;
  if (dims.size() < 3 || node.input(1).rank() != int64_t(dims.size()))
    return node.refuse("its inputs must have the same 3 or more dimensions");
  size_t rank = dims.size() - 2;
  auto kernel = node.integers("kernel_shape");
  auto strides =
      node.integers("strides").value_or(SmallVector<int64_t>(rank, 1));
  auto pads = node.integers("pads").value_or(SmallVector<int64_t>(2 * rank, 0));
  if (!kernel || kernel->size() != rank || strides.size() != rank ||
      pads.size() != 2 * rank)
    return node.refuse("kernel_shape, strides and pads must have " +
                       Twine(rank) + ", " + Twine(rank) + " and " +
                       Twine(2 * rank) + " entries");
  for (size_t i = 0; i < rank; ++i) {
    Value size = g.mul(g.sub(dims[i + 2], 1), strides[i]);
    size = g.add(size, (*kernel)[i] - pads[i] - pads[i + rank]);
    g.require(g.less(g.number(-1), size),
              node.describe() + ": its output would have a negative size");
    dims[i + 2] = g.max(size, 0);
    g.markDimension(dims[i + 2]);
  }
  return dims;
}

/// The tensor with zeros appended to its dimensions, or cut.
static FailureOr<Tensor> extendTo(Node &node, const Tensor &tensor,
                                  ArrayRef<Value> dims) {
  if (dims.size() != tensor.dims.size())
    return node.refuse("output_shape has " + Twine(dims.size()) +
                       " entries, expected " + Twine(tensor.rank()));
  for (Value dim : dims)
    node.g.require(node.g.less(node.g.number(-1), dim),
                   node.describe() + ": an entry of output_shape is negative");
  Values sizes;
  for (Value dim : dims) {
    sizes.push_back(node.g.max(dim, 0));
    node.g.markDimension(sizes.back());
  }
  return makeExpression(
      tensor.type, sizes, {tensor},
      [tensor](GraphBuilder &g, const Access &access) {
        Value isInside = g.integer(g.b.getI1Type(), 1);
        Value isEmpty = g.equal(g.count(tensor), 0);
        Values indices;
        for (auto [index, dim] : llvm::zip_equal(access.indices, tensor.dims)) {
          isInside = g.logicalAnd(isInside, g.less(index, dim));
          indices.push_back(g.max(g.min(index, g.sub(dim, 1)), 0));
        }
        isInside = g.logicalAnd(isInside, g.logicalNot(isEmpty));
        Type type = tensor.type.compute();
        return g.ifElse(
            isInside, type, [&] { return Values{g.element(tensor, indices)}; },
            [&] { return Values{g.constant(type, 0)}; })[0];
      });
}

static LogicalResult emitMaxUnpool(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Values> dims = unpooledDims(node);
  if (failed(dims) || failed(node.requireFloat(0)) ||
      failed(node.requireType(1, g.b.getI64Type())))
    return failure();
  Tensor values = node.buffer(0), places = node.buffer(1);
  ElementType type = values.type;
  g.require(g.equal(g.count(values), g.count(places)),
            node.describe() + ": its inputs have different sizes");
  Tensor zeros = makeExpression(
      type, *dims, {}, [type](GraphBuilder &g, const Access &access) {
        return g.constant(GraphBuilder::withLanes(type.compute(), access.lanes),
                          0);
      });
  zeros.isLinear = true;
  zeros.hasLanes = !type.isMiniFloat();
  Tensor result = g.copy(zeros);
  Value size = g.count(result);
  g.require(g.logicalOr(g.less(g.number(0), size), g.equal(g.count(values), 0)),
            node.describe() + ": its output is empty");
  // In order: the last of those with the same place wins.
  g.loop(g.count(values), [&](Value i) {
    Value place = g.loadElement(places, i);
    g.noteError(
        g.logicalOr(g.less(place, 0), g.logicalNot(g.less(place, size))),
        node.describe() + ": an index is out of range");
    place = g.max(g.min(place, g.sub(size, 1)), 0);
    g.storeElement(result, place, g.loadElement(values, i));
  });
  node.setResult(0, result);
  if (!node.hasInput(2))
    return success();
  std::optional<Values> shape = node.elements(2);
  if (!shape || failed(node.requireType(2, g.b.getI64Type())))
    return node.refuse("the length of output_shape is not known");
  FailureOr<Tensor> extended = extendTo(node, result, *shape);
  if (failed(extended))
    return failure();
  node.setResult(0, *extended);
  return success();
}

static const OperatorRow rows[] = {
    {"MaxPool", emitMaxPool, 1, 1, 1, 2},
    {"AveragePool", emitAveragePool, 1, 1},
    {"LpPool", emitLpPool, 1, 1},
    {"GlobalLpPool", emitGlobalLpPool, 1, 1},
    {"MaxUnpool", emitMaxUnpool, 2, 3, 1, 1, 9},
};

ArrayRef<OperatorRow> poolingOperators() { return rows; }

} // namespace llmopt::graph
