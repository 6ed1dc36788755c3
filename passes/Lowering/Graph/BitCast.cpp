//===- BitCast.cpp - BitCast ------------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

/// The bits of a stored element as those of another type of as many bits.
static Value sameBits(GraphBuilder &g, ElementType to, Value stored) {
  auto vector = dyn_cast<VectorType>(stored.getType());
  Type type = GraphBuilder::withLanes(to.storage(),
                                      vector ? vector.getNumElements() : 1);
  if (stored.getType() != type)
    stored = arith::BitcastOp::create(g.b, g.loc, type, stored);
  if (to.bits() >= 8 || to.isBool())
    return stored;
  // A byte holds what is less with its sign.
  Value unused = g.integer(type, 8 - to.bits());
  stored = arith::ShLIOp::create(g.b, g.loc, stored, unused);
  if (to.isFloat() || to.isUnsigned())
    return arith::ShRUIOp::create(g.b, g.loc, stored, unused);
  return arith::ShRSIOp::create(g.b, g.loc, stored, unused);
}

/// Bits of an element; a bool counts as the byte that it is.
static unsigned widthOf(ElementType type) {
  return type.isBool() ? 8 : type.bits();
}

static LogicalResult emitBitCast(Node &node) {
  ElementType from = node.input(0).type;
  int64_t number = node.attribute("to", int64_t(0));
  auto to = ElementType::fromNumber(number, node.op->getContext());
  if (!to)
    return node.refuse("cannot make elements of type " + Twine(number));
  if (widthOf(from) != widthOf(*to))
    return node.refuse("its input has elements of " + Twine(widthOf(from)) +
                       " bits, those of its result have " +
                       Twine(widthOf(*to)));
  bool hasLanes = !from.isMiniFloat() && !to->isMiniFloat();
  return mapInputs(
      node, *to,
      [from, to = *to](GraphBuilder &g, ArrayRef<Value> in) {
        return fromStorage(g, to, sameBits(g, to, toStorage(g, from, in[0])));
      },
      hasLanes);
}

static const OperatorRow rows[] = {
    {"BitCast", emitBitCast, 1, 1, 1, 1, 26},
};

ArrayRef<OperatorRow> bitCastOperators() { return rows; }

} // namespace llmopt::graph
