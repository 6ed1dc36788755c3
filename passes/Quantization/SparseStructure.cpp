//===- SparseStructure.cpp - Where the zeros of a weight are ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Quantization/SparseStructure.h"
#include "mlir/IR/Builders.h"

using namespace llmopt;
using namespace mlir;

/// Whether every aligned group of `size` columns has at most `most` values that
/// are not zero.
static bool followsPattern(ArrayRef<float> weights, int64_t columns,
                           int64_t most, int64_t size) {
  if (columns % size || weights.empty())
    return false;
  for (size_t begin = 0; begin < weights.size(); begin += size)
    if (llvm::count_if(weights.slice(begin, size),
                       [](float value) { return value != 0; }) > most)
      return false;
  return true;
}

SparseStructure llmopt::findSparseStructure(ArrayRef<float> weights,
                                            int64_t columns) {
  SparseStructure structure;
  for (auto [most, size] : {std::pair(1, 4), std::pair(2, 4), std::pair(4, 8)})
    if (followsPattern(weights, columns, most, size)) {
      structure.pattern = std::to_string(most) + ":" + std::to_string(size);
      break;
    }
  std::vector<bool> isAlive(columns);
  for (size_t row = 0; row < weights.size(); row += columns) {
    bool isRowAlive = false;
    for (int64_t column = 0; column < columns; ++column)
      if (weights[row + column] != 0) {
        isRowAlive = true;
        isAlive[column] = true;
      }
    structure.deadRows += !isRowAlive;
  }
  structure.deadColumns = llvm::count(isAlive, false);
  return structure;
}

void llmopt::setSparseStructure(EncodedWeightOp weight,
                                const SparseStructure &structure) {
  Builder builder(weight.getContext());
  if (!structure.pattern.empty())
    weight.setPatternAttr(builder.getStringAttr(structure.pattern));
  if (structure.deadRows)
    weight.setDeadRowsAttr(builder.getI64IntegerAttr(structure.deadRows));
  if (structure.deadColumns)
    weight.setDeadColumnsAttr(builder.getI64IntegerAttr(structure.deadColumns));
}
