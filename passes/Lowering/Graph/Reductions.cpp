//===- Reductions.cpp - Sums and the like over dimensions -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Reductions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Lines.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// Dimensions that are known to be reduced or not
//===----------------------------------------------------------------------===//

/// The same elements with neighbouring dimensions joined that are both reduced
/// or both kept, and without dimensions of size 1. `mask` follows.
static Tensor joinDims(GraphBuilder &g, const Tensor &input,
                       SmallVectorImpl<bool> &mask) {
  Values dims;
  SmallVector<bool> joined;
  for (auto [dim, isReduced] : llvm::zip_equal(input.dims, mask)) {
    if (g.isKnown(dim, 1))
      continue;
    if (!joined.empty() && joined.back() == isReduced) {
      dims.back() = g.mul(dims.back(), dim);
      continue;
    }
    dims.push_back(dim);
    joined.push_back(isReduced);
  }
  mask.assign(joined.begin(), joined.end());
  return g.reshaped(input, dims);
}

/// True if a reduction can read the expression by indices, every element once:
/// at most one dimension is kept after the last one that is reduced.
static bool canReadByIndices(ArrayRef<bool> mask) {
  size_t kept = 0;
  while (kept < mask.size() && !mask[mask.size() - 1 - kept])
    ++kept;
  return kept <= 1 && kept < mask.size();
}

namespace {
/// Loops of one reduction over the dimensions in `mask`, at least one.
class DimsReduction {
public:
  DimsReduction(GraphBuilder &g, const Tensor &input, ArrayRef<bool> mask,
                const Reducer &reducer);
  /// Of the kept dimensions.
  Tensor run();

private:
  Values along(const Line &line, size_t depth, ValueRange state);

  GraphBuilder &g;
  const Tensor &input;
  const Reducer &reducer;
  SmallVector<int64_t> outerKept; ///< dimensions before `lineDim`
  SmallVector<int64_t> otherReduced;
  int64_t lineDim = 0; ///< the last one that is reduced
  Values indices;      ///< of the element that is read
};
} // namespace

DimsReduction::DimsReduction(GraphBuilder &g, const Tensor &input,
                             ArrayRef<bool> mask, const Reducer &reducer)
    : g(g), input(input), reducer(reducer), indices(input.rank()) {
  for (auto [axis, isReduced] : llvm::enumerate(mask))
    if (isReduced)
      lineDim = axis;
  for (int64_t axis = 0; axis < lineDim; ++axis)
    (mask[axis] ? otherReduced : outerKept).push_back(axis);
}

Values DimsReduction::along(const Line &line, size_t depth, ValueRange state) {
  if (depth < otherReduced.size()) {
    int64_t axis = otherReduced[depth];
    return g.loop(input.dims[axis], state, [&](Value i, ValueRange carried) {
      indices[axis] = i;
      return along(line, depth + 1, carried);
    });
  }
  return line.advance(state, [&](Value i, int64_t lanes, ValueRange carried) {
    indices[lineDim] = i;
    Access access{indices, {}, lanes};
    Value element = reducer.prepare(g.element(input, access));
    return Values{reducer.join(carried[0], element)};
  });
}

Tensor DimsReduction::run() {
  ArrayRef<Value> dims = input.dims;
  Values outerDims, keptDims;
  for (int64_t axis : outerKept)
    outerDims.push_back(dims[axis]);
  keptDims = outerDims;
  llvm::append_range(keptDims, dims.drop_front(lineDim + 1));
  Value others = g.number(1);
  for (int64_t axis : otherReduced)
    others = g.mul(others, dims[axis]);
  Tensor result = g.allocateTensor(input.type, keptDims);
  LineShape shape{g.product(outerDims), dims[lineDim],
                  g.product(dims.drop_front(lineDim + 1))};
  auto reduceLine = [&](const Line &line) {
    Values outer = g.delinearize(line.outer, outerDims);
    for (auto [axis, index] : llvm::zip_equal(outerKept, outer))
      indices[axis] = index;
    if (lineDim + 1 < input.rank())
      indices.back() = line.column;
    auto join = [&](ValueRange a, ValueRange b) {
      return Values{reducer.join(a[0], b[0])};
    };
    Values state = along(line, 0, line.begin(reducer.identity()));
    Value value = line.end(state, join)[0];
    Value count = g.mul(others, dims[lineDim]);
    g.storeElement(result, line.lineNumber(), reducer.finish(value, count));
  };
  forLines(g, shape, canReadLanes(input), others, reduceLine,
           /*isShort=*/!input.isExpression() && input.type.bits() <= 32);
  return result;
}

