//===- Optionals.cpp - Values that may be absent ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an optional value holds stands for it.
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Sequences.h"

using namespace mlir;

namespace llmopt::graph {

static LogicalResult emitOptional(Node &node) {
  Tensor absent;
  absent.sequence = std::make_shared<const std::vector<Tensor>>();
  node.setResult(0, node.hasInput(0) ? node.input(0) : absent);
  return success();
}

static LogicalResult emitOptionalHasElement(Node &node) {
  GraphBuilder &g = node.g;
  bool isThere = node.hasInput(0) && !isAbsent(node.input(0));
  Type i1 = g.b.getI1Type();
  node.setResult(0, g.scalar(i1, g.integer(i1, isThere)));
  return success();
}

static LogicalResult emitOptionalGetElement(Node &node) {
  if (isAbsent(node.input(0)))
    return node.refuse("its input holds nothing");
  node.setResult(0, node.input(0));
  return success();
}

static const OperatorRow rows[] = {
    {"Optional", emitOptional, 0, 1, 1, 1, 15},
    {"OptionalGetElement", emitOptionalGetElement, 1, 1, 1, 1, 15},
    {"OptionalHasElement", emitOptionalHasElement, 0, 1, 1, 1, 15},
};

ArrayRef<OperatorRow> optionalOperators() { return rows; }

} // namespace llmopt::graph
