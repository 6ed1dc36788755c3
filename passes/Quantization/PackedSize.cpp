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

FailureOr<PackedLayout> llmopt::packedLayout(FormatAttr format) {
  switch (format.getLayout()) {
  case Layout::Undecided:
    return failure();
  case Layout::Bitmask:
    return PackedLayout::Int8Bitmask;
  case Layout::Dense:
    return format.getEncoding() == Encoding::F32 ? PackedLayout::F32
                                                 : PackedLayout::Int8;
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
  FailureOr<PackedLayout> layout = packedLayout(type.getFormat());
  if (failed(layout))
    return op->emitError("weight has no layout yet; run llmopt-encode first");
  if (*layout != PackedLayout::Int8Bitmask)
    return densePackedBytes(*layout, type.getRows(), type.getColumns());
  // The size depends on the codes alone, not on the order of their panels.
  std::vector<int8_t> codes;
  if (failed(appendCodes(weight, codes)))
    return failure();
  return bitmaskPackedBytes(codes, type.getRows(), type.getColumns());
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
