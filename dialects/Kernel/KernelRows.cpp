//===- KernelRows.cpp - Verifiers of kernels that work row by row ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelChecks.h"

using namespace llmopt::kernel;
using namespace mlir;

/// Checks a raw vector of `columns` elements.
static LogicalResult checkVector(Operation *op, Value weight, int64_t columns,
                                 StringRef what) {
  if (weightOf(weight).getRows() != 1)
    return op->emitOpError()
           << what << " must have one row, got " << weight.getType();
  return checkRaw(op, weight, columns, what);
}

LogicalResult RMSNormOp::verify() {
  int64_t columns = weightOf(getGamma()).getColumns();
  if (failed(checkVector(*this, getGamma(), columns, "gamma")) ||
      failed(checkColumns(*this, getInput(), columns, "input")))
    return failure();
  return checkGrouped(*this, getOutput(), columns, getGroup(), "output");
}

LogicalResult LayerNormOp::verify() {
  int64_t columns = weightOf(getGamma()).getColumns();
  if (failed(checkVector(*this, getGamma(), columns, "gamma")) ||
      failed(checkVector(*this, getBeta(), columns, "beta")) ||
      failed(checkColumns(*this, getInput(), columns, "input")))
    return failure();
  return checkGrouped(*this, getOutput(), columns, getGroup(), "output");
}

LogicalResult BiasOp::verify() {
  int64_t columns = weightOf(getBias()).getColumns();
  if (failed(checkVector(*this, getBias(), columns, "bias")))
    return failure();
  return checkColumns(*this, getBuffer(), columns, "buffer");
}

LogicalResult HeadNormOp::verify() {
  int64_t length = weightOf(getGamma()).getColumns();
  if (failed(checkVector(*this, getGamma(), length, "gamma")))
    return failure();
  if (columnsOf(getBuffer()) % length)
    return emitOpError("the length of gamma must divide the columns of the "
                       "buffer, got ")
           << length << " and " << columnsOf(getBuffer());
  return success();
}

/// Checks that an operation reads as many columns as it writes, elsewhere.
static LogicalResult checkPair(Operation *op, Value input, Value output) {
  if (columnsOf(input) != columnsOf(output))
    return op->emitOpError("input and output must have equal columns, got ")
           << columnsOf(input) << " and " << columnsOf(output);
  return checkSeparate(op, input, output);
}

LogicalResult AddOp::verify() {
  return checkPair(*this, getInput(), getBuffer());
}

LogicalResult AddPositionsOp::verify() {
  WeightType table = weightOf(getTable());
  if (failed(checkRaw(*this, getTable(), table.getColumns(), "table")))
    return failure();
  int64_t offset = getOffset();
  if (offset < 0 || offset >= table.getRows())
    return emitOpError("offset must be in [0, ")
           << table.getRows() << "), got " << offset;
  return checkColumns(*this, getBuffer(), table.getColumns(), "buffer");
}

LogicalResult QuantizeOp::verify() {
  if (failed(checkColumns(*this, getInput(), getColumns(), "input")))
    return failure();
  return checkRecords(*this, getOutput(), getColumns(), getGroup(), "output");
}

LogicalResult GatherRowsOp::verify() {
  return checkPair(*this, getInput(), getOutput());
}
