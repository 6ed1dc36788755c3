//===- ToKernelRows.cpp - Kernels that work row by row ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/KernelEmitter.h"

using namespace llmopt;
using namespace mlir;
using kernel::RowDomain;

/// Emits a normalisation once for every form in which its result is read.
void KernelEmitter::emitNorm(Operation *op,
                             function_ref<void(Value, IntegerAttr)> create) {
  RowDomain rows = rowsOf(op);
  Forms &forms = formsOf(rows);
  Value result = op->getResult(0);
  int64_t columns = columnsOf(result);
  for (Operation *user : op->getUsers()) {
    auto linear = dyn_cast<LinearOp>(user);
    IntegerAttr group;
    // Records cannot be gathered, so what covers other rows quantizes itself.
    if (linear && rowsOf(linear) == rows)
      group = linear.getActivationGroupAttr();
    Value &output =
        group ? forms.records[{result, group.getInt()}] : forms.floats[result];
    if (output)
      continue;
    output = group ? makeRecords(op->getLoc(), columns, group.getInt(), rows)
                   : makeBuffer(op->getLoc(), "norm", columns, rows);
    create(output, group);
  }
}

LogicalResult KernelEmitter::emit(RMSNormOp op) {
  FailureOr<Value> input = floatsOf(op.getInput(), op);
  FailureOr<Value> gamma = weights.raw(op.getGamma(), op);
  if (failed(input) || failed(gamma))
    return failure();
  emitNorm(op, [&](Value output, IntegerAttr group) {
    kernel::RMSNormOp::create(builder, op.getLoc(), *input, *gamma, output,
                              op.getEpsilonAttr(), group);
  });
  return success();
}

LogicalResult KernelEmitter::emit(LayerNormOp op) {
  FailureOr<Value> input = floatsOf(op.getInput(), op);
  FailureOr<Value> gamma = weights.raw(op.getGamma(), op);
  FailureOr<Value> beta = weights.raw(op.getBeta(), op);
  if (failed(input) || failed(gamma) || failed(beta))
    return failure();
  emitNorm(op, [&](Value output, IntegerAttr group) {
    kernel::LayerNormOp::create(builder, op.getLoc(), *input, *gamma, *beta,
                                output, op.getEpsilonAttr(), group);
  });
  return success();
}

/// The buffer of an operation that changes its first operand in place: nothing
/// else may read that.
FailureOr<Value> KernelEmitter::updated(Operation *op) {
  if (!op->getOperand(0).hasOneUse())
    return op->emitOpError("has no kernel form: nothing else may read its "
                           "input");
  FailureOr<Value> buffer = floatsOf(op->getOperand(0), op);
  if (succeeded(buffer))
    formsOf(rowsOf(op)).floats[op->getResult(0)] = *buffer;
  return buffer;
}

LogicalResult KernelEmitter::emit(BiasOp op) {
  FailureOr<Value> buffer = updated(op);
  FailureOr<Value> bias = weights.raw(op.getBias(), op);
  if (failed(buffer) || failed(bias))
    return failure();
  // The kernels count one more: no activation.
  auto activation = kernel::Activation::None;
  if (op.getActivation())
    activation = kernel::Activation(int32_t(*op.getActivation()) + 1);
  kernel::BiasOp::create(builder, op.getLoc(), *buffer, *bias, activation);
  return success();
}

LogicalResult KernelEmitter::emit(HeadNormOp op) {
  FailureOr<Value> buffer = updated(op);
  FailureOr<Value> gamma = weights.raw(op.getGamma(), op);
  if (failed(buffer) || failed(gamma))
    return failure();
  kernel::HeadNormOp::create(builder, op.getLoc(), *buffer, *gamma,
                             op.getEpsilonAttr());
  return success();
}

LogicalResult KernelEmitter::emit(ScaleOp op) {
  FailureOr<Value> buffer = updated(op);
  if (failed(buffer))
    return failure();
  kernel::ScaleOp::create(builder, op.getLoc(), *buffer, op.getFactorAttr());
  return success();
}

LogicalResult KernelEmitter::emit(SoftcapOp op) {
  FailureOr<Value> buffer = updated(op);
  if (failed(buffer))
    return failure();
  kernel::SoftcapOp::create(builder, op.getLoc(), *buffer, op.getCapAttr());
  return success();
}

/// Adds the vectors of positions to the other term, in place.
LogicalResult KernelEmitter::emitPositions(arith::AddFOp op,
                                           PositionEmbeddingOp positions) {
  Value other =
      op.getLhs() == positions.getResult() ? op.getRhs() : op.getLhs();
  if (!other.hasOneUse() || rowsOf(op) != RowDomain::Tokens)
    return op.emitOpError("has no kernel form: nothing else may read what "
                          "positions are added to");
  if (positions.getPositions() != tensors.getArgument(1))
    return positions.emitOpError(
        "has no kernel form: positions must be those of the function");
  FailureOr<Value> buffer = floatsOf(other, op);
  FailureOr<Value> table = weights.raw(positions.getTable(), op);
  if (failed(buffer) || failed(table))
    return failure();
  kernel::AddPositionsOp::create(builder, op.getLoc(), *table, *buffer,
                                 positions.getOffset());
  allRows.floats[op.getResult()] = *buffer;
  return success();
}
