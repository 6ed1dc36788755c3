//===- Accesses.cpp - Which bytes a kernel operation touches ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Accesses.h"

using namespace llmopt;
using namespace mlir;

bool llmopt::isPrivate(Value memory) {
  auto buffer = memory.getDefiningOp<kernel::BufferOp>();
  return buffer && buffer.getIsPrivate();
}

bool Access::conflictsWith(const Access &other) const {
  if (space != other.space || (!isWrite && !other.isWrite))
    return false;
  // A thread executes its operations in order.
  if (space == Space::Private)
    return false;
  if (space != Space::Arena)
    return true;
  if (buffer == other.buffer)
    return firstColumn < other.endColumn && other.firstColumn < endColumn;
  return begin < other.end && other.begin < end;
}

/// The place of a buffer or of columns of one.
static FailureOr<Access> locate(Value memory, bool isWrite) {
  Access access{Access::Space::Arena, isWrite, {}};
  if (memory.getDefiningOp<kernel::LogitsOp>()) {
    access.space = Access::Space::Logits;
    return access;
  }
  if (isPrivate(memory)) {
    access.space = Access::Space::Private;
    return access;
  }
  auto columns = memory.getDefiningOp<kernel::ColumnsOp>();
  access.buffer = columns ? columns.getBuffer() : memory;
  auto buffer = access.buffer.getDefiningOp<kernel::BufferOp>();
  if (!buffer || !buffer.getOffset())
    return failure();
  access.begin = *buffer.getOffset();
  access.end = access.begin + buffer.getRowBytes();
  access.firstColumn = columns ? columns.getFirstColumn() : 0;
  access.endColumn =
      access.firstColumn + cast<MemRefType>(memory.getType()).getDimSize(1);
  return access;
}

FailureOr<SmallVector<Access>> llmopt::accessesOf(Operation *op) {
  SmallVector<Access> accesses;
  auto effects = cast<MemoryEffectOpInterface>(op);
  SmallVector<MemoryEffects::EffectInstance> instances;
  effects.getEffects(instances);
  for (MemoryEffects::EffectInstance &effect : instances) {
    bool isWrite = isa<MemoryEffects::Write>(effect.getEffect());
    if (isa<kernel::CacheResource>(effect.getResource())) {
      accesses.push_back({Access::Space::Cache, isWrite, {}});
      continue;
    }
    FailureOr<Access> access = locate(effect.getValue(), isWrite);
    if (failed(access))
      return failure();
    accesses.push_back(*access);
  }
  return accesses;
}

bool llmopt::isKernelCall(Operation *op) {
  return isa_and_nonnull<kernel::KernelDialect>(op->getDialect()) &&
         !isa<kernel::BarrierOp>(op) && !isMemoryEffectFree(op);
}
