//===- ConvTile.h - Functions for images with channels last -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a window of a kernel reads of an image is found in a table of addresses:
// table[tap][row] points to the channels of a pixel, or, outside of the image,
// to channels that stand for zero. So no patches are copied, and no kernel has
// to know about borders, strides and dilations.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_CONVTILE_H
#define LLMOPT_PASSES_LOWERING_GRAPH_CONVTILE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "target/Isa.h"

namespace llmopt::graph {

/// func @window_pointers(data, outside, table, tapBytes, first, rows, height,
///   width, outputHeight, outputWidth, kernelHeight, kernelWidth, strideHeight,
///   strideWidth, dilationHeight, dilationWidth, padTop, padLeft, pixelBytes)
/// The addresses for pixels [first, first + rows) of the results of all images;
/// those of a tap are tapBytes after those of the tap before. `data` and
/// `outside` are addresses, too, as numbers.
mlir::func::FuncOp windowPointers(mlir::ModuleOp module, Isa isa);

/// Bytes of a table of `taps` x `rows` addresses, with what window_pointers
/// needs behind it.
int64_t windowTableBytes(int64_t taps, int64_t rows);

/// func @conv_tile_X(table, tapBytes, taps, steps, panel, start, factor, c,
///                   rows, columns)
/// c[i][j] = the sum over taps and k < steps of table[tap][i][k]
/// panel[tap][k][j] for rows of c of 64 results, of which `columns` are wanted.
/// X is f32 or u8s8, where an element k is four bytes, unsigned in the image
/// and signed in the panel, and sums begin with start[j] * factor.
mlir::func::FuncOp convTile(mlir::ModuleOp module, Isa isa, bool isInteger);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_CONVTILE_H
