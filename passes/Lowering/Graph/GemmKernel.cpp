//===- GemmKernel.cpp - Products of matrices in graphs ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/GemmKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/GemmTile.h"

using namespace mlir;

namespace llmopt::graph {

/// Rows of a task: with many panels each is copied once for many rows, else
/// there have to be tasks for all threads.
static constexpr int64_t kBlockRows = 192, kBlockRowsOfMany = 768;
static constexpr int64_t kManyPanels = 16;

static ModuleOp moduleOf(GraphBuilder &g) {
  return g.b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
}

/// The address of an element of a matrix.
static Value elementAt(GraphBuilder &g, const Matrix &m, Value row,
                       Value column) {
  Value index = g.add(g.mul(row, m.rowStride), g.mul(column, m.columnStride));
  return g.at(m.data, g.mul(index, m.type.bytes()));
}

namespace {
/// The rows and columns of a task.
struct Block {
  Value batch, firstRow, rows, firstColumn, columns;
};
} // namespace

/// Calls body for blocks of rows of panels, in parallel.
static void forBlocks(GraphBuilder &g, const ProductShape &shape,
                      int64_t panelColumns,
                      llvm::function_ref<void(const Block &)> body) {
  Value panels = g.divideCeil(shape.columns, g.number(panelColumns));
  Value isMany = g.less(g.number(kManyPanels - 1), g.mul(panels, shape.batch));
  Value most =
      g.select(isMany, g.number(kBlockRowsOfMany), g.number(kBlockRows));
  Value blocks = g.divideCeil(shape.rows, most);
  // Blocks of about equal size, whole tiles of 12 rows.
  Value blockRows = g.divideCeil(shape.rows, g.max(blocks, 1));
  blockRows = g.mul(g.divideCeil(blockRows, g.number(12)), 12);
  Value count = g.product({shape.batch, panels, blocks});
  Value work =
      g.product({g.min(blockRows, shape.rows), shape.depth, g.number(4)});
  g.parallelFor(count, work, [&](Value task) {
    Values place = g.delinearize(task, {shape.batch, blocks, panels});
    Block block;
    block.batch = place[0];
    block.firstRow = g.mul(place[1], blockRows);
    block.rows = g.min(g.max(g.sub(shape.rows, block.firstRow), 0), blockRows);
    block.firstColumn = g.mul(place[2], panelColumns);
    block.columns =
        g.min(g.sub(shape.columns, block.firstColumn), panelColumns);
    body(block);
  });
}

/// Vectors of 16 of [0, count), then single ones.
static void forVectors(GraphBuilder &g, Value count,
                       llvm::function_ref<void(Value, int64_t)> body) {
  Value whole = g.mul(g.div(count, kVectorLanes), kVectorLanes);
  if (!g.isKnown(whole, 0))
    g.loop(g.number(0), whole, g.number(kVectorLanes),
           [&](Value i) { body(i, kVectorLanes); });
  if (!g.same(whole, count))
    g.loop(whole, count, g.number(1), [&](Value i) { body(i, 1); });
}

/// Applies the epilogue to the results of a block.
static void applyEpilogue(GraphBuilder &g, const Epilogue &epilogue,
                          const Matrix &c, const Block &block) {
  if (!epilogue)
    return;
  g.loop(block.rows, [&](Value i) {
    Value row = g.add(block.firstRow, i);
    forVectors(g, block.columns, [&](Value j, int64_t lanes) {
      Value column = g.add(block.firstColumn, j);
      Value place = elementAt(g, c, row, column);
      Value sum = g.load(g.withLanes(c.type.compute(), lanes), place);
      Access access{{block.batch, row, column}, nullptr, lanes};
      g.store(epilogue(sum, access), place);
    });
  });
}

void emitPanelProducts(GraphBuilder &g, const ProductShape &shape,
                       const MatrixOf &a, const PanelCopy &copy,
                       const MatrixOf &c, const Epilogue &epilogue) {
  func::FuncOp kernel = gemmPanelF32(moduleOf(g), g.targetIsa);
  // A product without depth is zero: a panel of no rows yields it.
  Value parts = g.max(g.divideCeil(shape.depth, g.number(kPanelDepth)), 1);
  forBlocks(g, shape, kPanelColumns, [&](const Block &block) {
    Value panel = g.scratch(kPanelDepth * kPanelColumns * 4);
    Matrix left = a(block.batch), result = c(block.batch);
    g.loop(parts, [&](Value part) {
      Value first = g.mul(part, kPanelDepth);
      Value depth = g.min(g.sub(shape.depth, first), kPanelDepth);
      copy({block.batch, first, depth, block.firstColumn, block.columns},
           panel);
      Value add = arith::ExtUIOp::create(g.b, g.loc, g.b.getI64Type(),
                                         g.less(g.number(0), part));
      func::CallOp::create(
          g.b, g.loc, kernel,
          ValueRange{elementAt(g, left, block.firstRow, first),
                     g.mul(left.rowStride, 4), g.mul(left.columnStride, 4),
                     panel, g.number(kPanelColumns * 4),
                     elementAt(g, result, block.firstRow, block.firstColumn),
                     g.mul(result.rowStride, 4), block.rows, block.columns,
                     depth, add});
    });
    applyEpilogue(g, epilogue, result, block);
  });
}

/// The first `count` of 16 elements, in the compute type; zeros after them.
static Value loadSome(GraphBuilder &g, ElementType type, Value pointer,
                      Value count) {
  Type i32 = g.b.getI32Type();
  auto storage = VectorType::get(kVectorLanes, type.storage());
  SmallVector<int32_t> numbers;
  for (int32_t lane = 0; lane < kVectorLanes; ++lane)
    numbers.push_back(lane);
  Value lanes =
      arith::ConstantOp::create(g.b, g.loc, g.b.getI32VectorAttr(numbers));
  Value bound = arith::TruncIOp::create(g.b, g.loc, i32, count);
  Value mask = arith::CmpIOp::create(g.b, g.loc, arith::CmpIPredicate::slt,
                                     lanes, g.splat(bound, kVectorLanes));
  Value zero = g.constant(storage, 0);
  Value stored =
      LLVM::MaskedLoadOp::create(g.b, g.loc, storage, pointer, mask, zero,
                                 g.b.getI32IntegerAttr(type.bytes()));
  return fromStorage(g, type, stored);
}

/// Copies a part of a matrix whose columns are contiguous.
static void copyRows(GraphBuilder &g, const Matrix &b, const PanelPart &part,
                     Value target) {
  g.loop(part.rows, [&](Value k) {
    Value source = elementAt(g, b, g.add(part.firstRow, k), part.firstColumn);
    Value row = g.at(target, g.mul(k, kPanelColumns * 4));
    for (int64_t first = 0; first < kPanelColumns; first += kVectorLanes)
      g.store(loadSome(g, b.type,
                       g.at(source, g.number(first * b.type.bytes())),
                       g.sub(part.columns, first)),
              g.at(row, g.number(first * 4)));
  });
}

/// Copies a part of any matrix, element by element.
static void copyElements(GraphBuilder &g, const Matrix &b,
                         const PanelPart &part, Value target) {
  Value zero = g.constant(g.b.getF32Type(), 0);
  auto place = [&](Value k, Value j) {
    return g.at(target, g.mul(g.add(g.mul(k, kPanelColumns), j), 4));
  };
  g.loop(part.columns, [&](Value j) {
    Value column = g.add(part.firstColumn, j);
    g.loop(part.rows, [&](Value k) {
      Value source = elementAt(g, b, g.add(part.firstRow, k), column);
      Value stored = g.load(b.type.storage(), source);
      g.store(fromStorage(g, b.type, stored), place(k, j));
    });
  });
  g.loop(part.columns, g.number(kPanelColumns), g.number(1), [&](Value j) {
    g.loop(part.rows, [&](Value k) { g.store(zero, place(k, j)); });
  });
}

/// Sum of products, one vector of columns of one row at a time: for types that
/// are rare.
static void emitPlainProducts(GraphBuilder &g, const ProductShape &shape,
                              const MatrixOf &a, const MatrixOf &b,
                              const MatrixOf &c, const Epilogue &epilogue) {
  forBlocks(g, shape, kPanelColumns, [&](const Block &block) {
    Matrix left = a(block.batch), right = b(block.batch),
           result = c(block.batch);
    ElementType type = left.type;
    bool contiguous = g.isKnown(right.columnStride, 1);
    auto product = [&](Value row, Value column, int64_t lanes) {
      Type compute = g.withLanes(type.compute(), lanes);
      return g.loop(shape.depth, {g.constant(compute, 0)},
                    [&](Value k, ValueRange in) -> Values {
                      Value x =
                          g.load(type.compute(), elementAt(g, left, row, k));
                      Value y = g.load(compute, elementAt(g, right, k, column));
                      x = g.splat(x, lanes);
                      if (type.isFloat())
                        return {math::FmaOp::create(g.b, g.loc, x, y, in[0])};
                      Value xy = arith::MulIOp::create(g.b, g.loc, x, y);
                      return {arith::AddIOp::create(g.b, g.loc, in[0], xy)};
                    })[0];
    };
    auto store = [&](Value row, Value column, int64_t lanes) {
      g.store(product(row, column, lanes), elementAt(g, result, row, column));
    };
    g.loop(block.rows, [&](Value i) {
      Value row = g.add(block.firstRow, i);
      if (contiguous)
        forVectors(g, block.columns, [&](Value j, int64_t lanes) {
          store(row, g.add(block.firstColumn, j), lanes);
        });
      else
        g.loop(block.columns,
               [&](Value j) { store(row, g.add(block.firstColumn, j), 1); });
    });
    applyEpilogue(g, epilogue, result, block);
  });
}

void emitProducts(GraphBuilder &g, const ProductShape &shape, const MatrixOf &a,
                  const MatrixOf &b, const MatrixOf &c,
                  const Epilogue &epilogue) {
  // Of all batches alike; the pointer is of no interest here.
  Matrix right = b(g.number(0));
  if (!right.type.compute().isF32())
    return emitPlainProducts(g, shape, a, b, c, epilogue);
  auto copy = [&](const PanelPart &part, Value target) {
    Matrix right = b(part.batch);
    if (g.isKnown(right.columnStride, 1))
      copyRows(g, right, part, target);
    else
      copyElements(g, right, part, target);
  };
  emitPanelProducts(g, shape, a, copy, c, epilogue);
}

Tensor productOperand(GraphBuilder &g, const Tensor &tensor) {
  if (!tensor.type.isSmallFloat())
    return g.materialize(tensor);
  Tensor wide = mapElements(
      g, {tensor}, g.b.getF32Type(),
      [](GraphBuilder &, ArrayRef<Value> in) { return in[0]; }, "");
  return g.materialize(wide);
}

} // namespace llmopt::graph
