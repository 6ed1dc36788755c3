//===- ExpertMatrix.cpp - Weights of experts --------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ExpertMatrix.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/RowProducts.h"

using namespace mlir;

namespace llmopt::graph {

/// Rows of an expert that one iteration multiplies with all its slots.
static constexpr int64_t kRowsOfIteration = 16;
/// Rows that share the loads of the input.
static constexpr int64_t kRowsOfBlock = 4;

Value ExpertMatrix::blocksOfRow(GraphBuilder &g) const {
  return block ? g.divideCeil(columns, g.number(block)) : g.number(1);
}

Value ExpertMatrix::fits(GraphBuilder &g) const {
  Value blocks = blocksOfRow(g);
  Value perByte = g.number(8 / bits);
  Value result = g.equal(g.count(*scales), g.product({experts, rows, blocks}));
  // Rows start with a byte.
  result = g.logicalAnd(result, g.equal(g.rem(columns, perByte), 0));
  if (!zeros)
    return result;
  Value bytes = block ? g.mul(rows, g.divideCeil(blocks, perByte))
                      : g.divideCeil(rows, perByte);
  return g.logicalAnd(result, g.equal(g.count(*zeros), g.mul(experts, bytes)));
}

namespace {
/// Products of one block of rows of one expert.
class ExpertRows {
public:
  ExpertRows(GraphBuilder &g, const ExpertMatrix &m, Value expert)
      : g(g), m(m), expert(expert), f32(g.b.getF32Type()) {}

  Values products(ArrayRef<Value> rows, const Tensor &input, Value inputFirst) {
    if (m.bits == 0) {
      Values firsts;
      for (Value row : rows)
        firsts.push_back(g.mul(matrixRow(row), m.columns));
      return rowProducts(g, f32, m.weights, firsts, input, inputFirst,
                         m.columns);
    }
    return sumOverColumns(
        g, f32, rows.size(), m.columns,
        [&](Value column, int64_t lanes, ValueRange sums) {
          Value right = loadAs(g, f32, input, g.add(inputFirst, column), lanes);
          Values next;
          for (auto [row, sum] : llvm::zip_equal(rows, sums)) {
            Value left = dequantized(row, column, lanes);
            next.push_back(math::FmaOp::create(g.b, g.loc, left, right, sum));
          }
          return next;
        });
  }

  Value biased(Value row, Value sum) {
    if (!m.bias)
      return sum;
    Value bias = loadAs(g, f32, *m.bias, matrixRow(row), 1);
    return arith::AddFOp::create(g.b, g.loc, sum, bias);
  }

private:
  Value matrixRow(Value row) { return g.add(g.mul(expert, m.rows), row); }

  /// The element of a number in packed bytes, as i32.
  Value unpack(const Tensor &bytes, Value number) {
    Type i32 = g.b.getI32Type();
    int64_t perByte = 8 / m.bits;
    Value byte = g.loadElement(bytes, g.div(number, perByte));
    Value shift = g.mul(g.rem(number, perByte), m.bits);
    shift = arith::TruncIOp::create(g.b, g.loc, i32, shift);
    byte = arith::ExtUIOp::create(g.b, g.loc, i32, byte);
    byte = arith::ShRUIOp::create(g.b, g.loc, byte, shift);
    return masked(byte);
  }

  Value masked(Value value) {
    Value mask = g.integer(value.getType(), (1 << m.bits) - 1);
    return arith::AndIOp::create(g.b, g.loc, value, mask);
  }

  /// The elements of a vector from a number on that starts a byte, as i32.
  Value unpackLanes(Value number) {
    int64_t perByte = 8 / m.bits;
    Value pointer = g.at(m.weights.buffer->data, g.div(number, perByte));
    Value bytes = g.load(
        VectorType::get(kVectorLanes / perByte, g.b.getI8Type()), pointer);
    SmallVector<int64_t> places;
    SmallVector<int32_t> shifts;
    for (int64_t i = 0; i < kVectorLanes; ++i) {
      places.push_back(i / perByte);
      shifts.push_back(i % perByte * m.bits);
    }
    auto type = VectorType::get(kVectorLanes, g.b.getI32Type());
    Value spread = vector::ShuffleOp::create(g.b, g.loc, bytes, bytes, places);
    spread = arith::ExtUIOp::create(g.b, g.loc, type, spread);
    Value shift = arith::ConstantOp::create(
        g.b, g.loc, DenseElementsAttr::get(type, ArrayRef(shifts)));
    return masked(arith::ShRUIOp::create(g.b, g.loc, spread, shift));
  }

