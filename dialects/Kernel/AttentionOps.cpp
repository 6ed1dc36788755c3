//===- AttentionOps.cpp - Verifiers of attention ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelChecks.h"
#include "llvm/Support/MathExtras.h"

using namespace llmopt::kernel;
using namespace mlir;

template <typename HeadsOp> static LogicalResult verifyHeads(HeadsOp op) {
  int64_t heads = op.getHeads(), kvHeads = op.getKvHeads();
  if (heads <= 0 || kvHeads <= 0 || heads % kvHeads)
    return op.emitOpError("heads must be a positive multiple of kv_heads, got ")
           << heads << " and " << kvHeads;
  int64_t headDim = op.getHeadDim();
  if (headDim <= 0 || headDim % 8 || headDim > 256)
    return op.emitOpError(
               "head_dim must be a positive multiple of 8, at most 256, got ")
           << headDim;
  return success();
}

template <typename CacheOp> static LogicalResult verifyGeometry(CacheOp op) {
  if (failed(verifyHeads(op)))
    return failure();
  int64_t heads = op.getHeads() + 2 * op.getKvHeads();
  return checkColumns(op, op.getQkv(), heads * op.getHeadDim(), "qkv");
}

template <typename WindowOp> static LogicalResult verifyWindow(WindowOp op) {
  if (int64_t(op.getWindow()) < 0)
    return op.emitOpError("window must not be negative, got ")
           << int64_t(op.getWindow());
  return success();
}

template <typename CappedOp> static LogicalResult verifySoftcap(CappedOp op) {
  if (!op.getSoftcap().isFinite() || op.getSoftcap().isNegative())
    return op.emitOpError("softcap must be finite and not negative, got ")
           << op.getSoftcap().convertToFloat();
  return success();
}

/// A call has room for 16 rows at least, of which one takes part in
/// AttentionPartsOp.
template <typename PartsOp> static LogicalResult verifyParts(PartsOp op) {
  constexpr int64_t kLanes = 16, kLeastRows = 16;
  int64_t count = op.getPartCount();
  if (count <= 0)
    return op.emitOpError("expects a positive number of parts, got ") << count;
  int64_t record = kLanes + llvm::alignTo(op.getHeadDim(), kLanes);
  int64_t floats = op.getHeads() * count * record;
  int64_t columns = columnsOf(op.getParts());
  if (columns * kLeastRows < floats)
    return op.emitOpError("parts must have at least ")
           << llvm::divideCeil(floats, kLeastRows) << " columns, got "
           << columns;
  return success();
}

LogicalResult RopeAppendOp::verify() {
  if (failed(verifyGeometry(*this)))
    return failure();
  int64_t rotated = weightOf(getTable()).getColumns();
  if (rotated % 2 || rotated > int64_t(getHeadDim()))
    return emitOpError("table must have an even number of columns, at most "
                       "head_dim ")
           << getHeadDim() << ", got " << rotated;
  return checkRaw(*this, getTable(), rotated, "table");
}

void RopeAppendOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  effects.emplace_back(MemoryEffects::Read::get(), &getQkvMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getQkvMutable());
  effects.emplace_back(MemoryEffects::Write::get(), CacheResource::get());
}

LogicalResult AttentionOp::verify() {
  if (failed(verifyGeometry(*this)))
    return failure();
  if (failed(checkColumns(*this, getOutput(), getHeads() * getHeadDim(),
                          "output")))
    return failure();
  if (failed(verifyWindow(*this)) || failed(verifySoftcap(*this)))
    return failure();
  return checkSeparate(*this, getQkv(), getOutput());
}

void AttentionOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  effects.emplace_back(MemoryEffects::Read::get(), &getQkvMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getOutputMutable());
  effects.emplace_back(MemoryEffects::Read::get(), CacheResource::get());
}

LogicalResult AttentionPartsOp::verify() {
  if (failed(verifyGeometry(*this)) || failed(verifyParts(*this)) ||
      failed(verifyWindow(*this)) || failed(verifySoftcap(*this)))
    return failure();
  return checkSeparate(*this, getQkv(), getParts());
}

void AttentionPartsOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  effects.emplace_back(MemoryEffects::Read::get(), &getQkvMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getPartsMutable());
  effects.emplace_back(MemoryEffects::Read::get(), CacheResource::get());
}

LogicalResult MergePartsOp::verify() {
  if (failed(verifyHeads(*this)) || failed(verifyParts(*this)) ||
      failed(verifyWindow(*this)))
    return failure();
  if (failed(checkColumns(*this, getOutput(), getHeads() * getHeadDim(),
                          "output")))
    return failure();
  auto output = getOutput().getDefiningOp<BufferOp>();
  if (!output || !output.getIsPrivate())
    return emitOpError("output must be a private buffer, as every thread "
                       "computes all of it");
  return success();
}
