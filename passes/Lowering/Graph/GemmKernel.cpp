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

void emitPanelProducts(GraphBuilder &g, const ProductShape &shape,
                       const MatrixOf &a, const PanelCopy &copy,
                       const MatrixOf &c, const Epilogue &epilogue) {
  func::FuncOp kernel = gemmPanel(moduleOf(g), g.targetIsa, PanelKind::F32);
  // A product without depth is zero: a panel of no rows yields it.
  Value parts = g.max(g.divideCeil(shape.depth, g.number(kPanelDepth)), 1);
  forBlocks(g, shape, kBlockRowsOfMany, [&](const Block &block) {
    Value panel = g.scratch(kPanelDepth * kPanelColumns * 4 + kPanelSlack);
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
          ValueRange{left.at(g, block.firstRow, first),
                     g.mul(left.rowStride, 4), g.mul(left.columnStride, 4),
                     panel, g.number(kPanelColumns * 4),
                     result.at(g, block.firstRow, block.firstColumn),
                     g.mul(result.rowStride, 4), block.rows, block.columns,
                     depth, add});
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
