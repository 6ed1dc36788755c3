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
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/GemmTile.h"

using namespace mlir;

namespace llmopt::graph {

/// Rows of a task: with many panels each is copied once for many rows, else
/// there have to be tasks for all threads.
static constexpr int64_t kBlockRows = 192, kBlockRowsOfMany = 768;
static constexpr int64_t kManyPanels = 16;
/// Fewer rows than this are not worth a copy of B.
static constexpr int64_t kFewRows = 9;

ModuleOp moduleOf(GraphBuilder &g) {
  return g.b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
}

void forBlocks(GraphBuilder &g, const ProductShape &shape, int64_t mostRows,
               llvm::function_ref<void(const Block &)> body) {
  Value panels = g.divideCeil(shape.columns, g.number(kPanelColumns));
  Value isMany = g.less(g.number(kManyPanels - 1), g.mul(panels, shape.batch));
  Value most = g.select(isMany, g.number(mostRows), g.number(kBlockRows));
  Value blocks = g.divideCeil(shape.rows, most);
  // Blocks of about equal size, whole tiles of 6 rows.
  Value blockRows = g.divideCeil(shape.rows, g.max(blocks, 1));
  blockRows = g.mul(g.divideCeil(blockRows, g.number(6)), 6);
  Value count = g.product({shape.batch, panels, blocks});
  Value work =
      g.product({g.min(blockRows, shape.rows), shape.depth, g.number(4)});
  std::optional<int64_t> columns = g.known(shape.columns);
  bool isWhole = columns && *columns % kPanelColumns == 0;
  g.parallelFor(count, work, [&](Value task) {
    Values place = g.delinearize(task, {shape.batch, blocks, panels});
    Block block;
    block.batch = place[0];
    block.firstRow = g.mul(place[1], blockRows);
    block.rows = g.min(g.max(g.sub(shape.rows, block.firstRow), 0), blockRows);
    block.firstColumn = g.mul(place[2], kPanelColumns);
    block.columns =
        isWhole ? g.number(kPanelColumns)
                : g.min(g.sub(shape.columns, block.firstColumn), kPanelColumns);
    body(block);
  });
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
      Value place = c.at(g, row, column);
      Value sum = g.load(g.withLanes(c.type.compute(), lanes), place);
      Access access{{block.batch, row, column}, nullptr, lanes};
      g.store(epilogue(sum, access), place);
    });
  });
}

/// Where the rows of a panel are, and how many bytes they are apart.
static std::pair<Value, Value> panelOf(GraphBuilder &g, const PanelPart &part,
                                       const PanelCopy &copy, Value panel,
                                       const MatrixOf &direct, Value isFew) {
  Value lineBytes = g.number(kPanelColumns * 4);
  auto copied = [&]() -> Values {
    copy(part, panel);
    return {panel, lineBytes};
  };
  // Only whole panels: a tile reads up to the last column.
  Value inPlace = g.logicalAnd(isFew, g.equal(part.columns, kPanelColumns));
  Values place = g.ifElse(
      inPlace, {panel.getType(), g.b.getI64Type()},
      [&]() -> Values {
        Matrix b = direct(part.batch);
        return {b.at(g, part.firstRow, part.firstColumn),
                g.mul(b.rowStride, 4)};
      },
      copied);
  return {place[0], place[1]};
}

