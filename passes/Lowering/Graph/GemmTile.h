//===- GemmTile.h - Functions that multiply tiles ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_GEMMTILE_H
#define LLMOPT_PASSES_LOWERING_GRAPH_GEMMTILE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "target/Isa.h"

namespace llmopt::graph {

/// What four bytes of a row of A and of a column of a panel are.
enum class PanelKind {
  F32,   ///< one float
  Bytes, ///< four rows of the panel, unsigned; four columns of A, signed
  Shorts ///< two rows of the panel and columns of A, 16 bits signed
};

/// The kind for products of 8-bit integers: Bytes where one instruction
/// multiplies them exactly, else Shorts.
PanelKind integerPanel(Isa isa);
/// Rows of B in a row of the panel.
int64_t rowsPerStep(PanelKind kind);

/// func @gemm_panel_X(a, aRowBytes, aStepBytes, panel, panelStepBytes, c,
///                    cRowBytes, rows, columns, steps, add)
/// c[i][j] = (add ? c[i][j] : 0) + sum over k of a[i][k] panel[k][j], j <
/// columns <= kPanelColumns, for elements k of 4 bytes; c is f32 or i32. Rows
/// of the panel can be read up to a multiple of 16 columns, to kPanelColumns
/// for more than 32.
mlir::func::FuncOp gemmPanel(mlir::ModuleOp module, Isa isa, PanelKind kind);

/// func @transpose_panel_f32(source, lineBytes, panel, rows, columns)
/// panel[k][j] = source[j][k]: lines are lineBytes apart, rows of the panel
/// have kPanelColumns floats. Rows up to a multiple of 16 are written.
mlir::func::FuncOp transposePanel(mlir::ModuleOp module, Isa isa);

/// func @dot_columns_f32(a, b, bColumnBytes, c, columns, depth)
/// c[j] = sum over k of a[k] b[j][k], for one contiguous row of A.
mlir::func::FuncOp dotColumns(mlir::ModuleOp module, Isa isa);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_GEMMTILE_H
