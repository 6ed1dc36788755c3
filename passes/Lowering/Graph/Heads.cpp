//===- Heads.cpp - Tensors as rows of attention heads -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Heads.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace llmopt::graph {

Value Heads::first(GraphBuilder &g, Value batch, Value head, Value row) const {
  Value number = g.add(offset, g.mul(batch, batchStride));
  number = g.add(number, g.mul(head, headStride));
  return g.add(number, g.mul(row, rowStride));
}

Heads viewByHead(GraphBuilder &g, const Tensor &tensor) {
  ArrayRef<Value> dims = tensor.dims;
  return {tensor, g.number(0), g.product(dims.drop_front()),
          g.product(dims.drop_front(2)), dims[3]};
}

Heads viewByRow(GraphBuilder &g, const Tensor &tensor, Value columns,
                Value offset) {
  ArrayRef<Value> dims = tensor.dims;
  return {tensor, offset, g.product(dims.drop_front()), columns, dims[2]};
}

void requirePositions(GraphBuilder &g, const Rotary &rotary, Value batch,
                      Value rows, const Twine &what) {
  Value half = g.div(rotary.width, 2);
  Value positions = g.div(g.count(rotary.cosines), g.max(half, 1));
  Value yes = g.integer(g.b.getI1Type(), 1);
  Values areInside = g.loop(batch, {yes}, [&](Value entry, ValueRange outer) {
    return g.loop(rows, outer, [&](Value row, ValueRange inner) {
      Value position = rotary.position(entry, row);
      Value isInside = g.logicalAnd(g.less(position, positions),
                                    g.logicalNot(g.less(position, 0)));
      return Values{g.logicalAnd(inner[0], isInside)};
    });
  });
  g.require(areInside[0],
            what + ": a position is out of range of the cosines and sines");
}

namespace {
/// Copies one row.
class RowCopy {
public:
  RowCopy(GraphBuilder &g, const HeadsCopy &copy, Value batch, Value head,
          Value row)
      : g(g), copy(copy), source(copy.from.first(g, batch, head, row)),
        bias(copy.bias ? g.add(copy.biasOffset, g.mul(head, copy.columns))
                       : Value()) {
    Value targetRow = copy.target ? copy.target(batch, row) : row;
    target = copy.to.first(g, batch, head, targetRow);
  }

  void plain(Value begin) {
    g.vectorLoop(begin, copy.columns, true,
                 [&](Value i, int64_t lanes) { write(i, read(i, lanes)); });
  }

  void rotate(const Rotary &rotary, Value angles) {
    Value half = g.div(rotary.width, 2);
    bool isInterleaved = rotary.isInterleaved;
    g.vectorLoop(
        g.number(0), half, !isInterleaved, [&](Value i, int64_t lanes) {
          Value left = isInterleaved ? g.mul(i, 2) : i;
          Value right = isInterleaved ? g.add(left, 1) : g.add(i, half);
          Value x = read(left, lanes), y = read(right, lanes);
          Value angle = g.add(angles, i);
          Value cosine = g.loadElement(rotary.cosines, angle, lanes);
          Value sine = g.loadElement(rotary.sines, angle, lanes);
          write(left, sub(mul(x, cosine), mul(y, sine)));
          write(right, add(mul(x, sine), mul(y, cosine)));
        });
  }

private:
  Value add(Value a, Value b) {
    return arith::AddFOp::create(g.b, g.loc, a, b);
  }
  Value sub(Value a, Value b) {
    return arith::SubFOp::create(g.b, g.loc, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulFOp::create(g.b, g.loc, a, b);
  }
  Value read(Value column, int64_t lanes) {
    Value value = g.loadElement(copy.from.tensor, g.add(source, column), lanes);
    if (!copy.bias)
      return value;
    return add(value, g.loadElement(*copy.bias, g.add(bias, column), lanes));
  }
  void write(Value column, Value value) {
    g.storeElement(copy.to.tensor, g.add(target, column), value);
  }

  GraphBuilder &g;
  const HeadsCopy &copy;
  Value source, target, bias;
};
} // namespace

void copyHeads(GraphBuilder &g, const HeadsCopy &copy) {
  Values dims{copy.batch, copy.rows, copy.heads};
  g.parallelFor(g.product(dims), copy.columns, [&](Value index) {
    Values at = g.delinearize(index, dims);
    Value batch = at[0], row = at[1], head = at[2];
    Value isCopied = copy.isCopied ? copy.isCopied(batch, row)
                                   : g.integer(g.b.getI1Type(), 1);
    g.ifThen(isCopied, [&] {
      RowCopy rowCopy(g, copy, batch, head, row);
      if (!copy.rotary)
        return rowCopy.plain(g.number(0));
      Value position = copy.rotary->position(batch, row);
      rowCopy.rotate(*copy.rotary,
                     g.mul(position, g.div(copy.rotary->width, 2)));
      if (!g.same(copy.rotary->width, copy.columns))
        rowCopy.plain(copy.rotary->width);
    });
  });
}

void joinRows(GraphBuilder &g, const CacheRows &rows, const Heads &target) {
  HeadsCopy copy;
  copy.to = target;
  copy.batch = rows.batch;
  copy.heads = rows.heads;
  copy.columns = rows.columns;
  if (rows.past) {
    copy.from = *rows.past;
    copy.rows = rows.pastRows;
    copyHeads(g, copy);
  }
  copy.from = rows.fresh;
  copy.rows = rows.freshRows;
  copy.target = [&g, past = rows.pastRows](Value, Value row) {
    return g.add(row, past);
  };
  copyHeads(g, copy);
}

} // namespace llmopt::graph
