//===- OutlineLoops.cpp - Functions of the loops of all threads -*- C++ -*-===//
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
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Lowering/Passes.h"
#include "target/CallLayout.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_OUTLINELOOPS
#include "passes/Lowering/Passes.h.inc"

namespace {
struct OutlineLoopsPass : impl::OutlineLoopsBase<OutlineLoopsPass> {
  void runOnOperation() override;

private:
  void outline(kernel::ParallelForOp loop, Value frame);
  func::FuncOp makeBody(kernel::ParallelForOp loop, ArrayRef<Value> captured);

  /// Functions by the text of their body: equal loops share one.
  llvm::StringMap<func::FuncOp> bodies;
};
} // namespace

/// Operations that every function has a copy of its own of.
static bool isCopied(Operation *op) {
  return op && (matchPattern(op, m_Constant()) || isa<LLVM::AddressOfOp>(op));
}

/// What a loop reads from the entry: all but constants.
static SmallVector<Value> capturedValues(kernel::ParallelForOp loop) {
  SetVector<Value> outside;
  getUsedValuesDefinedAbove(loop.getBody(), outside);
  SmallVector<Value> captured;
  for (Value value : outside)
    if (!isCopied(value.getDefiningOp()))
      captured.push_back(value);
  return captured;
}

/// Bytes of a captured value in the context.
static int64_t slotBytes(Value value) {
  return isa<VectorType>(value.getType()) ? LLMOPT_VECTOR_BYTES : 8;
}

static Value addressOf(OpBuilder &b, Location loc, Value base, int64_t offset) {
  return LLVM::GEPOp::create(b, loc, base.getType(), b.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{int32_t(offset)});
}

/// func @loop_N(%context, %begin, %end) { for i in [begin, end): body }
func::FuncOp OutlineLoopsPass::makeBody(kernel::ParallelForOp loop,
                                        ArrayRef<Value> captured) {
  Location loc = loop.getLoc();
  OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
  auto pointer = LLVM::LLVMPointerType::get(&getContext());
  Type i64 = b.getI64Type();
  auto function =
      func::FuncOp::create(b, loc, "loop_" + std::to_string(bodies.size()),
                           b.getFunctionType({pointer, i64, i64}, {}));
  function.setPrivate();
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToEnd(entry);
  IRMapping mapping;
  int64_t offset = 0;
  for (Value value : captured) {
    Value address = addressOf(b, loc, entry->getArgument(0), offset);
    mapping.map(value, LLVM::LoadOp::create(b, loc, value.getType(), address,
                                            /*alignment=*/8));
    offset += slotBytes(value);
  }
  SetVector<Value> outside;
  getUsedValuesDefinedAbove(loop.getBody(), outside);
  for (Value value : outside)
    if (Operation *op = value.getDefiningOp(); isCopied(op))
      mapping.map(value, b.clone(*op)->getResult(0));
  Value one = arith::ConstantIntOp::create(b, loc, 1, 64);
  auto forOp = scf::ForOp::create(b, loc, entry->getArgument(1),
                                  entry->getArgument(2), one);
  Block &body = loop.getBody().front();
  mapping.map(body.getArgument(0), forOp.getInductionVar());
  b.setInsertionPoint(forOp.getBody()->getTerminator());
  for (Operation &op : body)
    b.clone(op, mapping);
  // Scratch memory of constant size: once per call, not per iteration.
  forOp.walk([&](LLVM::AllocaOp scratch) { scratch->moveBefore(forOp); });
  b.setInsertionPointToEnd(entry);
  func::ReturnOp::create(b, loc);
  return function;
}

static std::string textOf(func::FuncOp function) {
  std::string text;
  llvm::raw_string_ostream os(text);
  OpPrintingFlags flags;
  function.getBody().getParentOp()->print(os, flags.useLocalScope());
  // All but the name.
  return text.substr(text.find('('));
}

/// The address of a function as a pointer.
static Value pointerTo(OpBuilder &b, Location loc, func::FuncOp function) {
  Value constant = func::ConstantOp::create(
      b, loc, function.getFunctionType(),
      FlatSymbolRefAttr::get(b.getContext(), function.getName()));
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  return UnrealizedConversionCastOp::create(b, loc, pointer, constant)
      .getResult(0);
}

void OutlineLoopsPass::outline(kernel::ParallelForOp loop, Value frame) {
  Location loc = loop.getLoc();
  SmallVector<Value> captured = capturedValues(loop);
  func::FuncOp body = makeBody(loop, captured);
  auto [found, isNew] = bodies.try_emplace(textOf(body), body);
  if (!isNew) {
    body.erase();
    body = found->second;
  }
  OpBuilder b(loop);
  int64_t offset = 0;
  for (Value value : captured) {
    LLVM::StoreOp::create(b, loc, value, addressOf(b, loc, frame, offset),
                          /*alignment=*/8);
    offset += slotBytes(value);
  }
  Value call = loop->getParentOfType<func::FuncOp>().getArgument(0);
  Type pointer = call.getType(), i64 = b.getI64Type();
  Value parallel = LLVM::LoadOp::create(
      b, loc, pointer, addressOf(b, loc, call, GraphCallLayout::parallel));
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&getContext()),
                                  {pointer, pointer, pointer, i64, i64});
  LLVM::CallOp::create(b, loc, type,
                       ValueRange{parallel, call, pointerTo(b, loc, body),
                                  frame, loop.getCount(), loop.getGrain()});
  loop.erase();
}

/// Memory in the entry's frame for the context of the loop that runs: loops run
/// one after the other.
static Value makeFrame(func::FuncOp entry,
                       ArrayRef<kernel::ParallelForOp> loops) {
  int64_t bytes = 8;
  for (kernel::ParallelForOp loop : loops) {
    int64_t size = 0;
    for (Value value : capturedValues(loop))
      size += slotBytes(value);
    bytes = std::max(bytes, size);
  }
  OpBuilder b = OpBuilder::atBlockBegin(&entry.getBody().front());
  Value size = arith::ConstantIntOp::create(b, entry.getLoc(), bytes, 64);
  return LLVM::AllocaOp::create(b, entry.getLoc(),
                                LLVM::LLVMPointerType::get(b.getContext()),
                                b.getI8Type(), size, /*alignment=*/8);
}

void OutlineLoopsPass::runOnOperation() {
  SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
  for (func::FuncOp function : functions) {
    SmallVector<kernel::ParallelForOp> loops;
    function.walk([&](kernel::ParallelForOp op) { loops.push_back(op); });
    if (loops.empty())
      continue;
    Value frame = makeFrame(function, loops);
    for (kernel::ParallelForOp loop : loops)
      outline(loop, frame);
  }
}

} // namespace llmopt