/// Of a list of scalars: scalars.
static Tensor reduceScalars(GraphBuilder &g, const Tensor &input,
                            ArrayRef<bool> mask, ArrayRef<Value> dims,
                            const Reducer &reducer) {
  std::optional<int64_t> outputs = g.known(g.product(dims));
  Values results(*outputs, reducer.identity());
  for (auto [number, element] : llvm::enumerate(input.elements)) {
    Values indices = g.delinearize(g.number(number), input.dims);
    for (auto [index, isReduced] : llvm::zip_equal(indices, mask))
      if (isReduced)
        index = g.number(0);
    Value &result = results[*g.known(g.linearIndex(indices, dims))];
    result = reducer.join(result, reducer.prepare(element));
  }
  Value count = g.number(*outputs ? input.elements.size() / *outputs : 0);
  for (Value &result : results)
    result = reducer.finish(result, count);
  return g.scalars(input.type, dims, results);
}

static Tensor reduceKnown(GraphBuilder &g, const Tensor &input,
                          ArrayRef<bool> isReduced, ArrayRef<Value> dims,
                          ReduceKind kind) {
  Reducer reducer(g, input.type, kind);
  if (input.hasElements && g.known(g.product(dims)) &&
      *g.known(g.product(dims)) <= kMaxScalars)
    return reduceScalars(g, input, isReduced, dims, reducer);
  SmallVector<bool> mask(isReduced);
  Tensor source = input;
  bool isNestedOnly = source.isExpression() && !source.isLinear;
  if (isNestedOnly && !canReadByIndices(mask)) {
    source = g.materialize(source);
    isNestedOnly = false;
  }
  if (!isNestedOnly)
    source = joinDims(g, source, mask);
  if (llvm::is_contained(mask, true)) {
    DimsReduction reduction(g, source, mask, reducer);
    return g.reshaped(reduction.run(), dims);
  }
  // Every element is a result.
  ElementType type = input.type;
  return mapElements(
      g, {g.reshaped(source, dims)}, type,
      [=](GraphBuilder &g, ArrayRef<Value> in) {
        Reducer reducer(g, type, kind);
        return reducer.finish(reducer.prepare(in[0]), g.number(1));
      },
      "");
}

//===----------------------------------------------------------------------===//
// Dimensions that are chosen at run time
//===----------------------------------------------------------------------===//

/// Loops over all dimensions, one element after the other; those that are kept
/// have one iteration.
static Tensor reduceChosen(GraphBuilder &g, const Tensor &input,
                           ArrayRef<Value> isReduced, ArrayRef<Value> dims,
                           ReduceKind kind) {
  Reducer reducer(g, input.type, kind);
  Tensor source = g.materialize(input);
  Tensor result = g.allocateTensor(input.type, dims);
  Value outputs = g.product(dims);
  Value count = g.div(g.count(source), g.max(outputs, 1));
  Values reduces;
  for (Value condition : isReduced)
    reduces.push_back(g.select(condition, g.number(1), g.number(0)));
  g.parallelFor(outputs, count, [&](Value output) {
    Values kept = g.delinearize(output, dims), indices(kept);
    std::function<Values(size_t, ValueRange)> nest = [&](size_t axis,
                                                         ValueRange state) {
      if (axis == kept.size()) {
        Value element = reducer.prepare(g.element(source, indices));
        return Values{reducer.join(state[0], element)};
      }
      Value isAll = g.equal(reduces[axis], 1);
      Value first = g.select(isAll, g.number(0), kept[axis]);
      Value last = g.select(isAll, source.dims[axis], g.add(kept[axis], 1));
      return g.loop(first, last, g.number(1), state,
                    [&](Value i, ValueRange carried) {
                      indices[axis] = i;
                      return nest(axis + 1, carried);
                    });
    };
    Value value = nest(0, reducer.identity())[0];
    g.storeElement(result, output, reducer.finish(value, count));
  });
  return result;
}

