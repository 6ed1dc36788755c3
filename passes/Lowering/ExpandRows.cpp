//===- ExpandRows.cpp - Calls of kernels that work row by row ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/ForwardExpander.h"
#include "target/CallLayout.h"

using namespace llmopt;
using namespace mlir;

/// Calls the kernel of a normalisation by `vectors`.
template <typename NormOp>
void ForwardExpander::expandNorm(NormOp op, ArrayRef<Value> vectors,
                                 RowKernel plain, RowKernel quantizing,
                                 KernelBuilder &k) {
  int64_t group = op.getGroup().value_or(0);
  func::FuncOp callee = group ? rowKernel(quantizing, group) : rowKernel(plain);
  auto [thread, threads] = shareOf(op.getOutput(), k);
  SmallVector<Value> arguments{at(op.getInput()),
                               k.size(strideOf(op.getInput()))};
  for (Value vector : vectors)
    arguments.push_back(at(vector));
  // Records are counted in bytes, rows in floats: both are elements.
  arguments.append({at(op.getOutput()), k.size(strideOf(op.getOutput())),
                    rowsOf(op.getOutput(), k), k.size(columnsOf(op.getGamma())),
                    k.constantF32(op.getEpsilon().convertToFloat()), thread,
                    threads});
  k.call(callee, arguments);
}

void ForwardExpander::expandOp(kernel::RMSNormOp op, KernelBuilder &k) {
  expandNorm(op, op.getGamma(), RowKernel::RmsNorm, RowKernel::RmsNormQuantize,
             k);
}

void ForwardExpander::expandOp(kernel::LayerNormOp op, KernelBuilder &k) {
  expandNorm(op, {op.getGamma(), op.getBeta()}, RowKernel::LayerNorm,
             RowKernel::LayerNormQuantize, k);
}

static RowKernel biasKernel(kernel::Activation activation) {
  switch (activation) {
  case kernel::Activation::None:
    return RowKernel::Bias;
  case kernel::Activation::Relu:
    return RowKernel::BiasRelu;
  case kernel::Activation::Gelu:
    return RowKernel::BiasGelu;
  case kernel::Activation::GeluTanh:
    return RowKernel::BiasGeluTanh;
  }
  llvm_unreachable("all activations are handled");
}

void ForwardExpander::expandOp(kernel::BiasOp op, KernelBuilder &k) {
  k.call(rowKernel(biasKernel(op.getActivation())),
         {at(op.getBuffer()), k.size(strideOf(op.getBuffer())),
          at(op.getBias()), rowsOf(op.getBuffer(), k),
          k.size(columnsOf(op.getBias())), frame.thread, frame.threads});
}

/// Columns of a buffer, with the padding of its rows.
static int64_t widthOf(Value buffer) {
  return cast<MemRefType>(buffer.getType()).getDimSize(1);
}

void ForwardExpander::expandOp(kernel::HeadNormOp op, KernelBuilder &k) {
  int64_t length = columnsOf(op.getGamma());
  k.call(rowKernel(RowKernel::HeadNorm),
         {at(op.getBuffer()), k.size(strideOf(op.getBuffer())),
          at(op.getGamma()), rowsOf(op.getBuffer(), k),
          k.size(widthOf(op.getBuffer()) / length), k.size(length),
          k.constantF32(op.getEpsilon().convertToFloat()), frame.thread,
          frame.threads});
}

void ForwardExpander::scaleRows(RowKernel kernel, Value buffer, APFloat factor,
                                KernelBuilder &k) {
  k.call(rowKernel(kernel),
         {at(buffer), k.size(strideOf(buffer)),
          k.constantF32(factor.convertToFloat()), rowsOf(buffer, k),
          k.size(widthOf(buffer)), frame.thread, frame.threads});
}

void ForwardExpander::expandOp(kernel::ScaleOp op, KernelBuilder &k) {
  scaleRows(RowKernel::Scale, op.getBuffer(), op.getFactor(), k);
}

void ForwardExpander::expandOp(kernel::SoftcapOp op, KernelBuilder &k) {
  scaleRows(RowKernel::Softcap, op.getBuffer(), op.getCap(), k);
}

void ForwardExpander::expandOp(kernel::AddOp op, KernelBuilder &k) {
  k.call(rowKernel(RowKernel::Add),
         {at(op.getInput()), k.size(strideOf(op.getInput())),
          at(op.getBuffer()), k.size(strideOf(op.getBuffer())),
          rowsOf(op.getBuffer(), k), k.size(widthOf(op.getBuffer())),
          frame.thread, frame.threads});
}

void ForwardExpander::expandOp(kernel::AddPositionsOp op, KernelBuilder &k) {
  Value positions =
      k.load(k.ptrType(), frame.call, int64_t(CallLayout::positions));
  k.call(rowKernel(RowKernel::AddPositions),
         {positions, at(op.getTable()), k.size(int64_t(op.getOffset())),
          at(op.getBuffer()), k.size(strideOf(op.getBuffer())),
          rowsOf(op.getBuffer(), k), k.size(columnsOf(op.getTable())),
          frame.thread, frame.threads});
}

void ForwardExpander::expandOp(kernel::QuantizeOp op, KernelBuilder &k) {
  auto [thread, threads] = shareOf(op.getOutput(), k);
  k.call(rowKernel(RowKernel::Quantize, op.getGroup()),
         {at(op.getInput()), k.size(strideOf(op.getInput())),
          at(op.getOutput()), k.size(strideOf(op.getOutput())),
          rowsOf(op.getOutput(), k), k.size(int64_t(op.getColumns())), thread,
          threads});
}

void ForwardExpander::expandOp(kernel::GatherRowsOp op, KernelBuilder &k) {
  k.call(rowKernel(RowKernel::GatherRows),
         {at(op.getInput()), k.size(strideOf(op.getInput())),
          frame.logitRowIndex, at(op.getOutput()),
          k.size(strideOf(op.getOutput())), frame.logitRows,
          k.size(widthOf(op.getOutput())), frame.thread, frame.threads});
}
