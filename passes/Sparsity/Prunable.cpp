//===- Prunable.cpp - Which weights may be pruned ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Sparsity/Prunable.h"

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
