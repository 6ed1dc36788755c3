//===- NormLine.cpp - Normalization of a line -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/NormLine.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

Value convertFloat(GraphBuilder &g, Value value, Type type) {
  Type from = getElementTypeOrSelf(value);
  if (from == type)
    return value;
  Type target = type;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    target = VectorType::get(vector.getShape(), type);
  if (from.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(g.b, g.loc, target, value);
  return arith::TruncFOp::create(g.b, g.loc, target, value);
}

LineInput::LineInput(GraphBuilder &g, const Tensor &source, const Line &line,
                     const Tensor *stage)
    : type(source.type.compute()), stage(stage) {
  auto reader = std::make_shared<LineReader>(g, source, line);
  read = [reader](Value i, int64_t lanes) { return reader->read(i, lanes); };
}

Value Moments::normalized(GraphBuilder &g, const Line &line, Value x,
                          int64_t lanes) const {
  if (mean)
    x = arith::SubFOp::create(g.b, g.loc, x, line.spread(mean, lanes));
  return mulValues(g, x, line.spread(inverse, lanes));
}

/// The mean of f(element); the first pass fills the stage.
static Value meanOf(GraphBuilder &g, const Line &line, Value length,
                    LineInput &input,
                    llvm::function_ref<Value(Value, int64_t)> function) {
  Type type = input.type;
  auto join = [&](ValueRange a, ValueRange b) {
    return Values{addValues(g, a[0], b[0])};
  };
  auto step = [&](Value i, int64_t lanes, ValueRange sum) {
    Value x = input.read(i, lanes);
    if (input.stage)
      g.storeElement(*input.stage, line.number(i), x);
    return Values{addValues(g, sum[0], function(x, lanes))};
  };
  Value sum = line.fold(g.constant(type, 0), join, step)[0];
  if (const Tensor *stage = input.stage) {
    input.read = [&g, &line, stage](Value i, int64_t lanes) {
      return g.loadElement(*stage, line.number(i), lanes);
    };
    input.stage = nullptr;
  }
  return arith::DivFOp::create(g.b, g.loc, sum, fromNumber(g, length, type));
}

Moments lineMoments(GraphBuilder &g, const Line &line, Value length,
                    LineInput &input, double epsilon, bool isCentered) {
  Moments moments;
  if (isCentered)
    moments.mean =
        meanOf(g, line, length, input, [](Value x, int64_t) { return x; });
  Value square =
      meanOf(g, line, length, input, [&](Value x, int64_t lanes) -> Value {
        if (moments.mean)
          x = arith::SubFOp::create(g.b, g.loc, x,
                                    line.spread(moments.mean, lanes));
        return mulValues(g, x, x);
      });
  Type type = square.getType();
  Value root = math::SqrtOp::create(
      g.b, g.loc, addValues(g, square, g.constant(type, epsilon)));
  moments.inverse =
      arith::DivFOp::create(g.b, g.loc, g.constant(type, 1), root);
  return moments;
}

FailureOr<RowFactor> RowFactor::make(Node &node, size_t index,
                                     ArrayRef<Value> dims, int64_t axis) {
  GraphBuilder &g = node.g;
  if (failed(node.requireFloat(index)))
    return failure();
  RowFactor factor;
  factor.tensor = node.buffer(index);
  factor.dims.assign(dims.begin(), dims.end());
  factor.axis = axis;
  ArrayRef<Value> own = factor.tensor.dims;
  if (own.size() > dims.size())
    return node.refuse("input " + Twine(index) + " has " + Twine(own.size()) +
                       " dimensions, more than the " + Twine(dims.size()) +
                       " of what is normalized");
  factor.isSingle = g.knownCount(factor.tensor) == 1;
  if (factor.isSingle)
    return factor;
  while (g.isKnown(own.front(), 1))
    own = own.drop_front();
  ArrayRef<Value> line = dims.drop_front(axis);
  while (!line.empty() && line.size() > own.size() &&
         g.isKnown(line.front(), 1))
    line = line.drop_front();
  factor.isLine = own.size() == line.size();
  for (auto [mine, other] : llvm::zip_equal(own, dims.take_back(own.size()))) {
    if (g.isKnown(mine, 1) && !g.isKnown(other, 1)) {
      factor.isLine = false;
      continue;
    }
    std::optional<int64_t> size = g.known(mine), wanted = g.known(other);
    if (size && wanted && *size != *wanted)
      return node.refuse("input " + Twine(index) + " has a dimension of " +
                         Twine(*size) + ", expected " + Twine(*wanted));
    g.require(g.equal(mine, other), node.describe() +
                                        ": a dimension of input " +
                                        Twine(index) + " does not fit");
  }
  return factor;
}

bool RowFactor::hasLanes() const {
  return isSingle || (isLine && canReadLanes(tensor));
}

Value RowFactor::read(GraphBuilder &g, const Line &line, Value i,
                      int64_t lanes) const {
  if (isSingle)
    return g.splat(g.onlyElement(tensor), lanes);
  if (isLine)
    return g.loadElement(tensor, i, lanes);
  Access access;
  access.indices = g.delinearize(line.outer, ArrayRef(dims).take_front(axis));
  llvm::append_range(access.indices,
                     g.delinearize(i, ArrayRef(dims).drop_front(axis)));
  return g.broadcastElement(tensor, access, dims);
}

} // namespace llmopt::graph
