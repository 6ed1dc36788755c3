//===- VerifyBarriers.cpp - Proof that barriers suffice ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Lowering/Accesses.h"
#include "passes/Lowering/Passes.h"

namespace llmopt {
#define GEN_PASS_DEF_VERIFYBARRIERS
#include "passes/Lowering/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

/// A kernel operation with the number of barriers in front of it.
struct Step {
  Operation *op;
  SmallVector<Access> accesses;
  int64_t barriersBefore;
};

struct VerifyBarriers : llmopt::impl::VerifyBarriersBase<VerifyBarriers> {
  void runOnOperation() override;
};

} // namespace

static FailureOr<SmallVector<Step>> collectSteps(func::FuncOp function) {
  SmallVector<Step> steps;
  int64_t barriers = 0;
  for (Operation &op : function.getBody().front()) {
    barriers += isa<kernel::BarrierOp>(op);
    if (!isKernelCall(&op))
      continue;
    FailureOr<SmallVector<Access>> accesses = accessesOf(&op);
    if (failed(accesses))
      return op.emitOpError("works on a buffer without a place in the arena "
                            "(kernel-plan-memory)");
    bool writesPrivate = llvm::any_of(*accesses, [](const Access &access) {
      return access.isWrite && access.space == Access::Space::Private;
    });
    if (writesPrivate && !isa<kernel::RMSNormOp, kernel::LayerNormOp,
                              kernel::QuantizeOp, kernel::MergePartsOp>(op))
      return op.emitOpError(
          "writes a private buffer, but every thread computes "
          "only a part of it");
    steps.push_back({&op, std::move(*accesses), barriers});
  }
  return steps;
}

static LogicalResult checkPair(const Step &earlier, const Step &later) {
  if (earlier.barriersBefore != later.barriersBefore)
    return success();
  for (const Access &first : earlier.accesses)
    for (const Access &second : later.accesses) {
      if (!first.conflictsWith(second))
        continue;
      InFlightDiagnostic diagnostic =
          later.op->emitOpError() << (second.isWrite ? "writes" : "reads")
                                  << " what '" << earlier.op->getName() << "' "
                                  << (first.isWrite ? "writes" : "reads")
                                  << ", and no barrier separates them";
      diagnostic.attachNote(earlier.op->getLoc()) << "the other operation";
      return diagnostic;
    }
  return success();
}

void VerifyBarriers::runOnOperation() {
  func::FuncOp function = getOperation();
  if (function.isExternal())
    return;
  if (!function.getBody().hasOneBlock()) {
    // Functions without kernel operations may have any form.
    if (llvm::none_of(function.getBody().getOps(),
                      [](Operation &op) { return isKernelCall(&op); }))
      return;
    function.emitError("barriers can only be verified in straight-line code");
    return signalPassFailure();
  }
  FailureOr<SmallVector<Step>> steps = collectSteps(function);
  if (failed(steps))
    return signalPassFailure();
  for (size_t later = 0; later < steps->size(); ++later)
    for (size_t earlier = 0; earlier < later; ++earlier)
      if (failed(checkPair((*steps)[earlier], (*steps)[later])))
        return signalPassFailure();
}
