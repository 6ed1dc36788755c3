//===- GraphEmitter.cpp - Code of a graph and its subgraphs -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/GraphEmitter.h"
#include "passes/Lowering/Graph/ChannelsLast.h"
#include "passes/Lowering/Graph/LLMOptOps.h"
#include "passes/Lowering/Graph/NodeEmitter.h"
#include "passes/Lowering/Graph/Sequences.h"

using namespace mlir;

namespace llmopt::graph {

/// Expressions deeper than this get a buffer: the code of an element would
/// become too large.
static constexpr unsigned kMaxDepth = 16;

Tensor *GraphEmitter::find(Value value) {
  auto found = tensors.find(value);
  return found == tensors.end() ? nullptr : &found->second;
}

Tensor *GraphEmitter::findBuffer(Value value) {
  Tensor *tensor = find(value);
  if (tensor && !tensor->buffer) {
    Tensor made = g.materialize(*tensor);
    // Scalars stay known.
    tensor->buffer = made.buffer;
    tensor->expression = nullptr;
  }
  return tensor;
}

void GraphEmitter::requireKnownLayout(Value value) {
  Tensor *tensor = find(value);
  if (tensor && tensor->channelsLast)
    findBuffer(value);
}

void GraphEmitter::releaseDead() {
  // Memory is given back where the last reader is known to have run.
  Values dead = std::move(g.dead);
  g.dead.clear();
  for (Value data : dead)
    g.release(data);
}

/// An expression stays one for a single reader in the same block.
void GraphEmitter::keepResult(Value value, const Tensor &tensor) {
  bool isShared = !value.hasOneUse() || value.getUsers().begin()->getBlock() !=
                                            value.getParentBlock();
  bool needsBuffer =
      tensor.isExpression() && (isShared || tensor.depth > kMaxDepth);
  if (needsBuffer && tensor.channelsLast)
    settleChannelsLast(g, tensor);
  else if (needsBuffer)
    return set(value, g.materialize(tensor));
  set(value, tensor);
}

static LogicalResult checkArity(Node &node, const OperatorRow &row) {
  auto range = [](unsigned least, unsigned most) {
    return most == ~0u ? "at least " + std::to_string(least)
           : least == most
               ? std::to_string(least)
               : std::to_string(least) + " to " + std::to_string(most);
  };
  if (node.inputCount() < row.minInputs || node.inputCount() > row.maxInputs)
    return node.refuse("has " + Twine(node.inputCount()) +
                       " inputs, expected " +
                       range(row.minInputs, row.maxInputs));
  if (node.resultCount() < row.minOutputs ||
      node.resultCount() > row.maxOutputs)
    return node.refuse("has " + Twine(node.resultCount()) +
                       " outputs, expected " +
                       range(row.minOutputs, row.maxOutputs));
  for (unsigned i = 0; i < row.minInputs; ++i)
    if (!node.hasInput(i))
      return node.refuse("input " + Twine(i) + " must not be left out");
  return success();
}

/// Sequences and optional values go to their own operators only.
static LogicalResult checkSequences(Node &node) {
  if (readsSequences(node.opType()))
    return success();
  for (size_t i = 0; i < node.inputCount(); ++i)
    if (node.hasInput(i) && node.input(i).sequence)
      return node.refuse("input " + Twine(i) +
                         " is a sequence or an optional value; these are "
                         "resolved while the model is compiled, which this "
                         "operator does not allow");
  return success();
}

static LogicalResult emitNode(GraphEmitter &emitter, onnx::NodeOp op) {
  Node node(emitter, emitter.g, op);
  for (auto [index, input] : llvm::enumerate(op.getInputs()))
    if (!node.hasInput(index) && !input.getDefiningOp<onnx::NoneOp>())
      return failure(); // it has been reported
  if (emitter.isAbsorbed(op)) {
    emitter.set(op->getResult(0), Tensor(node.input(0)));
    return success();
  }
  const OperatorRow *row = findOperator(op);
  if (!row)
    return node.refuse("is not supported; export the model without it");
  if (failed(checkArity(node, *row)) || failed(checkSequences(node)) ||
      failed(row->emit(node)))
    return failure();
  // What can be told now is not left to the first execution.
  if (std::optional<std::string> why = emitter.g.takeImpossible()) {
    StringRef text = *why;
    text.consume_front(node.describe() + ": ");
    return node.refuse(text);
  }
  for (auto [index, value] : llvm::enumerate(op.getResults())) {
    if (value.use_empty())
      continue;
    if (!node.result(index))
      return node.refuse("output " + Twine(index) + " is not supported");
    emitter.set(value, *node.result(index));
  }
  return success();
}

LogicalResult GraphEmitter::emit(Operation &op) {
  g.loc = op.getLoc();
  if (auto initializer = dyn_cast<onnx::InitializerOp>(op)) {
    set(initializer.getResult(), weights.constant(initializer));
    return success();
  }
  if (isa<onnx::NoneOp>(op))
    return success();
  if (auto node = dyn_cast<onnx::NodeOp>(op))
    return emitNode(*this, node);
  for (Value operand : op.getOperands())
    requireKnownLayout(operand);
  if (isLLMOptOperation(&op))
    return emitLLMOptOperation(*this, &op);
  return op.emitError("'") << op.getName()
                           << "' cannot be lowered as part of a graph";
}

LogicalResult GraphEmitter::emitBlock(Block &block) {
  // The last operation of the block that reads a value, perhaps in a region.
  DenseMap<Operation *, SmallVector<Value>> lastReads;
  for (Operation &op : block)
    for (Value result : op.getResults()) {
      Operation *last = nullptr;
      for (Operation *user : result.getUsers()) {
        Operation *here = block.findAncestorOpInBlock(*user);
        if (!last || last->isBeforeInBlock(here))
          last = here;
      }
      if (last && !last->hasTrait<OpTrait::IsTerminator>())
        lastReads[last].push_back(result);
    }

  bool hasFailed = false;
  for (Operation &op : block.without_terminator()) {
    materializeCaptured(&op);
    // All nodes are tried, so that the user sees all that is missing.
    if (failed(emit(op))) {
      hasFailed = true;
      continue;
    }
    for (Value result : op.getResults())
      if (Tensor *tensor = find(result))
        keepResult(result, Tensor(*tensor));
    for (Value value : lastReads[&op])
      forget(value);
    releaseDead();
  }
  return failure(hasFailed);
}

void GraphEmitter::materializeCaptured(Operation *op) {
  for (Region &region : op->getRegions())
    region.walk([&](Operation *inner) {
      for (Value value : inner->getOperands())
        if (!region.isAncestor(value.getParentRegion()))
          if (Tensor *tensor = find(value); tensor && tensor->isExpression())
            set(value, g.materialize(Tensor(*tensor)));
    });
}

} // namespace llmopt::graph
