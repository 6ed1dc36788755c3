//===- Panels.cpp - Copies of parts of matrices -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Panels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/GemmKernel.h"
#include "passes/Lowering/Graph/GemmTile.h"
#include "passes/Lowering/Kernels/KernelBuilder.h"
#include <numeric>

using namespace mlir;

namespace llmopt::graph {

Value Matrix::at(GraphBuilder &g, Value row, Value column) const {
  Value index = g.add(g.mul(row, rowStride), g.mul(column, columnStride));
  return g.at(data, g.mul(index, type.bytes()));
}

void forVectors(GraphBuilder &g, Value count,
                llvm::function_ref<void(Value, int64_t)> body) {
  Value whole = g.mul(g.div(count, kVectorLanes), kVectorLanes);
  if (!g.isKnown(whole, 0))
    g.loop(g.number(0), whole, g.number(kVectorLanes),
           [&](Value i) { body(i, kVectorLanes); });
  if (!g.same(whole, count))
    g.loop(whole, count, g.number(1), [&](Value i) { body(i, 1); });
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// The first `count` of 16 floats as f32, zeros after them.
static Value loadSome(GraphBuilder &g, ElementType type, Value pointer,
                      Value count) {
  auto storage = VectorType::get(kVectorLanes, type.storage());
  if (g.isKnown(count, kVectorLanes))
    return fromStorage(g, type, g.load(storage, pointer));
  SmallVector<int32_t> numbers(kVectorLanes);
  std::iota(numbers.begin(), numbers.end(), 0);
  Value lanes =
      arith::ConstantOp::create(g.b, g.loc, g.b.getI32VectorAttr(numbers));
  Value bound = arith::TruncIOp::create(g.b, g.loc, g.b.getI32Type(), count);
  Value mask = arith::CmpIOp::create(g.b, g.loc, arith::CmpIPredicate::slt,
                                     lanes, g.splat(bound, kVectorLanes));
  Value stored = LLVM::MaskedLoadOp::create(
      g.b, g.loc, storage, pointer, mask, g.constant(storage, 0),
      g.b.getI32IntegerAttr(type.bytes()));
  return fromStorage(g, type, stored);
}

/// Element by element, along the rows of the source's memory.
static void copyElements(GraphBuilder &g, const Matrix &matrix,
                         const PanelPart &part, Value target, int64_t bytes) {
  g.loop(part.columns, [&](Value j) {
    Value column = g.add(part.firstColumn, j);
    g.loop(part.rows, [&](Value k) {
      Value stored = g.load(matrix.type.storage(),
                            matrix.at(g, g.add(part.firstRow, k), column));
      Value index = g.add(g.mul(k, kPanelColumns), j);
      g.store(fromStorage(g, matrix.type, stored),
              g.at(target, g.mul(index, bytes)));
    });
  });
}

void copyFloats(GraphBuilder &g, const Matrix &matrix, const PanelPart &part,
                Value target) {
  if (!g.isKnown(matrix.columnStride, 1)) {
    if (!g.isKnown(matrix.rowStride, 1) || !matrix.type.get().isF32())
      return copyElements(g, matrix, part, target, 4);
    func::CallOp::create(
        g.b, g.loc, transposePanel(moduleOf(g), g.targetIsa),
        ValueRange{matrix.at(g, part.firstRow, part.firstColumn),
                   g.mul(matrix.columnStride, 4), target, part.rows,
                   part.columns});
    return;
  }
  g.loop(part.rows, [&](Value k) {
    Value source = matrix.at(g, g.add(part.firstRow, k), part.firstColumn);
    Value row = g.at(target, g.mul(k, kPanelColumns * 4));
    for (int64_t first = 0; first < kPanelColumns; first += kVectorLanes) {
      Value left = g.min(g.sub(part.columns, first), kVectorLanes);
      Value from = g.at(source, g.number(first * matrix.type.bytes()));
      g.store(loadSome(g, matrix.type, from, left),
              g.at(row, g.number(first * 4)));
    }
  });
}

void copyBytes(GraphBuilder &g, const Matrix &matrix, const PanelPart &part,
               Value target) {
  if (!g.isKnown(matrix.columnStride, 1))
    return copyElements(g, matrix, part, target, 1);
  Type i8 = g.b.getI8Type(), line = g.withLanes(i8, kPanelColumns);
  g.loop(part.rows, [&](Value k) {
    Value source = matrix.at(g, g.add(part.firstRow, k), part.firstColumn);
    Value row = g.at(target, g.mul(k, kPanelColumns));
    g.ifElse(
        g.equal(part.columns, kPanelColumns), {},
        [&] {
          g.store(g.load(line, source), row);
          return Values();
        },
        [&] {
          forVectors(g, part.columns, [&](Value j, int64_t lanes) {
            g.store(g.load(g.withLanes(i8, lanes), g.at(source, j)),
                    g.at(row, j));
          });
          return Values();
        });
  });
}

//===----------------------------------------------------------------------===//
// Panels of integers
//===----------------------------------------------------------------------===//

/// a[first], b[first], a[first + 1], b[first + 1], ... of half a vector.
static Value interleave(GraphBuilder &g, Value a, Value b, bool isHigh) {
  int64_t lanes = cast<VectorType>(a.getType()).getNumElements();
  SmallVector<int64_t> order;
  for (int64_t i = isHigh ? lanes / 2 : 0; order.size() < size_t(lanes); ++i)
    order.append({i, lanes + i});
  return vector::ShuffleOp::create(g.b, g.loc, a, b, order);
}

static Value bitcast(GraphBuilder &g, Value value, int64_t lanes, Type type) {
  return vector::BitCastOp::create(g.b, g.loc, VectorType::get(lanes, type),
                                   value);
}

/// Fills rows [rows, the next multiple of `multiple`) of a copy.
static Value fillRows(GraphBuilder &g, Value source, Value rows,
                      int64_t multiple, int64_t value) {
  Value steps = g.divideCeil(rows, g.number(multiple));
  Value line = g.integer(g.withLanes(g.b.getI8Type(), kPanelColumns), value);
  g.loop(rows, g.mul(steps, multiple), g.number(1), [&](Value k) {
    g.store(line, g.at(source, g.mul(k, kPanelColumns)));
  });
  return steps;
}

void packBytes(GraphBuilder &g, Value source, Value rows, bool isSigned,
               Value panel) {
  Type i8 = g.b.getI8Type(), i16 = g.b.getI16Type();
  Type line = g.withLanes(i8, kPanelColumns);
  Value bias = g.integer(line, isSigned ? -128 : 0);
  Value steps = fillRows(g, source, rows, 4, isSigned ? -128 : 0);
  g.loop(steps, [&](Value step) {
    Value from = g.at(source, g.mul(step, 4 * kPanelColumns));
    Value to = g.at(panel, g.mul(step, 4 * kPanelColumns));
    Value lines[4];
    for (int64_t i = 0; i < 4; ++i) {
      Value bytes = g.load(line, g.at(from, g.number(i * kPanelColumns)));
      lines[i] =
          isSigned ? arith::XOrIOp::create(g.b, g.loc, bytes, bias) : bytes;
    }
    for (int64_t half = 0; half < 2; ++half) {
      Value low = interleave(g, lines[0], lines[1], half);
      Value high = interleave(g, lines[2], lines[3], half);
      low = bitcast(g, low, kPanelColumns / 2, i16);
      high = bitcast(g, high, kPanelColumns / 2, i16);
      for (int64_t quarter = 0; quarter < 2; ++quarter)
        g.store(interleave(g, low, high, quarter),
                g.at(to, g.number((2 * half + quarter) * kPanelColumns)));
    }
  });
}

void addColumnSums(GraphBuilder &g, Value panel, Value steps, Value sums) {
  KernelBuilder k(g.b, g.loc, g.targetIsa);
  Value ones = k.constant(k.ints(), 0x01010101);
  auto place = [&](Value base, int64_t i) {
    return g.at(base, g.number(i * kVectorBytes));
  };
  Values start;
  for (int64_t i = 0; i < 4; ++i)
    start.push_back(g.load(k.ints(), place(sums, i)));
  Values total = g.loop(steps, start, [&](Value step, ValueRange in) {
    Value row = g.at(panel, g.mul(step, 4 * kPanelColumns));
    Values next;
    for (int64_t i = 0; i < 4; ++i)
      next.push_back(k.dot(in[i], g.load(k.bytes(), place(row, i)), ones));
    return next;
  });
  for (int64_t i = 0; i < 4; ++i)
    g.store(total[i], place(sums, i));
}

void packShorts(GraphBuilder &g, Value source, Value rows, bool isSigned,
                Value zeros, Value panel) {
  Type i8 = g.b.getI8Type(), i16 = g.b.getI16Type();
  Type bytes = g.withLanes(i8, kVectorLanes);
  Type shorts = g.withLanes(i16, kVectorLanes);
  Value steps = fillRows(g, source, rows, 2, 0);
  auto widened = [&](Value pointer) -> Value {
    Value stored = g.load(bytes, pointer);
    if (isSigned)
      return arith::ExtSIOp::create(g.b, g.loc, shorts, stored);
    return arith::ExtUIOp::create(g.b, g.loc, shorts, stored);
  };
  for (int64_t first = 0; first < kPanelColumns; first += kVectorLanes) {
    Value offset =
        zeros ? g.load(shorts, g.at(zeros, g.number(first * 2))) : Value();
    g.loop(steps, [&](Value step) {
      Value from = g.at(source, g.add(g.mul(step, 2 * kPanelColumns), first));
      Value to =
          g.at(panel, g.mul(g.add(g.mul(step, kPanelColumns), first), 4));
      Value pair[2];
      for (int64_t i = 0; i < 2; ++i) {
        pair[i] = widened(g.at(from, g.number(i * kPanelColumns)));
        if (offset)
          pair[i] = arith::SubIOp::create(g.b, g.loc, pair[i], offset);
      }
      for (int64_t half = 0; half < 2; ++half)
        g.store(interleave(g, pair[0], pair[1], half),
                g.at(to, g.number(half * 2 * kVectorLanes)));
    });
  }
}

} // namespace llmopt::graph
