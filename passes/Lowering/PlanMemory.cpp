//===- PlanMemory.cpp - Places of buffers in the arena ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/Passes.h"
#include "llvm/Support/MathExtras.h"

namespace llmopt {
#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Lowering/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

/// A buffer with its lifetime, in positions of operations, both ends included.
struct Slot {
  kernel::BufferOp buffer;
  int64_t first, last;
  int64_t bytes; ///< per row
  int64_t offset = -1;

  bool livesWith(const Slot &other) const {
    return first <= other.last && other.first <= last;
  }
};

struct PlanMemory : llmopt::impl::PlanMemoryBase<PlanMemory> {
  void runOnOperation() override;
};

} // namespace

/// Widens the lifetime of a slot by all uses of `memory` and of views of it.
static void extendByUses(Slot &slot, Value memory,
                         const DenseMap<Operation *, int64_t> &positions) {
  for (Operation *user : memory.getUsers()) {
    if (auto columns = dyn_cast<kernel::ColumnsOp>(user)) {
      extendByUses(slot, columns.getResult(), positions);
      continue;
    }
    int64_t position = positions.lookup(user);
    slot.first = std::min(slot.first, position);
    slot.last = std::max(slot.last, position);
  }
}

/// The buffers that are private, or those that are not.
static SmallVector<Slot> collectSlots(func::FuncOp function, bool isPrivate) {
  DenseMap<Operation *, int64_t> positions;
  for (Operation &op : function.getBody().front())
    positions.try_emplace(&op, positions.size());
  SmallVector<Slot> slots;
  for (auto buffer :
       llvm::make_early_inc_range(function.getOps<kernel::BufferOp>())) {
    if (buffer.getIsPrivate() != isPrivate)
      continue;
    if (buffer->use_empty()) {
      buffer->erase();
      continue;
    }
    Slot slot{buffer, std::numeric_limits<int64_t>::max(), 0,
              buffer.getRowBytes()};
    extendByUses(slot, buffer.getResult(), positions);
    slots.push_back(slot);
  }
  return slots;
}

/// The lowest offset at which `slot` overlaps no placed slot that lives with
/// it.
static int64_t lowestOffset(const Slot &slot, ArrayRef<Slot *> placed) {
  SmallVector<Slot *> neighbours;
  for (Slot *other : placed)
    if (other->livesWith(slot))
      neighbours.push_back(other);
  llvm::sort(neighbours,
             [](Slot *a, Slot *b) { return a->offset < b->offset; });
  int64_t offset = 0;
  for (Slot *other : neighbours) {
    if (offset + slot.bytes <= other->offset)
      break;
    offset = std::max(offset, other->offset + other->bytes);
  }
  return offset;
}

/// Places all slots and returns the bytes per row that they take together.
static int64_t placeSlots(MutableArrayRef<Slot> slots) {
  SmallVector<Slot *> order, placed;
  for (Slot &slot : slots)
    order.push_back(&slot);
  llvm::sort(order, [](Slot *a, Slot *b) {
    return std::pair(-a->bytes, a->first) < std::pair(-b->bytes, b->first);
  });
  int64_t total = 0;
  for (Slot *slot : order) {
    slot->offset = lowestOffset(*slot, placed);
    total = std::max(total, slot->offset + slot->bytes);
    placed.push_back(slot);
  }
  return total;
}

/// Places the private buffers, or the others, and returns the bytes per row.
static int64_t plan(func::FuncOp function, bool isPrivate) {
  SmallVector<Slot> slots = collectSlots(function, isPrivate);
  int64_t total = placeSlots(slots);
  for (Slot &slot : slots)
    slot.buffer.setOffset(slot.offset);
  return total;
}

void PlanMemory::runOnOperation() {
  func::FuncOp function = getOperation();
  if (function.isExternal() || function.getOps<kernel::BufferOp>().empty())
    return;
  if (!function.getBody().hasOneBlock()) {
    function.emitError("buffers can only be planned in straight-line code");
    return signalPassFailure();
  }
  Builder builder(&getContext());
  function->setAttr(kArenaBytesPerRowAttrName,
                    builder.getI64IntegerAttr(plan(function, false)));
  if (int64_t bytes = plan(function, true))
    function->setAttr(kPrivateBytesAttrName, builder.getI64IntegerAttr(bytes));
}
