//===- KernelPlacement.cpp - Which kernel computes what ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/KernelPlacement.h"

using namespace llmopt;
using namespace mlir;

namespace {

class Placer {
public:
  explicit Placer(func::FuncOp forward) : forward(forward) {}
  FailureOr<KernelPlacement> run();

private:
  LogicalResult placeHead();
  void deferAfterAttention();
  LogicalResult placeAttention(CachedAttentionOp op);
  LogicalResult placeColumns(CachedAttentionOp op, ArrayRef<Value> parts);
  LogicalResult placeParts(CachedAttentionOp op, SplitOp split,
                           ArrayRef<Value> parts);
  void placeGlu(GluOp op);
  void placeSum(arith::AddFOp op);

  func::FuncOp forward;
  KernelPlacement placement;
};

} // namespace

static int64_t columnsOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape().back();
}

//===----------------------------------------------------------------------===//
// Head
//===----------------------------------------------------------------------===//

LogicalResult Placer::placeHead() {
  Operation *terminator = forward.getBody().front().getTerminator();
  Value logits = terminator->getOperand(0);
  while (logits.hasOneUse() &&
         isa_and_nonnull<BiasOp, ScaleOp, SoftcapOp>(logits.getDefiningOp()))
    logits = logits.getDefiningOp()->getOperand(0);
  auto head = logits.getDefiningOp<LinearOp>();
  if (!head || !head->hasOneUse())
    return forward.emitError(
        "logits must be the result of a product that nothing else reads, "
        "perhaps with a bias, a factor or a soft cap");
  placement.head = head;
  return success();
}

/// Moves what no attention depends on to the end.
void Placer::deferAfterAttention() {
  Block &body = forward.getBody().front();
  DenseSet<Operation *> needed;
  for (Operation &op : llvm::reverse(body)) {
    if (isa<CachedAttentionOp, EmbeddingOp>(op))
      needed.insert(&op);
    if (!needed.contains(&op))
      continue;
    for (Value operand : op.getOperands())
      if (Operation *producer = operand.getDefiningOp())
        needed.insert(producer);
  }
  SmallVector<Operation *> deferred;
  for (Operation &op : body.without_terminator())
    if (!needed.contains(&op) &&
        !isa<WeightOp, EncodedWeightOp, ConcatWeightsOp>(op))
      deferred.push_back(&op);
  for (Operation *op : deferred) {
    op->moveBefore(body.getTerminator());
    placement.afterAttention.insert(op);
  }
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// What `value` was before biases and norms of heads, which change it in
/// place, if nothing else reads it.
static Value beforeUpdates(Value value) {
  while (value.hasOneUse()) {
    auto bias = value.getDefiningOp<BiasOp>();
    if (bias && !bias.getActivation())
      value = bias.getInput();
    else if (auto norm = value.getDefiningOp<HeadNormOp>())
      value = norm.getInput();
    else
      break;
  }
  return value;
}

/// The product of a value, perhaps changed in place.
static LinearOp productBefore(Value value) {
  auto linear = beforeUpdates(value).getDefiningOp<LinearOp>();
  return linear && linear->hasOneUse() ? linear : LinearOp();
}

/// The product behind every part of [q | k | v], each with its place in the
/// row.
LogicalResult Placer::placeColumns(CachedAttentionOp op,
                                   ArrayRef<Value> parts) {
  int64_t first = 0;
  for (Value part : parts) {
    LinearOp linear = productBefore(part);
    if (!linear || !part.hasOneUse())
      return op.emitOpError(
          "has no kernel form: query, key and value must be three products "
          "or the split of one, used by nothing else");
    if (columnsOf(part) % 16)
      return linear.emitOpError("has no kernel form: columns of a separate "
                                "query, key or value must be a multiple of 16, "
                                "got ")
             << columnsOf(part);
    placement.columns[linear] = {op, first};
    first += columnsOf(part);
  }
  return success();
}

LogicalResult Placer::placeAttention(CachedAttentionOp op) {
  auto query = op.getQuery().getDefiningOp<RopeOp>();
  auto key = op.getKey().getDefiningOp<RopeOp>();
  if (!query || !key || !query->hasOneUse() || !key->hasOneUse() ||
      query.getTable() != key.getTable() ||
      query.getPositions() != key.getPositions())
    return op.emitOpError("has no kernel form: query and key must be rotated "
                          "with one table, at the same positions, for this "
                          "attention only");
  int64_t headDim = op.getHeadDim();
  if (headDim % 8 || headDim > 256)
    return op.emitOpError("has no kernel form: head_dim must be a multiple of "
                          "8, at most 256, got ")
           << headDim;
  for (auto [rope, heads] :
       {std::pair(query, op.getHeads()), std::pair(key, op.getKvHeads())})
    if (rope.getHeads() != heads || rope.getHeadDim() != op.getHeadDim())
      return rope.emitOpError("has no kernel form: rotates ")
             << rope.getHeads() << " heads of " << rope.getHeadDim()
             << ", but attention has " << heads << " of " << op.getHeadDim();
  placement.covered.insert(query);
  placement.covered.insert(key);
  Value parts[] = {query.getInput(), key.getInput(), op.getValue()};
  auto split = beforeUpdates(parts[0]).getDefiningOp<SplitOp>();
  placement.attentions[op] = {split ? split.getInput() : Value(), query};
  return split ? placeParts(op, split, parts) : placeColumns(op, parts);
}

LogicalResult Placer::placeParts(CachedAttentionOp op, SplitOp split,
                                 ArrayRef<Value> parts) {
  auto isUsedOnce = [](Value part) {
    return part.hasOneUse() && beforeUpdates(part).hasOneUse();
  };
  SmallVector<Value> sources(llvm::map_range(parts, beforeUpdates));
  bool whole = !split.getInterleaved() &&
               llvm::equal(split.getParts(), sources) &&
               llvm::all_of(parts, isUsedOnce) &&
               split.getInput().hasOneUse() && productBefore(split.getInput());
  if (!whole)
    return op.emitOpError("has no kernel form: query, key and value must be "
                          "the parts of one product, used by nothing else");
  // Parts that are changed in place need to be seen as columns of the row.
  if (llvm::equal(sources, parts)) {
    placement.covered.insert(split);
    return success();
  }
  for (Value part : parts)
    if (columnsOf(part) % 16)
      return split.emitOpError("has no kernel form: columns of a query, key or "
                               "value with a bias or norm of its own must be a "
                               "multiple of 16, got ")
             << columnsOf(part);
  placement.splits.insert(split);
  return success();
}

//===----------------------------------------------------------------------===//
// Epilogues
//===----------------------------------------------------------------------===//

void Placer::placeGlu(GluOp op) {
  auto split = op.getGate().getDefiningOp<SplitOp>();
  if (!split || !split.getInterleaved() || op.getUp() != split.getParts()[1] ||
      op.getGate() != split.getParts()[0] || !op.getGate().hasOneUse() ||
      !op.getUp().hasOneUse())
    return;
  auto linear = split.getInput().getDefiningOp<LinearOp>();
  if (!linear || !linear->hasOneUse())
    return;
  placement.gated[linear] = op;
  placement.covered.insert(split);
  placement.covered.insert(op);
}

/// Reads of `value` other than by `sum` come first, so that `sum` may overwrite
/// it.
static bool isLastReader(arith::AddFOp sum, Value value) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    return user == sum || user->isBeforeInBlock(sum);
  });
}