void emitPanelProducts(GraphBuilder &g, const ProductShape &shape,
                       const MatrixOf &a, const PanelCopy &copy,
                       const MatrixOf &c, const Epilogue &epilogue,
                       const MatrixOf &direct) {
  func::FuncOp kernel = gemmPanel(moduleOf(g), g.targetIsa, PanelKind::F32);
  // A product without depth is zero: a panel of no rows yields it.
  Value parts = g.max(g.divideCeil(shape.depth, g.number(kPanelDepth)), 1);
  Value isFew = direct ? g.less(shape.rows, kFewRows) : g.less(g.number(1), 0);
  forBlocks(g, shape, kBlockRowsOfMany, [&](const Block &block) {
    Value memory = g.scratch(kPanelDepth * kPanelColumns * 4 + kPanelSlack);
    Matrix left = a(block.batch), result = c(block.batch);
    g.loop(parts, [&](Value part) {
      Value first = g.mul(part, kPanelDepth);
      Value depth = g.min(g.sub(shape.depth, first), kPanelDepth);
      auto [panel, lineBytes] = panelOf(
          g, {block.batch, first, depth, block.firstColumn, block.columns},
          copy, memory, direct, isFew);
      Value add = arith::ExtUIOp::create(g.b, g.loc, g.b.getI64Type(),
                                         g.less(g.number(0), part));
      func::CallOp::create(
          g.b, g.loc, kernel,
          ValueRange{left.at(g, block.firstRow, first),
                     g.mul(left.rowStride, 4), g.mul(left.columnStride, 4),
                     panel, lineBytes,
                     result.at(g, block.firstRow, block.firstColumn),
                     g.mul(result.rowStride, 4), block.rows, block.columns,
                     depth, add});
    });
    applyEpilogue(g, epilogue, result, block);
  });
}

/// Few rows by columns that are contiguous along the depth: dot products.
static void emitDotProducts(GraphBuilder &g, const ProductShape &shape,
                            const MatrixOf &a, const MatrixOf &b,
                            const MatrixOf &c, const Epilogue &epilogue) {
  func::FuncOp kernel = dotColumns(moduleOf(g), g.targetIsa);
  forBlocks(g, shape, kBlockRowsOfMany, [&](const Block &block) {
    Matrix left = a(block.batch), right = b(block.batch),
           result = c(block.batch);
    g.loop(block.rows, [&](Value i) {
      Value row = g.add(block.firstRow, i);
      func::CallOp::create(
          g.b, g.loc, kernel,
          ValueRange{left.at(g, row, g.number(0)),
                     right.at(g, g.number(0), block.firstColumn),
                     g.mul(right.columnStride, 4),
                     result.at(g, row, block.firstColumn), block.columns,
                     shape.depth});
    });
    applyEpilogue(g, epilogue, result, block);
  });
}

/// Sum of products, one vector of columns of one row at a time: for types that
/// are rare.
static void emitPlainProducts(GraphBuilder &g, const ProductShape &shape,
                              const MatrixOf &a, const MatrixOf &b,
                              const MatrixOf &c, const Epilogue &epilogue) {
  forBlocks(g, shape, kBlockRowsOfMany, [&](const Block &block) {
    Matrix left = a(block.batch), right = b(block.batch),
           result = c(block.batch);
    ElementType type = left.type;
    bool contiguous = g.isKnown(right.columnStride, 1);
    auto product = [&](Value row, Value column, int64_t lanes) {
      Type compute = g.withLanes(type.compute(), lanes);
      return g.loop(shape.depth, {g.constant(compute, 0)},
                    [&](Value k, ValueRange in) -> Values {
                      Value x = g.load(type.compute(), left.at(g, row, k));
                      Value y = g.load(compute, right.at(g, k, column));
                      x = g.splat(x, lanes);
                      if (type.isFloat())
                        return {math::FmaOp::create(g.b, g.loc, x, y, in[0])};
                      Value xy = arith::MulIOp::create(g.b, g.loc, x, y);
                      return {arith::AddIOp::create(g.b, g.loc, in[0], xy)};
                    })[0];
    };
    auto store = [&](Value row, Value column, int64_t lanes) {
      g.store(product(row, column, lanes), result.at(g, row, column));
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
    copyFloats(g, b(part.batch), part, target);
  };
  bool isFloat = right.type.get().isF32();
  if (isFloat && g.isKnown(right.columnStride, 1))
    return emitPanelProducts(g, shape, a, copy, c, epilogue, b);
  auto panels = [&] { emitPanelProducts(g, shape, a, copy, c, epilogue); };
  if (!isFloat || !g.isKnown(right.rowStride, 1) ||
      !g.isKnown(a(g.number(0)).columnStride, 1))
    return panels();
  g.ifElse(
      g.less(shape.rows, kFewRows), {},
      [&] {
        emitDotProducts(g, shape, a, b, c, epilogue);
        return Values();
      },
      [&] {
        panels();
        return Values();
      });
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
