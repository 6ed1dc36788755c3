//===- CellFunction.h - Activations of recurrent cells ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_CELLFUNCTION_H
#define LLMOPT_PASSES_LOWERING_GRAPH_CELLFUNCTION_H

#include "passes/Lowering/Graph/NodeEmitter.h"
#include "passes/Lowering/Graph/Real.h"

namespace llmopt::graph {

/// A function of floats, scalars or vectors.
using CellFunction = std::function<Real(const Real &)>;

/// The functions that `activations`, `activation_alpha` and `activation_beta`
/// of RNN, GRU or LSTM name, for each direction as many as `defaults` has.
/// Emits an error for names that ONNX does not have and for wrong numbers of
/// them. A parameter that is not given has the default of ONNX's operator of
/// that name.
mlir::FailureOr<llvm::SmallVector<CellFunction>>
readCellFunctions(Node &node, llvm::ArrayRef<llvm::StringLiteral> defaults,
                  int64_t directions);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_CELLFUNCTION_H
