//===- IntegerProducts.cpp - Products of 8-bit integers ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/IntegerProducts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/GemmTile.h"

using namespace mlir;

namespace llmopt::graph {

/// Rows of a task; its sums take 64 times 4 bytes a row of its stack.
static constexpr int64_t kMostRows = 384;
/// Rows of B that are multiplied at a time.
static constexpr int64_t kIntegerDepth = 512;

namespace {

/// Emits one set of products.
class Emission {
public:
  Emission(GraphBuilder &g, const IntegerProducts &p)
      : g(g), p(p), kind(integerPanel(g.targetIsa)),
        aShift(isBytes() && p.a(g.number(0)).type.isUnsigned() ? 128 : 0),
        bShift(isBytes() && !p.bType.isUnsigned() ? 128 : 0) {
    steps = g.divideCeil(p.shape.depth, g.number(rowsPerStep(kind)));
    hasColumnSums = isBytes() && (p.aZero || aShift);
  }

  void prepareA();
  void emitTasks(const SumSink &sink);
  void releaseA();

private:
  bool isBytes() const { return kind == PanelKind::Bytes; }
  Value i32(int64_t value) { return g.integer(g.b.getI32Type(), value); }
  Value rowOf(Value matrix, Value row) {
    return g.add(g.mul(matrix, p.shape.rows), row);
  }
  Value zeroOfRow(Value matrix, Value row);
  Value prepareElement(Value stored, Value zero, bool isUnsigned);
  Value prepareRow(const Matrix &a, Value matrix, Value row, Value target);
  void prepareColumnZeros(const Block &block);
  void multiplyPart(const Block &block, Value part);
  void emitSums(const Block &block, const SumSink &sink);
  Value corrected(const Block &block, Value row, Value j, Value sums,
                  int64_t lanes);