/// A product that only a sum reads, or null.
static LinearOp productOf(Value term) {
  auto linear = term.getDefiningOp<LinearOp>();
  return linear && linear->hasOneUse() ? linear : LinearOp();
}

/// True where the kernel of a product reads `value` itself, not records that
/// were made from it before.
static bool readsFloats(LinearOp product, Value value) {
  return product.getInput() == value && !product.getActivationGroup();
}

/// True for rows of features.
static bool holdsRows(Value term) {
  return cast<RankedTensorType>(term.getType()).getRank() == 2;
}

void Placer::placeSum(arith::AddFOp op) {
  std::pair<Value, Value> orders[] = {{op.getRhs(), op.getLhs()},
                                      {op.getLhs(), op.getRhs()}};
  for (auto [product, residual] : orders) {
    LinearOp linear = productOf(product);
    if (!linear || readsFloats(linear, residual) || !isLastReader(op, residual))
      continue;
    placement.added[op] = linear;
    placement.covered.insert(linear);
    return;
  }
  if (op.getLhs() == op.getRhs())
    return;
  for (Value term : op.getOperands())
    if (holdsRows(term) && isLastReader(op, term))
      placement.overwritten.try_emplace(op, term);
}

FailureOr<KernelPlacement> Placer::run() {
  if (!forward.getBody().hasOneBlock() || forward.getNumArguments() != 2 ||
      forward.getNumResults() != 1)
    return forward.emitError("must have one block, take tokens and positions "
                             "and return the logits (llmopt-form-session)");
  if (failed(placeHead()))
    return failure();
  deferAfterAttention();
  auto sums = forward.getOps<arith::AddFOp>();
  for (arith::AddFOp sum : llvm::make_early_inc_range(sums))
    for (Value term : sum.getOperands())
      if (LinearOp product = productOf(term))
        product->moveBefore(sum);
  // The order of reads and writes is final from here on.
  for (Operation &op : forward.getBody().front()) {
    if (auto attention = dyn_cast<CachedAttentionOp>(op)) {
      if (failed(placeAttention(attention)))
        return failure();
    } else if (auto glu = dyn_cast<GluOp>(op)) {
      placeGlu(glu);
    } else if (auto sum = dyn_cast<arith::AddFOp>(op)) {
      placeSum(sum);
    }
  }
  return placement;
}

FailureOr<KernelPlacement> KernelPlacement::analyze(func::FuncOp forward) {
  return Placer(forward).run();
}
