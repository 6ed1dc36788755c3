//===- GemmKernel.h - Products of matrices in graphs ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loops around products of matrices, C[i] = A[i] B[i] for a batch of pairs.
// A task computes a block of rows of one panel of kPanelColumns columns. For
// f32 it copies up to kPanelDepth rows of the panel at a time into memory of
// its own, zeros after the last column, and calls a function that multiplies
// it by the rows of A; who owns B says how a panel is copied, so that
// convolutions need no matrix of patches. The depth is never split among tasks
// and always summed up in the same order.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_GEMMKERNEL_H
#define LLMOPT_PASSES_LOWERING_GRAPH_GEMMKERNEL_H

#include "mlir/IR/BuiltinOps.h"
#include "passes/Lowering/Graph/Panels.h"

namespace llmopt::graph {

/// Rows of a panel that are multiplied at a time.
inline constexpr int64_t kPanelDepth = 256;

struct ProductShape {
  mlir::Value batch, rows, columns, depth;
};

/// The rows and columns of a task.
struct Block {
  mlir::Value batch, firstRow, rows, firstColumn, columns;
};

/// Calls body for blocks of rows of panels of kPanelColumns columns, in
/// parallel. A block has at most `mostRows` rows, where there are enough blocks
/// for all threads.
void forBlocks(GraphBuilder &g, const ProductShape &shape, int64_t mostRows,
               llvm::function_ref<void(const Block &)> body);

/// The module that is generated.
mlir::ModuleOp moduleOf(GraphBuilder &g);

/// The matrix of a number in the batch; called inside of a task.
using MatrixOf = std::function<Matrix(mlir::Value batch)>;

/// What becomes of an element (or 16 of a row) of a result: a new value of the
/// same type. The indices are batch, row and column.
using Epilogue = std::function<mlir::Value(mlir::Value, const Access &)>;

/// Products in f32 with panels that `copy` makes. `direct`, if it is there, is
/// B in memory, f32 with contiguous columns: it is read in place where there
/// are few rows. `a` and `c` are f32; columns of `c` are contiguous.
void emitPanelProducts(GraphBuilder &g, const ProductShape &shape,
                       const MatrixOf &a, const PanelCopy &copy,
                       const MatrixOf &c, const Epilogue &epilogue = nullptr,
                       const MatrixOf &direct = nullptr);

/// Products of any type that has hardware arithmetic: f32 (then B may be f16 or
/// bf16), f64 or integers, which wrap around. Columns of `c` are contiguous.
void emitProducts(GraphBuilder &g, const ProductShape &shape, const MatrixOf &a,
                  const MatrixOf &b, const MatrixOf &c,
                  const Epilogue &epilogue = nullptr);

/// The tensor as f32 in a buffer if it is a smaller float, else in a buffer.
Tensor productOperand(GraphBuilder &g, const Tensor &tensor);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_GEMMKERNEL_H
