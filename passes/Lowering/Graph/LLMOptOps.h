//===- LLMOptOps.h - Raised operations of graphs ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What could be raised in a model that is no decoder is llmopt operations
// between ONNX nodes. Their products use the packed weights and generated
// kernels of decoders.
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_LLMOPTOPS_H
#define LLMOPT_PASSES_LOWERING_GRAPH_LLMOPTOPS_H

#include "dialects/LLMOpt/LLMOptOps.h"
#include "passes/Lowering/Graph/GraphEmitter.h"

namespace llmopt::graph {

/// True for an operation of the llmopt or arith dialect.
bool isLLMOptOperation(mlir::Operation *op);

/// Emits the code of such an operation, or an error that says why it cannot be
/// part of a graph.
mlir::LogicalResult emitLLMOptOperation(GraphEmitter &emitter,
                                        mlir::Operation *op);

/// An error that names the node that an operation was raised from.
mlir::LogicalResult refuse(mlir::Operation *op, const llvm::Twine &what);
/// For messages at run time: "linear 'name'".
std::string describe(mlir::Operation *op);

// LLMOptProducts.cpp
mlir::LogicalResult emitLinear(GraphEmitter &emitter, LinearOp op);
mlir::LogicalResult emitEmbedding(GraphEmitter &emitter, EmbeddingOp op);

// LLMOptAttention.cpp
mlir::LogicalResult emitSdpa(GraphEmitter &emitter, SdpaOp op);
mlir::LogicalResult emitRotary(GraphEmitter &emitter, RotaryOp op);

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_LLMOPTOPS_H
