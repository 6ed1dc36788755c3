//===- PackedSize.cpp - Packed bytes of encoded weights ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/PackedSize.h"
#include "dialects/LLMOpt/WeightStore.h"

using namespace llmopt;
using namespace mlir;

/// Codes of a few bits share a container.
static PackedFormat denseFormat(FormatAttr format) {
  if (format.getEncoding() == Encoding::BF16)
    return PackedLayout::BF16;
  if (!format.hasCodes())
    return PackedLayout::F32;
  if (format.getGroup() == 0)
    return PackedLayout::Int8;
  return {format.getBits() <= 4 ? PackedLayout::Int4Groups
                                : PackedLayout::Int8Groups,
          format.getGroup(),
          format.getScale().isF16() ? ScaleType::F16 : ScaleType::F32,
          format.getZeroPoints(), format.getEncoding() == Encoding::Table};
}

FailureOr<PackedFormat> llmopt::packedFormat(FormatAttr format) {
  switch (format.getLayout()) {
  case Layout::Undecided:
    return failure();
  case Layout::Bitmask:
    return PackedFormat(PackedLayout::Int8Bitmask);
  case Layout::TwoOfFour:
    return PackedFormat(PackedLayout::Int8TwoOfFour);
  case Layout::Gather:
    return PackedFormat(PackedLayout::Int8Gather);
  case Layout::Dense:
    return denseFormat(format);
  }
  llvm_unreachable("unknown layout");
}

/// Appends the row-major codes of an encoded weight or of all parts of a
/// concatenation.
static LogicalResult appendCodes(Value weight, std::vector<int8_t> &codes) {
  Operation *op = weight.getDefiningOp();
  if (auto concat = dyn_cast_or_null<ConcatWeightsOp>(op)) {
    for (Value part : concat.getWeights())
      if (failed(appendCodes(part, codes)))
        return failure();
    return success();
  }
  auto encoded = dyn_cast_or_null<EncodedWeightOp>(op);
  if (!encoded)
    return emitError(weight.getLoc(),
                     "packed size needs an llmopt.encoded_weight, got ")
           << weight;
  WeightStore &store =
      cast<LLMOptDialect>(encoded->getDialect())->getWeightStore();
  FailureOr<std::vector<int8_t>> part =
      store.readCodes(encoded.getCodes(), encoded.getCodesType(),
                      [&] { return encoded.emitError(); });
  if (failed(part))
    return failure();
  codes.insert(codes.end(), part->begin(), part->end());
  return success();
}

FailureOr<int64_t> llmopt::packedBytes(Value weight) {
  Operation *op = weight.getDefiningOp();
  if (auto plain = dyn_cast_or_null<WeightOp>(op))
    return plain.getType().getNumElements() * int64_t(sizeof(float));
  if (!isa_and_nonnull<EncodedWeightOp, ConcatWeightsOp>(op))
    return emitError(weight.getLoc(), "packed size needs a weight, got ")
           << weight;
  auto type = cast<PackedType>(weight.getType());
  FailureOr<PackedFormat> format = packedFormat(type.getFormat());
  if (failed(format))
    return op->emitError("weight has no layout yet; run llmopt-encode first");
  if (!hasPanelTable(format->layout))
    return densePackedBytes(*format, type.getRows(), type.getColumns());
  // The size depends on the codes alone, not on the order of their panels.
  std::vector<int8_t> codes;
  if (failed(appendCodes(weight, codes)))
    return failure();
  return packedCodesBytes(format->layout, codes, type.getRows(),
                          type.getColumns());
}

int64_t llmopt::countZeros(Value weight) {
  Operation *op = weight.getDefiningOp();
  if (auto encoded = dyn_cast_or_null<EncodedWeightOp>(op))
    return encoded.getZeros();
  int64_t zeros = 0;
  if (auto concat = dyn_cast_or_null<ConcatWeightsOp>(op))
    for (Value part : concat.getWeights())
      zeros += countZeros(part);
  return zeros;
}