  /// The zero point of a block, as i32.
  Value zeroPoint(Value row, Value block) {
    if (!m.zeros)
      return g.integer(g.b.getI32Type(), 1 << (m.bits - 1));
    Value perByte = g.number(8 / m.bits);
    auto padded = [&](Value count) {
      return g.mul(g.divideCeil(count, perByte), perByte);
    };
    Value number =
        m.block ? g.add(g.mul(matrixRow(row), padded(m.blocksOfRow(g))), block)
                : g.add(g.mul(expert, padded(m.rows)), row);
    return unpack(*m.zeros, number);
  }

  Value dequantized(Value row, Value column, int64_t lanes) {
    Value block = m.block ? g.div(column, m.block) : g.number(0);
    Value scaleNumber = g.add(g.mul(matrixRow(row), m.blocksOfRow(g)), block);
    Value scale = loadAs(g, f32, *m.scales, scaleNumber, 1);
    Value number = g.add(g.mul(matrixRow(row), m.columns), column);
    Value code = lanes == 1 ? unpack(m.weights, number) : unpackLanes(number);
    Value zero = g.splat(zeroPoint(row, block), lanes);
    Value difference = arith::SubIOp::create(g.b, g.loc, code, zero);
    Value value = arith::SIToFPOp::create(g.b, g.loc, g.withLanes(f32, lanes),
                                          difference);
    return arith::MulFOp::create(g.b, g.loc, value, g.splat(scale, lanes));
  }

  GraphBuilder &g;
  const ExpertMatrix &m;
  Value expert;
  Type f32;
};
} // namespace

Tensor multiplyExperts(GraphBuilder &g, const ExpertMatrix &matrix,
                       const Tensor &input, const Tensor &chosen,
                       int64_t slotsPerRow) {
  Value slots = chosen.dims[0];
  Tensor result = g.allocateTensor(g.b.getF32Type(), {slots, matrix.rows});
  Values dims{matrix.experts,
              g.divideCeil(matrix.rows, g.number(kRowsOfIteration))};
  Value work =
      g.div(g.product({slots, matrix.columns, g.number(kRowsOfIteration / 8)}),
            g.max(matrix.experts, 1));
  g.parallelFor(g.product(dims), work, [&](Value index) {
    Values at = g.delinearize(index, dims);
    Value begin = g.mul(at[1], kRowsOfIteration);
    Value end = g.min(g.add(begin, kRowsOfIteration), matrix.rows);
    Value rest = g.add(
        begin, g.mul(g.div(g.sub(end, begin), kRowsOfBlock), kRowsOfBlock));
    ExpertRows expert(g, matrix, at[0]);
    g.loop(slots, [&](Value slot) {
      Value isChosen = g.equal(g.loadElement(chosen, slot), at[0]);
      g.ifThen(isChosen, [&] {
        Value inputFirst = g.mul(g.div(slot, slotsPerRow), matrix.columns);
        Value resultFirst = g.mul(slot, matrix.rows);
        auto multiply = [&](Value first, int64_t count) {
          Values rows;
          for (int64_t i = 0; i < count; ++i)
            rows.push_back(g.add(first, i));
          Values sums = expert.products(rows, input, inputFirst);
          for (auto [row, sum] : llvm::zip_equal(rows, sums))
            g.storeElement(result, g.add(resultFirst, row),
                           expert.biased(row, sum));
        };
        g.loop(begin, rest, g.number(kRowsOfBlock),
               [&](Value first) { multiply(first, kRowsOfBlock); });
        g.loop(rest, end, g.number(1), [&](Value row) { multiply(row, 1); });
      });
    });
  });
  return result;
}

} // namespace llmopt::graph
