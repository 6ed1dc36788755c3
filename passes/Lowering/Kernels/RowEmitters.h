//===- RowEmitters.h - Bodies of the row kernels ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_KERNELS_ROWEMITTERS_H
#define LLMOPT_PASSES_LOWERING_KERNELS_ROWEMITTERS_H

#include "passes/Lowering/Kernels/Kernels.h"
#include "passes/Lowering/Kernels/LinearEmitters.h"

namespace llmopt {

// Arguments as in docs/Kernels.md.
void emitRmsNorm(KernelBuilder &k, mlir::ValueRange args);
void emitRmsNormQuantize(KernelBuilder &k, int64_t group,
                         mlir::ValueRange args);
void emitLayerNorm(KernelBuilder &k, mlir::ValueRange args);
void emitLayerNormQuantize(KernelBuilder &k, int64_t group,
                           mlir::ValueRange args);
void emitBias(KernelBuilder &k, RowKernel kernel, mlir::ValueRange args);
void emitHeadNorm(KernelBuilder &k, mlir::ValueRange args);
void emitScale(KernelBuilder &k, RowKernel kernel, mlir::ValueRange args);
void emitAdd(KernelBuilder &k, mlir::ValueRange args);
void emitAddPositions(KernelBuilder &k, mlir::ValueRange args);
void emitQuantize(KernelBuilder &k, int64_t group, mlir::ValueRange args);
void emitGatherRows(KernelBuilder &k, mlir::ValueRange args);
void emitEmbedding(KernelBuilder &k, const PackedFormat &format,
                   mlir::ValueRange args);

/// Loads the floats of columns column..+15 of a row, zeros past its end.
using RowLoader = llvm::function_ref<mlir::Value(mlir::Value column)>;

/// Quantizes one group, columns first..last-1, into the record.
void quantizeGroup(KernelBuilder &k, mlir::Value first, mlir::Value last,
                   mlir::Value record, mlir::Value scaleAt, mlir::Value biasAt,
                   RowLoader load);
/// Runs body(row) for the rows of the thread.
void forEachRow(KernelBuilder &k, mlir::Value rows, mlir::Value thread,
                mlir::Value threads,
                llvm::function_ref<void(mlir::Value)> body);
/// Address of a row.
mlir::Value rowAt(KernelBuilder &k, mlir::Value base, mlir::Value row,
                  mlir::Value strideFloats);
/// Floats column..+15 of a row of `columns` floats; zeros past its end.
mlir::Value loadColumns(KernelBuilder &k, mlir::Value row, mlir::Value column,
                        mlir::Value columns);
/// 1 / sqrt(mean(x^2) + epsilon) of a row, in every lane.
mlir::Value inverseRms(KernelBuilder &k, mlir::Value row, mlir::Value columns,
                       mlir::Value epsilon);

/// Row `lane` of a panel with groups.
void embedGroups(KernelBuilder &k, const GroupReader &table, mlir::Value panel,
                 mlir::Value lane, mlir::Value columns, mlir::Value y);

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_KERNELS_ROWEMITTERS_H
