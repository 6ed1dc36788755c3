//===- Panels.h - Copies of parts of matrices -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_PANELS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_PANELS_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

inline constexpr int64_t kPanelColumns = 64;
inline constexpr int64_t kPanelSlack = 64;

/// A matrix in memory, strides in elements.
struct Matrix {
  mlir::Value data;
  ElementType type;
  mlir::Value rowStride, columnStride;

  /// The address of an element.
  mlir::Value at(GraphBuilder &g, mlir::Value row, mlir::Value column) const;
};

/// A part of B: rows [firstRow, firstRow + rows) of the columns
/// [firstColumn, firstColumn + columns).
struct PanelPart {
  mlir::Value batch, firstRow, rows, firstColumn, columns;
};

/// Emits the copy of a part to rows of kPanelColumns elements. What follows the
/// last column is undefined; up to kPanelSlack bytes after the last row may be
/// written.
using PanelCopy =
    std::function<void(const PanelPart &part, mlir::Value target)>;

/// Calls the body for vectors of [0, count), then for single elements.
void forVectors(GraphBuilder &g, mlir::Value count,
                llvm::function_ref<void(mlir::Value, int64_t lanes)> body);

/// Copies a part of a matrix of f32, f16 or bf16 to f32.
void copyFloats(GraphBuilder &g, const Matrix &matrix, const PanelPart &part,
                mlir::Value target);
/// Copies a part of a matrix of bytes.
void copyBytes(GraphBuilder &g, const Matrix &matrix, const PanelPart &part,
               mlir::Value target);

/// Makes a panel of kind Bytes from `rows` rows of bytes: u8 as they are, s8
/// with 128 added. Rows up to a multiple of 4 are written to the source.
void packBytes(GraphBuilder &g, mlir::Value source, mlir::Value rows,
               bool isSigned, mlir::Value panel);
/// The sums of the columns of such a panel of `steps` steps, added to 64 i32.
void addColumnSums(GraphBuilder &g, mlir::Value panel, mlir::Value steps,
                   mlir::Value sums);
/// Makes a panel of kind Shorts: bytes less the zero point of their column, of
/// which `zeros` points to kPanelColumns i16; null: 0.
void packShorts(GraphBuilder &g, mlir::Value source, mlir::Value rows,
                bool isSigned, mlir::Value zeros, mlir::Value panel);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_PANELS_H
