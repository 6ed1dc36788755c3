//===- Subgraph.cpp - Code of the subgraphs of a node -----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Subgraph.h"

using namespace mlir;

namespace llmopt::graph {

FailureOr<SmallVector<Tensor>> emitSubgraph(Node &node, Block &block) {
  if (failed(node.emitter.emitBlock(block)))
    return failure();
  SmallVector<Tensor> results;
  for (Value value : block.getTerminator()->getOperands()) {
    Tensor *tensor = node.emitter.find(value);
    if (!tensor)
      return node.refuse("an output of its subgraph is left out");
    if (tensor->sequence)
      return node.refuse("an output of its subgraph is a sequence or an "
                         "optional value; these are resolved while the model "
                         "is compiled");
    results.push_back(*tensor);
  }
  return results;
}

void leaveSubgraph(Node &node, Block &block) {
  for (BlockArgument argument : block.getArguments())
    node.emitter.forget(argument);
  for (Operation &op : block)
    for (Value result : op.getResults())
      node.emitter.forget(result);
  node.emitter.releaseDead();
}

Tensor ownedResult(GraphBuilder &g, const Tensor &tensor, Block *code,
                   llvm::SmallDenseSet<Value> &taken) {
  Tensor own = tensor.buffer ? tensor : g.materialize(tensor);
  bool isInside =
      code->getParent()->isAncestor(own.buffer->data.getParentRegion());
  if (!own.buffer->isOwned || !isInside ||
      !taken.insert(own.buffer->data).second)
    own = g.copy(tensor);
  taken.insert(own.buffer->data);
  own.buffer->isOwned = false;
  return own;
}

Tensor adopt(GraphBuilder &g, ElementType type, ArrayRef<Value> dims,
             Value data) {
  Tensor tensor;
  tensor.type = type;
  tensor.dims.assign(dims.begin(), dims.end());
  tensor.buffer = std::make_shared<Buffer>(data, /*isOwned=*/true);
  tensor.buffer->dead = &g.dead;
  return tensor;
}

} // namespace llmopt::graph
