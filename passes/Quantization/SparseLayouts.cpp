//===- SparseLayouts.cpp - Layouts that weights may have --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/SparseLayouts.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "llvm/Support/Regex.h"

using namespace llmopt;
using namespace mlir;

/// Below it gathered codes take more room than dense ones, whatever the matrix.
static constexpr double kLeastZerosToGather = 0.5;

Layout llmopt::layoutOf(PackedLayout layout) {
  switch (layout) {
  case PackedLayout::Int8Bitmask:
    return Layout::Bitmask;
  case PackedLayout::Int8TwoOfFour:
    return Layout::TwoOfFour;
  case PackedLayout::Int8Gather:
    return Layout::Gather;
  default:
    return Layout::Dense;
  }
}

/// Whether all products with the weights have integer activations in groups of
/// multiples of `columns`.
static bool haveGroups(ArrayRef<EncodedWeightOp> weights, int64_t columns) {
  return llvm::all_of(weights, [&](EncodedWeightOp weight) {
    return llvm::all_of(weight->getUsers(), [&](Operation *user) {
      auto linear = dyn_cast<LinearOp>(user);
      std::optional<int64_t> group =
          linear ? linear.getActivationGroup() : std::nullopt;
      return group && *group % columns == 0;
    });
  });
}

static bool followTwoOfFour(ArrayRef<EncodedWeightOp> weights) {
  return llvm::all_of(weights, [](EncodedWeightOp weight) {
    std::optional<StringRef> pattern = weight.getPattern();
    return pattern == "2:4" || pattern == "1:4";
  });
}

static double zeroFraction(ArrayRef<EncodedWeightOp> weights) {
  double zeros = 0, all = 0;
  for (EncodedWeightOp weight : weights) {
    zeros += weight.getZeros();
    all += double(weight.getType().getRows()) * weight.getType().getColumns();
  }
  return zeros / all;
}

static FailureOr<int64_t> gatheredBytes(ArrayRef<EncodedWeightOp> weights) {
  int64_t bytes = 0;
  for (EncodedWeightOp weight : weights) {
    WeightStore &store =
        cast<LLMOptDialect>(weight->getDialect())->getWeightStore();
    FailureOr<std::vector<int8_t>> codes =
        store.readCodes(weight.getCodes(), weight.getCodesType(),
                        [&] { return weight.emitError(); });
    if (failed(codes))
      return failure();
    bytes += packedCodesBytes(PackedLayout::Int8Gather, *codes,
                              weight.getType().getRows(),
                              weight.getType().getColumns());
  }
  return bytes;
}

FailureOr<SmallVector<LayoutCandidate>>
llmopt::findLayouts(ArrayRef<EncodedWeightOp> weights) {
  int64_t rows = 0, columns = 0;
  for (EncodedWeightOp weight : weights) {
    rows += weight.getType().getRows();
    columns = weight.getType().getColumns();
  }
  double zeros = zeroFraction(weights);
  SmallVector<LayoutCandidate> layouts;
  for (PackedLayout layout : {PackedLayout::Int8, PackedLayout::Int8Bitmask})
    layouts.push_back({layout, estimatedBytes(layout, rows, columns, zeros)});
  // Kernels for float activations would expand the others first.
  if (followTwoOfFour(weights) && haveGroups(weights, 1))
    layouts.push_back(
        {PackedLayout::Int8TwoOfFour,
         densePackedBytes(PackedLayout::Int8TwoOfFour, rows, columns)});
  if (zeros < kLeastZerosToGather || !haveGroups(weights, kWindowColumns))
    return layouts;
  FailureOr<int64_t> bytes = gatheredBytes(weights);
  if (failed(bytes))
    return failure();
  layouts.push_back({PackedLayout::Int8Gather, *bytes});
  return layouts;
}

std::string llmopt::reasonAgainst(PackedLayout layout,
                                  ArrayRef<EncodedWeightOp> weights) {
  if (layout == PackedLayout::Int8TwoOfFour && !followTwoOfFour(weights))
    return "more than two of four columns in a row are not zero, here or in a "
           "weight with the same input";
  if (!haveGroups(weights, 1))
    return "it needs integer activations";
  if (zeroFraction(weights) < kLeastZerosToGather)
    return "less than half of the codes are zero";
  return "it needs groups of activations of a multiple of 64 columns";
}

const LayoutOverride *llmopt::findOverride(ArrayRef<LayoutOverride> overrides,
                                           ArrayRef<EncodedWeightOp> weights) {
  for (const LayoutOverride &each : overrides)
    for (EncodedWeightOp weight : weights)
      if (llvm::Regex(each.pattern).match(weight.getName()))
        return &each;
  return nullptr;
}
