//===- ExpandGraph.cpp - Turn a graph into code -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/GraphEmitter.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/Passes.h"
#include "target/CallLayout.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_EXPANDGRAPH
#include "passes/Lowering/Passes.h.inc"

using namespace graph;

namespace {
struct ExpandGraphPass : impl::ExpandGraphBase<ExpandGraphPass> {
  using ExpandGraphBase::ExpandGraphBase;
  void runOnOperation() override;

private:
  LogicalResult expand(func::FuncOp main);
};
} // namespace

/// Tensors of the arguments, with the dimensions that the call says.
static LogicalResult bindInputs(GraphBuilder &g, func::FuncOp main,
                                GraphEmitter &emitter) {
  Value inputs =
      g.load(g.call.getType(), g.at(g.call, g.number(GraphCallLayout::inputs)));
  for (BlockArgument argument : main.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      return main.emitError("input ")
             << argument.getArgNumber()
             << " has no shape; declare the number of its dimensions";
    int64_t place = argument.getArgNumber() * GraphTensorLayout::bytes;
    Tensor tensor;
    tensor.type = type.getElementType();
    for (auto [axis, dim] : llvm::enumerate(type.getShape())) {
      int64_t field = place + GraphTensorLayout::dims + int64_t(axis) * 8;
      tensor.dims.push_back(
          ShapedType::isDynamic(dim)
              ? g.load(g.b.getI64Type(), g.at(inputs, g.number(field)))
              : g.number(dim));
      g.markDimension(tensor.dims.back());
    }
    Value data =
        g.load(g.call.getType(),
               g.at(inputs, g.number(place + GraphTensorLayout::data)));
    tensor.buffer = std::make_shared<Buffer>(data, /*isOwned=*/false);
    emitter.set(argument, tensor);
  }
  return success();
}

/// Outputs get memory that nothing else refers to.
static LogicalResult bindOutputs(GraphBuilder &g, Operation *terminator,
                                 GraphEmitter &emitter,
                                 SmallVectorImpl<Attribute> &types) {
  Value outputs = g.load(g.call.getType(),
                         g.at(g.call, g.number(GraphCallLayout::outputs)));
  SmallVector<Tensor> made;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    Tensor *known = emitter.find(value);
    if (!known)
      return failure();
    if (known->sequence)
      return terminator->emitError("output ")
             << index << " is a sequence or an optional value, expected a "
             << "tensor";
    Tensor tensor = g.materialize(*known);
    // Views, constants, inputs and what is returned twice are copied.
    bool isShared =
        !tensor.buffer->isOwned || llvm::any_of(made, [&](const Tensor &other) {
          return other.buffer == tensor.buffer;
        });
    if (isShared)
      tensor = g.copy(tensor);
    made.push_back(tensor);
    SmallVector<int64_t> shape;
    for (Value dim : tensor.dims)
      shape.push_back(g.known(dim).value_or(ShapedType::kDynamic));
    types.push_back(
        TypeAttr::get(RankedTensorType::get(shape, tensor.type.get())));
    int64_t place = int64_t(index) * GraphTensorLayout::bytes;
    g.store(tensor.buffer->data,
            g.at(outputs, g.number(place + GraphTensorLayout::data)));
    for (auto [axis, dim] : llvm::enumerate(tensor.dims))
      g.store(dim, g.at(outputs, g.number(place + GraphTensorLayout::dims +
                                          int64_t(axis) * 8)));
  }
  // The runtime owns them now.
  for (Tensor &tensor : made)
    tensor.buffer->isOwned = false;
  return success();
}

LogicalResult ExpandGraphPass::expand(func::FuncOp main) {
  MLIRContext *context = &getContext();
  OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
  auto pointer = LLVM::LLVMPointerType::get(context);
  auto entry = func::FuncOp::create(b, main.getLoc(), kGraphEntryName,
                                    b.getFunctionType({pointer}, {}));
  Block *body = entry.addEntryBlock();
  GraphBuilder g(body, body->getArgument(0), main.getLoc(), isa);
  GraphWeights weights(g);
  GraphEmitter emitter(g, weights);
  Block &graphBody = main.getBody().front();
  SmallVector<Attribute> types;
  if (failed(bindInputs(g, main, emitter)) ||
      failed(emitter.emitBlock(graphBody)) ||
      failed(bindOutputs(g, graphBody.getTerminator(), emitter, types)))
    return failure();
  entry->setAttr(kOutputTypesAttrName, b.getArrayAttr(types));
  func::ReturnOp::create(g.b, main.getLoc());
  return success();
}

void ExpandGraphPass::runOnOperation() {
  auto main = getOperation().lookupSymbol<func::FuncOp>("main");
  if (!main)
    return;
  if (failed(expand(main)))
    return signalPassFailure();
  main.erase();
  for (auto data : llvm::make_early_inc_range(
           getOperation().getOps<kernel::WeightDataOp>()))
    data.erase();
}

} // namespace llmopt
