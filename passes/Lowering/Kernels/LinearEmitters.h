//===- LinearEmitters.h - Parts of the linear kernels -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELS_LINEAREMITTERS_H
#define LLMOPT_PASSES_LOWERING_KERNELS_LINEAREMITTERS_H

#include "passes/Lowering/Kernels/GroupReader.h"
#include "passes/Lowering/Kernels/KernelBuilder.h"
#include "passes/Lowering/Kernels/Kernels.h"

namespace llmopt {

/// Vectors of four columns in a block of a bitmask panel, and bytes of its
/// masks.
inline constexpr int64_t kMaskBlockSteps = kMaskBlockColumns / 4;
inline constexpr int64_t kMaskBlockBytes = kMaskBlockSteps * 8;

/// Arguments of a linear kernel, see docs/Kernels.md.
struct LinearArgs {
  explicit LinearArgs(mlir::ValueRange arguments);

  mlir::Value x, xStride, w, y, yStride, rows, panels, columns, thread, threads,
      scratch;
  mlir::Value floats; ///< of SiluMulQuantize
};

/// Register tile of a kernel over dense panels.
struct TileShape {
  int64_t rows, panels;
};

/// The tile that fits the registers. Panels are an even number for SiluMul.
TileShape tileShape(const LinearKernelKey &key);

/// Bytes of a bf16 panel.
mlir::Value bf16PanelBytes(KernelBuilder &k, mlir::Value columns);

/// K as stored by the integer layouts.
mlir::Value paddedColumns(KernelBuilder &k, mlir::Value columns);

//===----------------------------------------------------------------------===//
// Products of rows with panels
//===----------------------------------------------------------------------===//

/// Rows of int8 records.
struct QuantizedRows {
  Values rows; ///< pointers to the records
  mlir::Value columns;
  int64_t group;
};

/// Adds the products of one block of 32 columns to the integer accumulators
/// [(row * panels + panel) * chains + chain]. `stream` is where the weights of
/// the block start for layouts without fixed positions; such a body advances
/// it.
using BlockBody = llvm::function_ref<void(
    mlir::Value column, llvm::MutableArrayRef<mlir::Value> accumulators,
    mlir::Value &stream)>;

/// Products of the rows with `panels` panels before the scales of the weight's
/// rows: per group an integer product, converted and multiplied by the scale of
/// the activations. Returns float vectors [row * panels + panel]. Where
/// activations are gathered, the excess of the codes (128) differs from row to
/// row of the weight: every panel has two accumulators then, of the products
/// and of what is to be subtracted from them.
Values quantizedProduct(KernelBuilder &k, const QuantizedRows &x,
                        int64_t panels, int64_t chains, mlir::Value stream,
                        BlockBody block, bool gathered = false);

/// Accumulators per row that cover the latency of the product with one panel.
int64_t chainsFor(int64_t rows);

/// What a tile fetches while it multiplies, kPrefetchBytes of each for every
/// column: weights that follow, and rows that are next. Null: nothing.
struct Prefetches {
  mlir::Value weights, rows;

