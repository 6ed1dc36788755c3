//===- FuseLinears.cpp - Products that share activations --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Lowering/Passes.h"

namespace llmopt {
#define GEN_PASS_DEF_FUSELINEARS
#include "passes/Lowering/Passes.h.inc"
} // namespace llmopt

using namespace llmopt;
using namespace mlir;

namespace {

/// Base of the patterns: what makes products fusable, and the fusion.
template <typename RootOp> struct FusePattern : OpRewritePattern<RootOp> {
  FusePattern(MLIRContext *context, Pass::Statistic &fused)
      : OpRewritePattern<RootOp>(context), fused(fused) {}

  LogicalResult fuse(RootOp root, ArrayRef<Value> factors, bool interleaved,
                     PatternRewriter &rewriter) const;

  Pass::Statistic &fused; ///< products that became part of another
};

struct FuseAttention : FusePattern<CachedAttentionOp> {
  using FusePattern::FusePattern;
  LogicalResult matchAndRewrite(CachedAttentionOp op,
                                PatternRewriter &rewriter) const override;
};

struct FuseGlu : FusePattern<GluOp> {
  using FusePattern::FusePattern;
  LogicalResult matchAndRewrite(GluOp op,
                                PatternRewriter &rewriter) const override {
    return fuse(op, {op.getGate(), op.getUp()}, /*interleaved=*/true, rewriter);
  }
};

struct FuseLinears : llmopt::impl::FuseLinearsBase<FuseLinears> {
  void runOnOperation() override;
};

} // namespace

//===----------------------------------------------------------------------===//
// What may be fused
//===----------------------------------------------------------------------===//

static EncodedWeightOp weightOf(LinearOp linear) {
  return linear.getWeight().getDefiningOp<EncodedWeightOp>();
}

/// The reason why two products cannot become one, or "".
static StringRef whySeparate(LinearOp first, LinearOp other, bool interleaved) {
  if (first.getInput() != other.getInput())
    return "the products have different activations";
  if (first.getActivationGroupAttr() != other.getActivationGroupAttr())
    return "the products have different activation groups";
  if (first->getBlock() != other->getBlock())
    return "the products are in different blocks";
  PackedType type = weightOf(first).getType(), next = weightOf(other).getType();
  if (type.getFormat().withLayout(Layout::Undecided) !=
      next.getFormat().withLayout(Layout::Undecided))
    return "the weights have different encodings";
  if (interleaved && type.getRows() != next.getRows())
    return "gate and up have different rows";
  return "";
}

/// Finds the products behind `factors`, or says why they are not fusable.
static LogicalResult findLinears(Operation *root, ArrayRef<Value> factors,
                                 bool interleaved, PatternRewriter &rewriter,
                                 SmallVectorImpl<LinearOp> &linears) {
  for (Value factor : factors) {
    auto linear = factor.getDefiningOp<LinearOp>();
    if (!linear || !linear->hasOneUse())
      return rewriter.notifyMatchFailure(
          root, "an operand is no product that is used once");
    if (linear.getHead())
      return rewriter.notifyMatchFailure(root, "an operand is the output head");
    if (!weightOf(linear))
      return rewriter.notifyMatchFailure(root, "a weight is not encoded yet");
    if (weightOf(linear).getType().getRows() % 16)
      return rewriter.notifyMatchFailure(
          root, "the rows of a weight are no multiple of 16");
    linears.push_back(linear);
    StringRef reason = whySeparate(linears.front(), linear, interleaved);
    if (!reason.empty())
      return rewriter.notifyMatchFailure(root, reason);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Fusion
//===----------------------------------------------------------------------===//

/// The format that all parts get: the one of the part with the most rows.
static FormatAttr commonFormat(ArrayRef<LinearOp> linears) {
  PackedType largest = weightOf(linears.front()).getType();
  for (LinearOp linear : linears)
    if (weightOf(linear).getType().getRows() > largest.getRows())
      largest = weightOf(linear).getType();
  return largest.getFormat();
}

/// The weight in `format`, in front of the insertion point. Only the layout may
/// differ, so codes and scales stay.
static Value withFormat(EncodedWeightOp weight, FormatAttr format,
                        PatternRewriter &rewriter) {
  PackedType type = weight.getType();
  Operation *clone = rewriter.clone(*weight);
  clone->getResult(0).setType(PackedType::get(type.getContext(), type.getRows(),
                                              type.getColumns(), format));
  return clone->getResult(0);
}

/// `type` with another last dimension.
static RankedTensorType withColumns(RankedTensorType type, int64_t columns) {
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = columns;
  return RankedTensorType::get(shape, type.getElementType());
}

template <typename RootOp>
LogicalResult FusePattern<RootOp>::fuse(RootOp root, ArrayRef<Value> factors,
                                        bool interleaved,
                                        PatternRewriter &rewriter) const {
  SmallVector<LinearOp> linears;
  if (failed(findLinears(root, factors, interleaved, rewriter, linears)))
    return failure();
  LinearOp first = *llvm::min_element(
      linears, [](LinearOp a, LinearOp b) { return a->isBeforeInBlock(b); });
  rewriter.setInsertionPoint(first);
  FormatAttr format = commonFormat(linears);
  SmallVector<Value> weights;
  SmallVector<Location> locations;
  SmallVector<Type> types;
  int64_t rows = 0;
  for (LinearOp linear : linears) {
    weights.push_back(withFormat(weightOf(linear), format, rewriter));
    locations.push_back(linear.getLoc());
    types.push_back(linear.getType());
    rows += weightOf(linear).getType().getRows();
  }
  Location location = rewriter.getFusedLoc(locations);
  auto packed = PackedType::get(rewriter.getContext(), rows,
                                weightOf(first).getType().getColumns(), format);
  auto weight =
      ConcatWeightsOp::create(rewriter, location, packed, weights, interleaved);
  auto product = LinearOp::create(
      rewriter, location,
      withColumns(cast<RankedTensorType>(first.getType()), rows),
      first.getInput(), weight, first.getActivationGroupAttr(), /*head=*/false);
  auto split = SplitOp::create(rewriter, location, types, product, interleaved);
  for (auto [linear, part] : llvm::zip_equal(linears, split.getParts()))
    rewriter.replaceOp(linear, part);
  fused += linears.size();
  return success();
}

/// What is rotated, normalised or gets a bias, or the value itself.
static Value beforeUpdates(Value value) {
  auto rope = value.getDefiningOp<RopeOp>();
  if (rope && rope->hasOneUse())
    value = rope.getInput();
  while (value.hasOneUse() &&
         isa_and_nonnull<BiasOp, HeadNormOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

LogicalResult FuseAttention::matchAndRewrite(CachedAttentionOp op,
                                             PatternRewriter &rewriter) const {
  return fuse(op,
              {beforeUpdates(op.getQuery()), beforeUpdates(op.getKey()),
               beforeUpdates(op.getValue())},
              /*interleaved=*/false, rewriter);
}

void FuseLinears::runOnOperation() {
  RewritePatternSet patterns(&getContext());
  patterns.add<FuseAttention, FuseGlu>(&getContext(), numFused);
  if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
    signalPassFailure();
}
