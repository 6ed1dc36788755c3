//===- GraphWeights.h - Constants of a graph in the weights -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_GRAPHWEIGHTS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_GRAPHWEIGHTS_H

#include "dialects/ONNX/ONNXOps.h"
#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

/// The constants of a graph as tensors; llmopt-place-constants has placed them
/// among the packed weights of the library.
class GraphWeights {
public:
  explicit GraphWeights(GraphBuilder &g);

  /// A buffer in the weights; small constants are known scalars, too.
  Tensor constant(onnx::InitializerOp initializer);
  /// Pointer to the bytes of an initializer or a weight.
  mlir::Value data(mlir::Operation *constant);

private:
  GraphBuilder &g;
  mlir::Value base; ///< pointer to the packed weights
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_GRAPHWEIGHTS_H
