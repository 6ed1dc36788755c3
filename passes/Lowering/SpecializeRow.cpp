//===- SpecializeRow.cpp - A copy of @forward for one row -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Lowering/Kernels/Kernels.h"
#include "passes/Lowering/Passes.h"
#include "llvm/Support/MathExtras.h"

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

/// The rows of a buffer that there are at least.
static constexpr int64_t kLeastRows = 16;
/// What the columns of a buffer are a multiple of.
static constexpr int64_t kColumns = 16;

/// The buffer of what all parts of an attention add up to.
static Value createParts(OpBuilder &builder, kernel::AttentionOp op,
                         int64_t count) {
  int64_t floats = partsFloats(op.getHeads(), op.getHeadDim(), count);
  int64_t columns =
      llvm::alignTo(llvm::divideCeil(floats, kLeastRows), kColumns);
  auto type =
      MemRefType::get({ShapedType::kDynamic, columns}, builder.getF32Type());
  return kernel::BufferOp::create(builder, op.getLoc(), type, "attention_parts",
                                  kernel::RowDomain::Tokens,
                                  /*is_private=*/false,
                                  /*offset=*/IntegerAttr());
}

/// Splits what the row sees into parts for more threads than there are kv
/// heads. Every thread brings the parts together for itself.
static void splitAttention(kernel::AttentionOp op) {
  auto output = op.getOutput().getDefiningOp<kernel::BufferOp>();
  bool isRead = llvm::all_of(op.getOutput().getUsers(), [&](Operation *user) {
    return user == op || isa<kernel::LinearOp, kernel::QuantizeOp>(user);
  });
  int64_t count = attentionParts(op.getKvHeads());
  if (!output || !isRead || count == 1)
    return;
  OpBuilder builder(op);
  Value parts = createParts(builder, op, count);
  kernel::AttentionPartsOp::create(
      builder, op.getLoc(), op.getQkv(), parts, op.getLayer(), count,
      op.getHeads(), op.getKvHeads(), op.getHeadDim(), op.getScale(),
      op.getWindow(), op.getSoftcap(), op.getKv());
  kernel::MergePartsOp::create(builder, op.getLoc(), parts, op.getOutput(),
                               count, op.getHeads(), op.getKvHeads(),
                               op.getHeadDim(), op.getWindow());
  output.setIsPrivate(true);
  op.erase();
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
  for (auto attention :
       llvm::make_early_inc_range(row.getOps<kernel::AttentionOp>()))
    splitAttention(attention);
}