  /// For a block of 32 columns.
  void emitBlock(KernelBuilder &k, mlir::Value column) const;
};
inline constexpr int64_t kPrefetchBytes = 8;

/// The same for dense int8 panels that start at `panels`, with the weight's
/// scales.
Values denseInt8Product(KernelBuilder &k, const QuantizedRows &x,
                        llvm::ArrayRef<mlir::Value> panels, int64_t chains,
                        const Prefetches &prefetches = {});

/// The same for one bitmask panel, expanded in registers (AVX-512).
Values bitmaskProduct(KernelBuilder &k, const QuantizedRows &x,
                      mlir::Value panel);

/// The same for one panel of int8-2of4 (AVX-512): activations are gathered.
Values twoOfFourProduct(KernelBuilder &k, const QuantizedRows &x,
                        mlir::Value panel);

/// The same for one panel of int8-gather (AVX-512). Groups of activations are
/// multiples of a window.
Values gatherProduct(KernelBuilder &k, const QuantizedRows &x,
                     mlir::Value panel);

/// The same for panels of a layout with groups: the integer product of each
/// group of activations is multiplied by both scales.
Values groupedProduct(KernelBuilder &k, const QuantizedRows &x,
                      const GroupReader &weight,
                      llvm::ArrayRef<mlir::Value> panels,
                      const Prefetches &prefetches = {});

/// Products of float rows with f32 panels.
Values f32Product(KernelBuilder &k, llvm::ArrayRef<mlir::Value> rows,
                  llvm::ArrayRef<mlir::Value> panels, mlir::Value columns);

/// The same for bf16 panels.
Values bf16Product(KernelBuilder &k, llvm::ArrayRef<mlir::Value> rows,
                   llvm::ArrayRef<mlir::Value> panels, mlir::Value columns);

/// Product of one float row with one bf16 panel, in four chains.
mlir::Value bf16DecodeProduct(KernelBuilder &k, mlir::Value row,
                              mlir::Value panel, mlir::Value columns);

/// Product of one float row with one f32 panel, in four chains.
mlir::Value f32DecodeProduct(KernelBuilder &k, mlir::Value row,
                             mlir::Value panel, mlir::Value columns);

//===----------------------------------------------------------------------===//
// Panels
//===----------------------------------------------------------------------===//

/// Expands a panel of a sparse layout to a dense int8 panel at `out`.
void expandPanel(KernelBuilder &k, PackedLayout layout, mlir::Value panel,
                 mlir::Value columns, mlir::Value out);
void expandTwoOfFour(KernelBuilder &k, mlir::Value panel, mlir::Value columns,
                     mlir::Value out);
void expandGathered(KernelBuilder &k, mlir::Value panel, mlir::Value columns,
                    mlir::Value out);

/// Decodes a dense int8 panel to an f32 panel [Kp][16] at `out`.
void decodePanel(KernelBuilder &k, mlir::Value panel, mlir::Value columns,
                 mlir::Value out);

/// Product of one float row with an int8 or (AVX-512) bitmask panel that is
/// decoded in registers. `scratch` has room for a block of floats.
mlir::Value decodedProduct(KernelBuilder &k, PackedLayout layout,
                           mlir::Value row, mlir::Value panel,
                           mlir::Value columns, mlir::Value scratch);

/// The layout that strips of codes are expanded to: int8 with f32 scales, and
/// without what the codes of the weight need beyond.
PackedFormat expandedFormat(const PackedFormat &format);

/// Expands a panel to one of expandedFormat at `out`.
void expandGroups(KernelBuilder &k, const GroupReader &weight,
                  mlir::Value panel, mlir::Value columns, mlir::Value out);

/// Decodes a panel with groups to an f32 panel [Kp][16] at `out`.
void decodeGroups(KernelBuilder &k, const GroupReader &weight,
                  mlir::Value panel, mlir::Value columns, mlir::Value out);

/// decodedProduct for a panel with groups.
mlir::Value decodedGroupProduct(KernelBuilder &k, const GroupReader &weight,
                                mlir::Value row, mlir::Value panel,
                                mlir::Value columns, mlir::Value scratch);

/// Copies the end of a float row, padded with zeros to a block of 32, to
/// `scratch`; returns the first column of the block.
mlir::Value copyTail(KernelBuilder &k, mlir::Value row, mlir::Value columns,
                     mlir::Value scratch);

/// Address of panel `index` of a weight with a scale per row.
mlir::Value panelAddress(KernelBuilder &k, PackedLayout layout, mlir::Value w,
                         mlir::Value index, mlir::Value columns);

//===----------------------------------------------------------------------===//
// Kernel bodies
//===----------------------------------------------------------------------===//

/// Panels one after the other, each read once straight into registers.
void emitPanelKernel(KernelBuilder &k, const LinearKernelKey &key,
                     const LinearArgs &args);

/// Strips of panels by tiles of rows; sparse or encoded strips are decoded to
/// scratch.
void emitStripKernel(KernelBuilder &k, mlir::ModuleOp module,
                     const LinearKernelKey &key, const LinearArgs &args);

/// Emits the panels first..end-1 of a SiluMul kernel with these arguments.
using GatedRange = llvm::function_ref<void(const LinearArgs &args,
                                           mlir::Value first, mlir::Value end)>;

/// SiluMulQuantize by parts of the thread that make one group of the records
/// each.
void emitGatedGroups(KernelBuilder &k, int64_t group, const LinearArgs &args,
                     GatedRange emitRange);

/// Whether the key has a kernel that reads its panels straight into registers.
bool isPanelKernel(const LinearKernelKey &key);

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELS_LINEAREMITTERS_H
