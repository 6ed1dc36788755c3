//===- LLMOptOps.cpp - Raised operations of graphs --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/LLMOptOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace llmopt::graph {

bool isLLMOptOperation(Operation *op) {
  return isa_and_nonnull<LLMOptDialect>(op->getDialect());
}

static StringRef nameOf(Operation *op) {
  auto name = dyn_cast<NameLoc>(op->getLoc());
  return name ? name.getName().getValue() : StringRef();
}

LogicalResult refuse(Operation *op, const Twine &what) {
  return op->emitError() << "node '" << nameOf(op) << "': as "
                         << op->getName().getStringRef() << ": " << what;
}

std::string describe(Operation *op) {
  return (op->getName().stripDialect() + " '" + nameOf(op) + "'").str();
}

LogicalResult emitLLMOptOperation(GraphEmitter &emitter, Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      // Weights are read where they are used.
      .Case<WeightOp, EncodedWeightOp>([](auto) { return success(); })
      .Case([&](LinearOp linear) { return emitLinear(emitter, linear); })
      .Case([&](EmbeddingOp rows) { return emitEmbedding(emitter, rows); })
      .Case([&](SdpaOp sdpa) { return emitSdpa(emitter, sdpa); })
      .Case([&](RotaryOp rotary) { return emitRotary(emitter, rotary); })
      .Default([](Operation *other) {
        return refuse(other, "it cannot be part of a graph");
      });
}

} // namespace llmopt::graph
