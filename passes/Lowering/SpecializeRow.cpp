//===- SpecializeRow.cpp - A copy of @forward for one row -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Lowering/Passes.h"

namespace llmopt {
#define GEN_PASS_DEF_SPECIALIZEROW
#include "passes/Lowering/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {
struct SpecializeRow : llmopt::impl::SpecializeRowBase<SpecializeRow> {
  void runOnOperation() override;
};
} // namespace

/// Makes the output of `op` private where only products read it.
static void makePrivate(Operation *op, Value output) {
  auto buffer = output.getDefiningOp<kernel::BufferOp>();
  bool isRead = llvm::all_of(output.getUsers(), [&](Operation *user) {
    auto linear = dyn_cast<kernel::LinearOp>(user);
    return user == op || (linear && linear.getInput() == output);
  });
  if (buffer && isRead)
    buffer.setIsPrivate(true);
}

/// Works on the only row itself, where nothing else needs it afterwards.
static void skipGather(kernel::GatherRowsOp op) {
  bool isLast = llvm::none_of(op.getInput().getUsers(), [&](Operation *user) {
    return op->isBeforeInBlock(user);
  });
  auto input = op.getInput().getDefiningOp<kernel::BufferOp>();
  auto output = op.getOutput().getDefiningOp<kernel::BufferOp>();
  if (!isLast || !input || !output)
    return;
  op.erase();
  output.getResult().replaceAllUsesWith(input.getResult());
  output.erase();
}

void SpecializeRow::runOnOperation() {
  ModuleOp module = getOperation();
  auto forward = module.lookupSymbol<func::FuncOp>(kernel::kForwardName);
  if (!forward || forward.isExternal() || !forward.getBody().hasOneBlock()) {
    module.emitError("there is no function @forward on kernel operations "
                     "(llmopt-to-kernel)");
    return signalPassFailure();
  }
  OpBuilder builder(&getContext());
  builder.setInsertionPointAfter(forward);
  auto row = cast<func::FuncOp>(builder.clone(*forward));
  row.setName(kernel::kForwardRowName);
  for (auto gather :
       llvm::make_early_inc_range(row.getOps<kernel::GatherRowsOp>()))
    skipGather(gather);
  for (auto norm : row.getOps<kernel::RMSNormOp>())
    makePrivate(norm, norm.getOutput());
  for (auto norm : row.getOps<kernel::LayerNormOp>())
    makePrivate(norm, norm.getOutput());
  for (auto quantize : row.getOps<kernel::QuantizeOp>())
    makePrivate(quantize, quantize.getOutput());
}