/// The logarithm of a sum of exponentials, which are taken of differences to
/// the greatest element: none of them overflows.
static Tensor reduceLogSumExp(GraphBuilder &g, const Tensor &input,
                              ArrayRef<Value> isReduced) {
  ElementType type = input.type;
  ElementType wide = type.isInteger() || type.get().isF64() ? g.b.getF64Type()
                                                            : g.b.getF32Type();
  auto toWide = [=](GraphBuilder &g, ArrayRef<Value> in) {
    return Reducer(g, type, ReduceKind::LogSumExp).prepare(in[0]);
  };
  Tensor x = g.materialize(mapElements(g, {input}, wide, toWide, ""));
  auto finiteOrZero = [](GraphBuilder &g, ArrayRef<Value> in) -> Value {
    Value size = math::AbsFOp::create(g.b, g.loc, in[0]);
    Value bound =
        g.constant(size.getType(), std::numeric_limits<double>::infinity());
    Value isFinite = arith::CmpFOp::create(
        g.b, g.loc, arith::CmpFPredicate::OLT, size, bound);
    Value zero = g.constant(size.getType(), 0);
    return arith::SelectOp::create(g.b, g.loc, isFinite, in[0], zero);
  };
  Tensor greatest = g.materialize(
      mapElements(g, {reduceTensor(g, x, isReduced, ReduceKind::Max)}, wide,
                  finiteOrZero, ""));
  auto expOfDifference = [](GraphBuilder &g, ArrayRef<Value> in) {
    return exp(g, arith::SubFOp::create(g.b, g.loc, in[0], in[1]));
  };
  Tensor sum =
      reduceTensor(g, mapElements(g, {x, greatest}, wide, expOfDifference, ""),
                   isReduced, ReduceKind::Sum);
  auto finish = [=](GraphBuilder &g, ArrayRef<Value> in) {
    Value result = addValues(g, log(g, in[0]), in[1]);
    return Reducer(g, type, ReduceKind::LogSumExp).finish(result, g.number(1));
  };
  return mapElements(g, {sum, greatest}, type, finish, "");
}

Tensor reduceTensor(GraphBuilder &g, const Tensor &input,
                    ArrayRef<Value> isReduced, ReduceKind kind) {
  if (kind == ReduceKind::LogSumExp)
    return reduceLogSumExp(g, input, isReduced);
  Values dims;
  SmallVector<bool> mask;
  for (auto [dim, condition] : llvm::zip_equal(input.dims, isReduced)) {
    dims.push_back(g.select(condition, g.number(1), dim));
    if (std::optional<bool> isKnown = g.knownBool(condition))
      mask.push_back(*isKnown);
  }
  return mask.size() == isReduced.size()
             ? reduceKnown(g, input, mask, dims, kind)
             : reduceChosen(g, input, isReduced, dims, kind);
}

Tensor reduceTensor(GraphBuilder &g, const Tensor &input, int64_t first,
                    int64_t last, ReduceKind kind) {
  Values isReduced;
  for (int64_t axis = 0; axis < input.rank(); ++axis)
    isReduced.push_back(
        g.integer(g.b.getI1Type(), axis >= first && axis < last));
  return reduceTensor(g, input, isReduced, kind);
}

} // namespace llmopt::graph
