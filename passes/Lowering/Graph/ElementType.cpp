//===- ElementType.cpp - Element types of graph tensors ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ElementType.h"

using namespace mlir;

namespace llmopt::graph {

Type ElementType::storage() const {
  MLIRContext *context = type.getContext();
  if (isMiniFloat() || bits() < 8)
    return IntegerType::get(context, 8);
  if (isFloat())
    return type;
  return IntegerType::get(context, bits());
}

int64_t ElementType::bytes() const {
  return storage().getIntOrFloatBitWidth() / 8;
}

Type ElementType::compute() const {
  MLIRContext *context = type.getContext();
  if (isBool())
    return IntegerType::get(context, 1);
  if (isSmallFloat())
    return Float32Type::get(context);
  return storage();
}

} // namespace llmopt::graph
