//===- Transpose.cpp - Dimensions in another order --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/Movement.h"

using namespace mlir;

namespace llmopt::graph {

/// True if all that changes its place are dimensions of 1.
static bool keepsOrder(GraphBuilder &g, const Tensor &source,
                       ArrayRef<int64_t> permutation) {
  int64_t last = -1;
  for (int64_t axis : permutation) {
    if (g.isKnown(source.dims[axis], 1))
      continue;
    if (axis < last)
      return false;
    last = axis;
  }
  return true;
}

namespace {
/// Copies a buffer to one whose last dimension is another one: squares of
/// kVectorLanes rows, so that whole cache lines are read and written.
class Transposition {
public:
  Transposition(GraphBuilder &g, const Tensor &source, const Tensor &target,
                ArrayRef<int64_t> permutation)
      : g(g), source(source), target(target), permutation(permutation) {
    int64_t last = source.rank() - 1;
    sourceStrides = strides(source.dims);
    targetStrides = strides(target.dims);
    rows = source.dims[permutation.back()];
    rowStride = sourceStrides[permutation.back()];
    columns = source.dims[last];
    columnStride =
        targetStrides[llvm::find(permutation, last) - permutation.begin()];
  }

  void run() {
    Values outer;
    for (size_t axis = 0; axis < permutation.size(); ++axis)
      if (isOuter(axis))
        outer.push_back(target.dims[axis]);
    Value blocks = g.divideCeil(columns, g.number(kVectorLanes));
    outer.push_back(blocks);
    g.parallelFor(g.product(outer), g.mul(rows, kVectorLanes), [&](Value i) {
      Values indices = g.delinearize(i, outer);
      Value from = g.number(0), to = g.number(0);
      size_t next = 0;
      for (size_t axis = 0; axis < permutation.size(); ++axis) {
        if (!isOuter(axis))
          continue;
        Value index = indices[next++];
        from = g.add(from, g.mul(index, sourceStrides[permutation[axis]]));
        to = g.add(to, g.mul(index, targetStrides[axis]));
      }
      copyColumns(from, to, g.mul(indices.back(), kVectorLanes));
    });
  }

private:
  bool isOuter(size_t axis) const {
    return axis + 1 < permutation.size() &&
           permutation[axis] != int64_t(permutation.size()) - 1;
  }

  Values strides(ArrayRef<Value> dims) {
    Values result(dims.size());
    for (size_t axis = 0; axis < dims.size(); ++axis)
      result[axis] = g.product(dims.drop_front(axis + 1));
    return result;
  }

  Value place(const Tensor &tensor, Value number) {
    return g.at(tensor.buffer->data, g.mul(number, tensor.type.bytes()));
  }

  /// Column j of the source where the target has it, from `to` on.
  Value column(Value to, Value j) { return g.add(to, g.mul(j, columnStride)); }

  /// A square: its rows are read as vectors, turned in scratch memory and
  /// written as vectors, too, which fill whole cache lines.
  void copySquare(Value from, Value to, Value scratch) {
    Type type = source.type.storage();
    auto vector = VectorType::get(kVectorLanes, type);
    int64_t bytes = source.type.bytes(), width = kVectorLanes * bytes;
    g.loop(g.number(kVectorLanes), [&](Value i) {
      Value start = g.add(from, g.mul(i, rowStride));
      Value row = g.load(vector, place(source, start));
      Value turned = g.at(scratch, g.mul(i, bytes));
      for (int64_t j = 0; j < kVectorLanes; ++j)
        g.store(vector::ExtractOp::create(g.b, g.loc, row, j),
                g.at(turned, g.number(j * width)));
    });
    g.loop(g.number(kVectorLanes), [&](Value j) {
      Value turned = g.load(vector, g.at(scratch, g.mul(j, width)));
      g.store(turned, place(target, column(to, j)));
    });
  }

  /// Rows from `begin` on of `count` columns, one element after the other.
  void copyRest(Value from, Value to, Value begin, Value count) {
    Type type = source.type.storage();
    g.loop(begin, rows, g.number(1), [&](Value i) {
      Value start = g.add(from, g.mul(i, rowStride));
      g.loop(count, [&](Value j) {
        g.store(g.load(type, place(source, g.add(start, j))),
                place(target, g.add(column(to, j), i)));
      });
    });
  }

  /// All rows of the columns from `first` on, kVectorLanes of them or what is
  /// left.
  void copyColumns(Value from, Value to, Value first) {
    Value left = g.sub(columns, first);
    from = g.add(from, first);
    to = column(to, first);
    Value scratch =
        g.scratch(kVectorLanes * kVectorLanes * source.type.bytes());
    auto full = [&] {
      Value whole = g.mul(g.div(rows, kVectorLanes), kVectorLanes);
      g.loop(g.number(0), whole, g.number(kVectorLanes), [&](Value i) {
        copySquare(g.add(from, g.mul(i, rowStride)), g.add(to, i), scratch);
      });
      copyRest(from, to, whole, g.number(kVectorLanes));
      return Values();
    };
    auto rest = [&] {
      copyRest(from, to, g.number(0), left);
      return Values();
    };
    g.ifElse(g.logicalNot(g.less(left, kVectorLanes)), {}, full, rest);
  }

  GraphBuilder &g;
  const Tensor &source, &target;
  ArrayRef<int64_t> permutation;
  Values sourceStrides, targetStrides;
  Value rows, rowStride, columns, columnStride;
};
} // namespace

Tensor transposed(GraphBuilder &g, const Tensor &source,
                  ArrayRef<int64_t> permutation) {
  Values dims;
  for (int64_t axis : permutation)
    dims.push_back(source.dims[axis]);
  if (llvm::is_sorted(permutation))
    return source;
  bool isDense = !source.isExpression() || source.isLinear;
  if (isDense && keepsOrder(g, source, permutation))
    return g.reshaped(source, dims);

  bool keepsLast = permutation.back() == source.rank() - 1;
  std::optional<int64_t> count = g.known(g.product(dims));
  bool isSmall = count && *count <= kMaxScalars;
  bool isPacked = source.buffer && source.buffer->isPacked;
  if (!keepsLast && !isSmall && !isPacked) {
    Tensor from = g.materialize(source);
    Tensor result = g.allocateTensor(source.type, dims);
    Transposition(g, from, result, permutation).run();
    return result;
  }
  SmallVector<int64_t> order(permutation);
  return moved(g, source, dims, keepsLast,
               [=](GraphBuilder &g, ArrayRef<Value> indices) {
                 Values own(indices.size());
                 for (auto [axis, index] : llvm::zip_equal(order, indices))
                   own[axis] = index;
                 return own;
               });
}

} // namespace llmopt::graph
