//===- Prunable.cpp - Which weights may be pruned ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Sparsity/Prunable.h"
#include <numeric>

using namespace llmopt;
using namespace mlir;

StringRef llmopt::whyKept(WeightOp weight) {
  for (OpOperand &use : weight->getUses()) {
    auto product = dyn_cast<CompressibleOp>(use.getOwner());
    if (!product || &product.getWeightOperand() != &use)
      return "it is used by something other than a product";
    if (product.isHead())
      return "it is the output head";
  }
  return "";
}

bool llmopt::isPrunable(WeightOp weight) {
  return weight.getType().getRank() == 2 && !weight->use_empty() &&
         whyKept(weight).empty();
}

/// The parts that a product's result is split into.
static SmallVector<int64_t> partsOf(CompressibleOp product) {
  SmallVector<int64_t> parts;
  if (product->getNumResults() != 1 || !product->hasOneUse())
    return parts;
  auto split = dyn_cast<SplitOp>(*product->user_begin());
  if (split && !split.getInterleaved())
    for (Value part : split.getParts())
      parts.push_back(cast<RankedTensorType>(part.getType()).getShape().back());
  return parts;
}

SmallVector<int64_t> llmopt::rowParts(WeightOp weight) {
  int64_t rows = weight.getType().getDimSize(0);
  std::optional<SmallVector<int64_t>> parts;
  for (Operation *user : weight->getUsers()) {
    auto product = dyn_cast<CompressibleOp>(user);
    SmallVector<int64_t> found =
        product ? partsOf(product) : SmallVector<int64_t>();
    if (parts && *parts != found)
      return {rows};
    parts = found;
  }
  if (!parts ||
      std::accumulate(parts->begin(), parts->end(), int64_t(0)) != rows)
    return {rows};
  return *parts;
}
