//===- Philox.h - Random numbers by their number ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"):
// a function of a key and a counter, so that elements can be computed in any
// order, more than once, and by any number of threads.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_PHILOX_H
#define LLMOPT_PASSES_LOWERING_GRAPH_PHILOX_H

#include "passes/Lowering/Graph/GraphBuilder.h"
#include <array>

namespace llmopt::graph {

struct RandomKey {
  uint32_t low = 0, high = 0;
};

/// Random numbers number `counter`; i64, scalars or vectors with 32 bits each.
std::array<mlir::Value, 4> philox(GraphBuilder &g, const RandomKey &key,
                                  mlir::Value counter);

/// In [0, 1), of type f32 (24 bits of the first number) or f64 (53 bits of the
/// first two).
mlir::Value uniformNumber(GraphBuilder &g, const RandomKey &key,
                          mlir::Value counter, mlir::Type type);
/// Of a normal distribution with mean 0 and deviation 1, by Box and Muller's
/// method.
mlir::Value normalNumber(GraphBuilder &g, const RandomKey &key,
                         mlir::Value counter, mlir::Type type);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_PHILOX_H
