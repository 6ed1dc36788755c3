//===- ConvPatches.h - Copies of what convolutions read ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The patches of a convolution are a matrix with a row for each channel and
// place in the kernel and a column for each pixel of the result.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_CONVPATCHES_H
#define LLMOPT_PASSES_LOWERING_GRAPH_CONVPATCHES_H

#include "passes/Lowering/Graph/Conv.h"
#include "passes/Lowering/Graph/Panels.h"

namespace llmopt::graph {

/// Copies a part of the patches of the channels that `data` points to, f32 or
/// bytes. Outside of the input there is `fill`, of the type of an element.
void copyPatches(GraphBuilder &g, const Windows &windows, mlir::Value data,
                 mlir::Value fill, const PanelPart &part, mlir::Value target);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_CONVPATCHES_H
