//===- Casts.cpp - Operators that change the element type -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

static FailureOr<CastRules> castRules(Node &node) {
  CastRules rules;
  rules.saturate = node.attribute("saturate", int64_t(1)) != 0;
  std::string rounding = node.attribute("round_mode", "up");
  if (rounding == "down")
    rules.exponentRounding = CastRules::Down;
  else if (rounding == "nearest")
    rules.exponentRounding = CastRules::Nearest;
  else if (rounding != "up")
    return node.refuse("round_mode is '" + rounding +
                       "', expected up, down or nearest");
  return rules;
}

static LogicalResult cast(Node &node, ElementType to) {
  FailureOr<CastRules> rules = castRules(node);
  if (failed(rules))
    return failure();
  ElementType from = node.input(0).type;
  node.setResult(
      0, mapElements(
             node.g, {node.input(0)}, to,
             [from, to, rules = *rules](GraphBuilder &g, ArrayRef<Value> in) {
               return castElement(g, in[0], from, to, rules);
             },
             node.describe()));
  return success();
}

static LogicalResult emitCast(Node &node) {
  MLIRContext *context = node.g.b.getContext();
  if (!node.hasAttribute("to"))
    return node.refuse("has no attribute 'to'");
  // Version 1 names the type.
  std::string name = node.attribute("to", "");
  int64_t number = node.attribute("to", int64_t(0));
  std::optional<ElementType> to = name.empty()
                                      ? ElementType::fromNumber(number, context)
                                      : ElementType::fromName(name, context);
  if (!to)
    return node.refuse("cannot cast to the element type " +
                       (name.empty() ? Twine(number) : Twine(name)) +
                       "; numbers and booleans are supported");
  return cast(node, *to);
}

static LogicalResult emitCastLike(Node &node) {
  return cast(node, node.input(1).type);
}

static const OperatorRow rows[] = {
    {"Cast", emitCast, 1, 1},
    {"CastLike", emitCastLike, 2, 2},
};

ArrayRef<OperatorRow> castOperators() { return rows; }

} // namespace llmopt::graph
