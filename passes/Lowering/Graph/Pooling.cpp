//===- Pooling.cpp - Pooling of a tensor ------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Pooling.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/Lines.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

/// Kernels of at most so many elements along the last dimension are unrolled.
static constexpr int64_t kMaxUnrolled = 7;

namespace {
/// Code of one row (along the last dimension) of the output. Vectors hold
/// neighbours in the row; windows that reach into padding, and strides other
/// than 1 and 2, take scalars.
class PoolRow {
public:
  PoolRow(GraphBuilder &g, const Tensor &input, const Tensor &output,
          ArrayRef<PoolDim> dims, const PoolFunction &function)
      : g(g), input(input), output(output), outerDims(dims.drop_back()),
        last(dims.back()), function(function) {}

  void emit(Value row);

private:
  void vectors(Value begin, Value end, Value rowStart);
  void scalar(Value index, Value rowStart);
  /// Joins elements of windows: `element` gives one of row `rowPlace`.
  Value
  accumulate(size_t depth, Value place, Value state,
             llvm::function_ref<Value(Value rowPlace, Value state)> element);
  Value read(Value place, int64_t lanes);
  bool canUseVectors() const {
    return last.stride <= 2 && canReadLanes(input) && canReadLanes(output);
  }

  GraphBuilder &g;
  const Tensor &input, &output;
  ArrayRef<PoolDim> outerDims;
  const PoolDim &last;
  const PoolFunction &function;
  SmallVector<PoolSpan> spans; ///< in the outer dimensions
  Value image;                 ///< number of the channel of the image
  Value outerCount;            ///< elements of windows in the outer dimensions
};
} // namespace

/// Elements place, place + stride, ... of the input.
Value PoolRow::read(Value place, int64_t lanes) {
  if (lanes == 1 || last.stride == 1)
    return function.prepare(g.loadElement(input, place, lanes));
  Value both = g.loadElement(input, place, 2 * lanes);
  SmallVector<int64_t> even;
  for (int64_t i = 0; i < lanes; ++i)
    even.push_back(2 * i);
  return function.prepare(
      vector::ShuffleOp::create(g.b, g.loc, both, both, even));
}

Value PoolRow::accumulate(
    size_t depth, Value place, Value state,
    llvm::function_ref<Value(Value rowPlace, Value state)> element) {
  if (depth == outerDims.size())
    return element(g.mul(place, last.input), state);
  const PoolDim &dim = outerDims[depth];
  const PoolSpan &span = spans[depth];
  return g.loop(span.first, span.last, g.number(1), state,
                [&](Value tap, ValueRange carried) {
                  Value index = g.add(span.start, g.mul(tap, dim.dilation));
                  Value next = g.add(g.mul(place, dim.input), index);
                  return Values{
                      accumulate(depth + 1, next, carried[0], element)};
                })[0];
}

void PoolRow::scalar(Value index, Value rowStart) {
  PoolSpan span = poolSpan(g, last, index);
  auto element = [&](Value rowPlace, Value state) {
    Value place = g.add(rowPlace, span.start);
    return g.loop(span.first, span.last, g.number(1), state,
                  [&](Value tap, ValueRange carried) {
                    Value x = read(g.add(place, g.mul(tap, last.dilation)), 1);
                    return Values{function.join(carried[0], x)};
                  })[0];
  };
  Value state = accumulate(0, image, function.identity, element);
  Value count =
      function.countsPadding ? span.padded : g.sub(span.last, span.first);
  g.storeElement(output, g.add(rowStart, index),
                 function.finish(state, g.mul(outerCount, count)));
}

void PoolRow::vectors(Value begin, Value end, Value rowStart) {
  Value count = g.mul(outerCount, last.kernel);
  g.loop(begin, end, g.number(kVectorLanes), [&](Value step) {
    // The last vector may repeat elements of the one before.
    Value index = g.min(step, g.sub(end, kVectorLanes));
    Value start = g.sub(g.mul(index, last.stride), last.padBefore);
    auto element = [&](Value rowPlace, Value state) {
      Value place = g.add(rowPlace, start);
      auto join = [&](Value tap, Value before) {
        Value x = read(g.add(place, g.mul(tap, last.dilation)), kVectorLanes);
        return function.join(before, x);
      };
      if (last.kernel <= kMaxUnrolled) {
        for (int64_t tap = 0; tap < last.kernel; ++tap)
          state = join(g.number(tap), state);
        return state;
      }
      return g.loop(g.number(last.kernel), state,
                    [&](Value tap, ValueRange carried) {
                      return Values{join(tap, carried[0])};
                    })[0];
    };
    Value state =
        accumulate(0, image, g.splat(function.identity, kVectorLanes), element);
    g.storeElement(output, g.add(rowStart, index),
                   function.finish(state, count));
  });
}

void PoolRow::emit(Value row) {
  Values outputs;
  for (const PoolDim &dim : outerDims)
    outputs.push_back(dim.output);
  Value perImage = g.product(outputs);
  image = g.div(row, perImage);
  Values indices = g.delinearize(g.rem(row, perImage), outputs);
  outerCount = g.number(1);
  for (auto [dim, index] : llvm::zip_equal(outerDims, indices)) {
    PoolSpan span = poolSpan(g, dim, index);
    spans.push_back(span);
    Value count =
        function.countsPadding ? span.padded : g.sub(span.last, span.first);
    outerCount = g.mul(outerCount, count);
  }
  Value rowStart = g.mul(row, last.output);
  if (!canUseVectors())
    return g.loop(last.output, [&](Value i) { scalar(i, rowStart); });
  // Windows of [begin, end) lie in the input, with the element that a vector
  // of stride 2 reads beyond.
  Value begin = g.divideCeil(last.padBefore, g.number(last.stride));
  Value room =
      g.sub(g.add(last.input, last.padBefore), last.reach() + last.stride);
  Value end = g.select(g.less(room, 0), g.number(0),
                       g.add(g.div(room, last.stride), 1));
  end = g.min(end, last.output);
  Value isWide = g.less(g.add(begin, kVectorLanes - 1), end);
  end = g.select(isWide, end, begin);
  begin = g.min(begin, last.output);
  end = g.min(end, last.output);
  if (!g.same(begin, end))
    vectors(begin, end, rowStart);
  Value inner = g.sub(end, begin);
  g.loop(g.sub(last.output, inner), [&](Value i) {
    Value index = g.select(g.less(i, begin), i, g.add(i, inner));
    scalar(index, rowStart);
  });
}

Tensor poolTensor(GraphBuilder &g, const Tensor &input, ArrayRef<PoolDim> dims,
                  const PoolFunction &function) {
  Values shape{input.dims[0], input.dims[1]};
  int64_t work = 1;
  for (const PoolDim &dim : dims) {
    shape.push_back(dim.output);
    work = std::min<int64_t>(work * dim.kernel, 1 << 20);
  }
  Tensor output = g.allocateTensor(input.type, shape);
  g.parallelFor(
      g.product(ArrayRef(shape).drop_back()), g.mul(shape.back(), work),
      [&](Value row) { PoolRow(g, input, output, dims, function).emit(row); });
  return output;
}

PoolFunction averageFunction(GraphBuilder &g, ElementType type,
                             bool countsPadding) {
  auto reducer = std::make_shared<Reducer>(g, type, ReduceKind::Mean);
  return {reducer->identity(), [=](Value x) { return reducer->prepare(x); },
          [=](Value a, Value b) { return reducer->join(a, b); },
          [=, &g](Value sum, Value count) {
            return reducer->finish(sum, g.max(count, 1));
          },
          countsPadding};
}

} // namespace llmopt::graph
