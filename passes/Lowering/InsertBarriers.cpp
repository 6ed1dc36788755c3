//===- InsertBarriers.cpp - Barriers from conflicts on bytes ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every conflicting pair of operations is an interval that needs a barrier
// within. Going forward and placing a barrier only where an interval would end
// without one is the classic optimal solution of interval stabbing.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Lowering/Accesses.h"
#include "passes/Lowering/Passes.h"

namespace llmopt {
#define GEN_PASS_DEF_INSERTBARRIERS
#include "passes/Lowering/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {
struct InsertBarriers : llmopt::impl::InsertBarriersBase<InsertBarriers> {
  void runOnOperation() override;
};
} // namespace

static bool conflict(ArrayRef<Access> earlier, ArrayRef<Access> later) {
  return llvm::any_of(later, [&](const Access &access) {
    return llvm::any_of(earlier, [&](const Access &other) {
      return access.conflictsWith(other);
    });
  });
}

void InsertBarriers::runOnOperation() {
  SmallVector<Access> sinceBarrier;
  for (Block &block : getOperation().getBody()) {
    for (Operation &op : block) {
      if (isa<kernel::BarrierOp>(op))
        sinceBarrier.clear();
      if (!isKernelCall(&op))
        continue;
      FailureOr<SmallVector<Access>> accesses = accessesOf(&op);
      if (failed(accesses)) {
        op.emitOpError("works on a buffer without a place in the arena "
                       "(kernel-plan-memory)");
        return signalPassFailure();
      }
      if (conflict(sinceBarrier, *accesses)) {
        OpBuilder builder(&op);
        kernel::BarrierOp::create(builder, op.getLoc());
        ++numBarriers;
        sinceBarrier.clear();
      }
      llvm::append_range(sinceBarrier, *accesses);
    }
  }
}
