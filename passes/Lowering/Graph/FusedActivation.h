//===- FusedActivation.h - Activations at the end of a product --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_FUSEDACTIVATION_H
#define LLMOPT_PASSES_LOWERING_GRAPH_FUSEDACTIVATION_H

#include "passes/Lowering/Graph/NodeEmitter.h"

namespace llmopt::graph {

/// A function of f32, scalars or vectors; null for none.
using Activation = std::function<mlir::Value(GraphBuilder &, mlir::Value)>;

/// If the only reader of an f32 result is a Relu or a Clip with known bounds:
/// what it computes. The reader is absorbed, the node has to apply it.
Activation absorbActivation(Node &node);

/// The activation that the attributes of a node of com.microsoft name.
mlir::FailureOr<Activation> namedActivation(Node &node);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_FUSEDACTIVATION_H