  GraphBuilder &g;
  const IntegerProducts &p;
  const PanelKind kind;
  const int64_t aShift, bShift; ///< what the copies are shifted by
  Value steps;                  ///< of the whole depth
  bool hasColumnSums;
  Value rows;  ///< prepared A: [aCount * rows, steps] of 4 bytes
  Value terms; ///< i32 [aCount * rows]: K za - sum of the row, both shifted
  // Memory of a task.
  Value copy, panel, sums, columnSums, columnZeros;
};

} // namespace

/// i32; as the prepared elements are shifted.
Value Emission::zeroOfRow(Value matrix, Value row) {
  Value zero = p.aZero ? p.aZero(matrix, row, 1) : i32(0);
  return arith::SubIOp::create(g.b, g.loc, zero, i32(aShift));
}

/// An element, or 16, as it is multiplied.
Value Emission::prepareElement(Value stored, Value zero, bool isUnsigned) {
  if (isBytes())
    return aShift ? Value(arith::XOrIOp::create(
                        g.b, g.loc, stored, g.integer(stored.getType(), -128)))
                  : stored;
  auto vector = dyn_cast<VectorType>(stored.getType());
  int64_t lanes = vector ? vector.getNumElements() : 1;
  Type shorts = g.withLanes(g.b.getI16Type(), lanes);
  Value wide = isUnsigned
                   ? Value(arith::ExtUIOp::create(g.b, g.loc, shorts, stored))
                   : Value(arith::ExtSIOp::create(g.b, g.loc, shorts, stored));
  Value offset = arith::TruncIOp::create(g.b, g.loc, g.b.getI16Type(), zero);
  return arith::SubIOp::create(g.b, g.loc, wide, g.splat(offset, lanes));
}

/// Writes a row as it is multiplied, zeros up to a whole step. Returns the sum
/// of what it has written.
Value Emission::prepareRow(const Matrix &a, Value matrix, Value row,
                           Value target) {
  Type i32Type = g.b.getI32Type();
  int64_t bytes = isBytes() ? 1 : 2;
  Value zero = isBytes() ? Value() : zeroOfRow(matrix, row);
  Value sum = i32(0);
  auto prepare = [&](Value k, int64_t lanes, Value total) -> Value {
    Value stored = g.load(g.withLanes(g.b.getI8Type(), lanes), a.at(g, row, k));
    Value element = prepareElement(stored, zero, a.type.isUnsigned());
    g.store(element, g.at(target, g.mul(k, bytes)));
    Value wide = arith::ExtSIOp::create(g.b, g.loc, g.withLanes(i32Type, lanes),
                                        element);
    return arith::AddIOp::create(g.b, g.loc, total, wide);
  };
  Value depth = p.shape.depth, first = g.number(0);
  if (g.isKnown(a.columnStride, 1)) {
    Value whole = g.mul(g.div(depth, kVectorLanes), kVectorLanes);
    Value none = g.integer(g.withLanes(i32Type, kVectorLanes), 0);
    Value partial = g.loop(first, whole, g.number(kVectorLanes), none,
                           [&](Value k, ValueRange in) {
                             return Values{prepare(k, kVectorLanes, in[0])};
                           })[0];
    sum = vector::ReductionOp::create(g.b, g.loc, vector::CombiningKind::ADD,
                                      partial);
    first = whole;
  }
  sum = g.loop(first, depth, g.number(1), sum, [&](Value k, ValueRange in) {
    return Values{prepare(k, 1, in[0])};
  })[0];
  Value end = g.mul(steps, 4);
  g.loop(g.mul(depth, bytes), end, g.number(1), [&](Value byte) {
    g.store(g.integer(g.b.getI8Type(), 0), g.at(target, byte));
  });
  return sum;
}

void Emission::prepareA() {
  Value count = g.mul(p.aCount, p.shape.rows);
  Value rowBytes = g.mul(steps, 4);
  rows = g.allocate(g.mul(count, rowBytes));
  terms = g.allocate(g.mul(count, 4));
  g.parallelFor(count, p.shape.depth, [&](Value number) {
    Values place = g.delinearize(number, {p.aCount, p.shape.rows});
    Value target = g.at(rows, g.mul(number, rowBytes));
    Value sum = prepareRow(p.a(place[0]), place[0], place[1], target);
    if (!isBytes())
      return;
    Value depth =
        arith::TruncIOp::create(g.b, g.loc, g.b.getI32Type(), p.shape.depth);
    Value term =
        arith::MulIOp::create(g.b, g.loc, depth, zeroOfRow(place[0], place[1]));
    term = arith::SubIOp::create(g.b, g.loc, term, sum);
    g.store(term, g.at(terms, g.mul(number, 4)));
  });
}

void Emission::releaseA() {
  g.release(rows);
  g.release(terms);
}

/// The zero points of the columns, for what subtracts them.
void Emission::prepareColumnZeros(const Block &block) {
  if (isBytes() || !p.bZero)
    return;
  columnZeros = g.scratch(kPanelColumns * 2);
  Type i16 = g.b.getI16Type();
  g.store(g.integer(g.withLanes(i16, kPanelColumns), 0), columnZeros);
  g.loop(block.columns, [&](Value j) {
    Value zero = p.bZero(block.batch, g.add(block.firstColumn, j), 1);
    g.store(arith::TruncIOp::create(g.b, g.loc, i16, zero),
            g.at(columnZeros, g.mul(j, 2)));
  });
}

/// Multiplies the rows of a block by a part of the depth.
void Emission::multiplyPart(const Block &block, Value part) {
  Value first = g.mul(part, kIntegerDepth);
  Value depth = g.min(g.sub(p.shape.depth, first), kIntegerDepth);
  p.b({block.batch, first, depth, block.firstColumn, block.columns}, copy);
  bool isSigned = !p.bType.isUnsigned();
  Value partSteps = g.divideCeil(depth, g.number(rowsPerStep(kind)));
  if (isBytes()) {
    packBytes(g, copy, depth, isSigned, panel);
    if (hasColumnSums)
      addColumnSums(g, panel, partSteps, columnSums);
  } else {
    packShorts(g, copy, depth, isSigned, columnZeros, panel);
  }
  Value add = arith::ExtUIOp::create(g.b, g.loc, g.b.getI64Type(),
                                     g.less(g.number(0), part));
  Value aRow = g.mul(steps, 4);
  Value number = rowOf(p.aOf(block.batch), block.firstRow);
  Value firstByte = g.mul(part, kIntegerDepth / rowsPerStep(kind) * 4);
  Value a = g.at(rows, g.add(g.mul(number, aRow), firstByte));
  Value lineBytes = g.number(kPanelColumns * 4);
  func::CallOp::create(g.b, g.loc, gemmPanel(moduleOf(g), g.targetIsa, kind),
                       ValueRange{a, aRow, g.number(4), panel, lineBytes, sums,
                                  lineBytes, block.rows, block.columns,
                                  partSteps, add});
}

/// Adds what the zero points contribute.
Value Emission::corrected(const Block &block, Value row, Value j, Value value,
                          int64_t lanes) {
  if (!isBytes())
    return value;
  Type type = g.withLanes(g.b.getI32Type(), lanes);
  Value matrix = p.aOf(block.batch), number = rowOf(matrix, row);
  if (p.bZero || bShift) {
    Value term = g.load(g.b.getI32Type(), g.at(terms, g.mul(number, 4)));
    Value zero = g.integer(type, bShift);
    if (p.bZero) {
      Value own = p.bZero(block.batch, g.add(block.firstColumn, j), lanes);
      zero = arith::AddIOp::create(g.b, g.loc, own, zero);
    }
    Value product =
        arith::MulIOp::create(g.b, g.loc, zero, g.splat(term, lanes));
    value = arith::AddIOp::create(g.b, g.loc, value, product);
  }
  if (hasColumnSums) {
    Value zero = g.splat(zeroOfRow(matrix, row), lanes);
    Value columnSum = g.load(type, g.at(columnSums, g.mul(j, 4)));
    Value product = arith::MulIOp::create(g.b, g.loc, zero, columnSum);
    value = arith::SubIOp::create(g.b, g.loc, value, product);
  }
  return value;
}

void Emission::emitSums(const Block &block, const SumSink &sink) {
  g.loop(block.rows, [&](Value i) {
    Value row = g.add(block.firstRow, i);
    forVectors(g, block.columns, [&](Value j, int64_t lanes) {
      Value index = g.add(g.mul(i, kPanelColumns), j);
      Value value = g.load(g.withLanes(g.b.getI32Type(), lanes),
                           g.at(sums, g.mul(index, 4)));
      value = corrected(block, row, j, value, lanes);
      Access access{
          {block.batch, row, g.add(block.firstColumn, j)}, nullptr, lanes};
      sink(value, access);
    });
  });
}

void Emission::emitTasks(const SumSink &sink) {
  Value parts = g.max(g.divideCeil(p.shape.depth, g.number(kIntegerDepth)), 1);
  forBlocks(g, p.shape, kMostRows, [&](const Block &block) {
    copy = g.scratch(kIntegerDepth * kPanelColumns + kPanelSlack);
    panel = g.scratch(kIntegerDepth / rowsPerStep(kind) * kPanelColumns * 4);
    sums = g.scratch(kMostRows * kPanelColumns * 4);
    if (hasColumnSums) {
      columnSums = g.scratch(kPanelColumns * 4);
      Value none = g.integer(g.withLanes(g.b.getI32Type(), kPanelColumns), 0);
      g.store(none, columnSums);
    }
    prepareColumnZeros(block);
    g.loop(parts, [&](Value part) { multiplyPart(block, part); });
    emitSums(block, sink);
  });
}

void emitIntegerProducts(GraphBuilder &g, const IntegerProducts &products,
                         const SumSink &sink) {
  Emission emission(g, products);
  emission.prepareA();
  emission.emitTasks(sink);
  emission.releaseA();
}

} // namespace llmopt::graph
