//===- KernelKeys.cpp - Which kernel an operation calls ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/KernelKeys.h"

using namespace llmopt;
using namespace mlir;

PackedFormat llmopt::formatOf(kernel::WeightType type) {
  auto withGroups = [&](PackedLayout layout) {
    return PackedFormat(layout, type.getGroup(),
                        type.getHalfScales() ? ScaleType::F16 : ScaleType::F32,
                        type.getZeroPoints(), type.getTable());
  };
  switch (type.getFormat()) {
  case kernel::PackFormat::BF16:
    return PackedLayout::BF16;
  case kernel::PackFormat::Int8:
    return PackedLayout::Int8;
  case kernel::PackFormat::Int8Bitmask:
    return PackedLayout::Int8Bitmask;
  case kernel::PackFormat::Int8TwoOfFour:
    return PackedLayout::Int8TwoOfFour;
  case kernel::PackFormat::Int8Gather:
    return PackedLayout::Int8Gather;
  case kernel::PackFormat::Int8Groups:
    return withGroups(PackedLayout::Int8Groups);
  case kernel::PackFormat::Int4Groups:
    return withGroups(PackedLayout::Int4Groups);
  case kernel::PackFormat::F32:
  case kernel::PackFormat::Raw:
  case kernel::PackFormat::ConvF32:
  case kernel::PackFormat::ConvInt8:
  case kernel::PackFormat::DepthwiseF32:
  case kernel::PackFormat::DepthwiseInt8:
  case kernel::PackFormat::Bytes: // constants of graphs: read by no kernel
    return PackedLayout::F32;
  }
  llvm_unreachable("all formats are handled");
}

static Epilogue epilogueOf(kernel::Epilogue epilogue) {
  switch (epilogue) {
  case kernel::Epilogue::Store:
    return Epilogue::Store;
  case kernel::Epilogue::Add:
    return Epilogue::Add;
  case kernel::Epilogue::SiluMul:
    return Epilogue::SiluMul;
  case kernel::Epilogue::SiluMulQuantize:
    return Epilogue::SiluMulQuantize;
  case kernel::Epilogue::GeluMul:
    return Epilogue::GeluMul;
  case kernel::Epilogue::GeluTanhMul:
    return Epilogue::GeluTanhMul;
  }
  llvm_unreachable("all epilogues are handled");
}

LinearKernelKey llmopt::keyOf(kernel::LinearOp op, Isa isa) {
  return {formatOf(op.getWeight()),
          int64_t(op.getGroup().value_or(0)),
          RowRange::Decode,
          epilogueOf(op.getEpilogue()),
          isa,
          int64_t(op.getOutputGroup().value_or(0))};
}

template <typename AttentionOp>
static AttentionKernelKey geometryOf(AttentionOp op, AttentionKernel kernel,
                                     float scale, Isa isa) {
  return {kernel,
          int64_t(op.getHeads()),
          int64_t(op.getKvHeads()),
          int64_t(op.getHeadDim()),
          scale,
          isa,
          static_cast<llmopt_kv_format>(op.getKv())};
}

AttentionKernelKey llmopt::keyOf(kernel::RopeAppendOp op, Isa isa) {
  AttentionKernelKey key = geometryOf(op, AttentionKernel::RopeAppend, 1, isa);
  auto table = cast<kernel::WeightType>(op.getTable().getType());
  if (table.getColumns() != key.headDim)
    key.rotated = table.getColumns();
  return key;
}

AttentionKernelKey llmopt::keyOf(kernel::AttentionOp op, Isa isa) {
  AttentionKernelKey key = geometryOf(op, AttentionKernel::Attention,
                                      op.getScale().convertToFloat(), isa);
  key.window = op.getWindow();
  key.softcap = op.getSoftcap().convertToFloat();
  return key;
}

AttentionKernelKey llmopt::keyOf(kernel::AttentionPartsOp op, Isa isa) {
  AttentionKernelKey key = geometryOf(op, AttentionKernel::AttentionParts,
                                      op.getScale().convertToFloat(), isa);
  key.window = op.getWindow();
  key.softcap = op.getSoftcap().convertToFloat();
  key.parts = op.getPartCount();
  return key;
}

AttentionKernelKey llmopt::keyOf(kernel::MergePartsOp op, Isa isa) {
  AttentionKernelKey key{AttentionKernel::MergeParts,
                         int64_t(op.getHeads()),
                         int64_t(op.getKvHeads()),
                         int64_t(op.getHeadDim()),
                         /*scale=*/1,
                         isa};
  key.window = op.getWindow();
  key.parts = op.getPartCount();
  return key;
}

int64_t llmopt::kernelScratchBytes(Operation *op, Isa isa) {
  if (auto linear = dyn_cast<kernel::LinearOp>(op)) {
    auto type = cast<kernel::WeightType>(linear.getWeight().getType());
    return linearScratchBytes(keyOf(linear, isa), type.getColumns());
  }
  if (auto attention = dyn_cast<kernel::AttentionOp>(op))
    return scratchBytes(keyOf(attention, isa));
  if (auto attention = dyn_cast<kernel::AttentionPartsOp>(op))
    return scratchBytes(keyOf(attention, isa));
  return 0;
}
