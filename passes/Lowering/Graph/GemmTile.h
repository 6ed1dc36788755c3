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

/// func @gemm_panel_f32(a, aRowBytes, aDepthBytes, panel, panelBytes, c,
///                      cRowBytes, rows, columns, depth, add)
/// c[i][j] = (add ? c[i][j] : 0) + sum over k of a[i][k] panel[k][j], j <
/// columns <= kPanelColumns. Rows of the panel are panelBytes apart and can be
/// read up to a multiple of 16 columns, to kPanelColumns for more than 32.
mlir::func::FuncOp gemmPanelF32(mlir::ModuleOp module, Isa isa);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_GEMMTILE_H
