//===- GraphBuilder.cpp - Control flow and memory of graph code -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/GraphBuilder.h"
#include "dialects/Kernel/KernelOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Lowering/Graph/CodeScope.h"
#include "target/CallLayout.h"

using namespace mlir;

namespace llmopt::graph {

GraphBuilder::GraphBuilder(Block *entry, Value call, Location loc, Isa isa)
    : b(entry, entry->end()), loc(loc), targetIsa(isa), call(call),
      entry(entry) {
  scopes.emplace_back();
  allocateFunction =
      load(call.getType(), at(call, number(GraphCallLayout::allocate)));
  releaseFunction =
      load(call.getType(), at(call, number(GraphCallLayout::release)));
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

Values GraphBuilder::loop(Value lower, Value upper, Value step,
                          ValueRange inits, LoopBody body) {
  auto loopOp = scf::ForOp::create(
      b, loc, lower, upper, step, inits,
      [&](OpBuilder &, Location, Value index, ValueRange carried) {});
  {
    Block *block = loopOp.getBody();
    if (!block->empty() && block->back().hasTrait<OpTrait::IsTerminator>())
      block->back().erase();
    CodeScope scope(*this, block);
    Values next = body(loopOp.getInductionVar(), loopOp.getRegionIterArgs());
    scf::YieldOp::create(b, loc, next);
  }
  return Values(loopOp.getResults());
}

void GraphBuilder::loop(Value lower, Value upper, Value step,
                        llvm::function_ref<void(Value)> body) {
  loop(lower, upper, step, ValueRange(), [&](Value index, ValueRange) {
    body(index);
    return Values();
  });
}

void GraphBuilder::vectorLoop(Value begin, Value end, bool hasLanes,
                              llvm::function_ref<void(Value, int64_t)> body) {
  if (!hasLanes)
    return loop(begin, end, number(1), [&](Value i) { body(i, 1); });
  Value length = sub(end, begin);
  Value whole = add(begin, mul(div(length, kVectorLanes), kVectorLanes));
  if (!same(whole, begin))
    loop(begin, whole, number(kVectorLanes),
         [&](Value i) { body(i, kVectorLanes); });
  if (!same(whole, end))
    loop(whole, end, number(1), [&](Value i) { body(i, 1); });
}

Values GraphBuilder::ifElse(Value condition, TypeRange types,
                            llvm::function_ref<Values()> yes,
                            llvm::function_ref<Values()> no) {
  if (std::optional<bool> which = knownBool(condition))
    return *which ? yes() : no();
  auto ifOp = scf::IfOp::create(b, loc, types, condition,
                                /*addThenBlock=*/true, /*addElseBlock=*/true);
  auto fill = [&](Block *block, llvm::function_ref<Values()> code) {
    CodeScope scope(*this, block);
    Values results = code();
    scf::YieldOp::create(b, loc, results);
  };
  fill(&ifOp.getThenRegion().front(), yes);
  fill(&ifOp.getElseRegion().front(), no);
  return Values(ifOp.getResults());
}

void GraphBuilder::ifThen(Value condition, llvm::function_ref<void()> body) {
  ifElse(
      condition, {},
      [&] {
        body();
        return Values();
      },
      [] { return Values(); });
}

void GraphBuilder::parallelFor(Value count, Value work,
                               llvm::function_ref<void(Value)> body) {
  assert(!isInParallel() && "loops of several threads do not nest");
  if (isKnown(count, 0))
    return;
  // Handing a loop to other threads takes about as long as 16 K operations.
  constexpr int64_t kWorkOfOneThread = 16384;
  Value grain = max(div(number(kWorkOfOneThread), max(work, 1)), 1);
  auto loopOp = kernel::ParallelForOp::create(b, loc, count, grain);
  Block *block = &loopOp.getBody().emplaceBlock();
  Value index = block->addArgument(b.getI64Type(), loc);
  CodeScope scope(*this, block);
  ++parallelDepth;
  body(index);
  --parallelDepth;
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

/// The address of a text in the library.
Value GraphBuilder::message(const Twine &text) {
  std::string string = text.str();
  auto module = entry->getParentOp()->getParentOfType<ModuleOp>();
  std::string name = "message_" + std::to_string(messages.size());
  auto [found, isNew] = messages.try_emplace(string, name);
  if (isNew) {
    OpBuilder atEnd = OpBuilder::atBlockEnd(module.getBody());
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), string.size() + 1);
    LLVM::GlobalOp::create(
        atEnd, loc, type, /*isConstant=*/true, LLVM::Linkage::Private, name,
        b.getStringAttr(StringRef(string.c_str(), string.size() + 1)));
  }
  return LLVM::AddressOfOp::create(
      b, loc, LLVM::LLVMPointerType::get(b.getContext()), found->second);
}

void GraphBuilder::require(Value condition, const Twine &text) {
  assert(!isInParallel() && "loop bodies note errors, they do not end");
  if (knownBool(condition) == true)
    return;
  // In a branch it fails only if that is taken.
  bool isAlways = knownBool(condition) == false && scopes.size() == 1;
  if (isAlways && !impossible)
    impossible = text.str();
  ifThen(logicalNot(condition), [&] {
    Value fail = load(call.getType(), at(call, number(GraphCallLayout::fail)));
    auto type =
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                    {call.getType(), call.getType()});
    LLVM::CallOp::create(b, loc, type, ValueRange{fail, call, message(text)});
  });
}

void GraphBuilder::noteError(Value condition, const Twine &text) {
  if (knownBool(condition) == false)
    return;
  ifThen(condition, [&] {
    store(message(text), at(call, number(GraphCallLayout::loopError)));
  });
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value GraphBuilder::at(Value pointer, Value byteOffset) {
  if (isKnown(byteOffset, 0))
    return pointer;
  return LLVM::GEPOp::create(b, loc, pointer.getType(), b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{byteOffset});
}

Value GraphBuilder::load(Type type, Value pointer) {
  return LLVM::LoadOp::create(b, loc, type, pointer, /*alignment=*/1);
}

void GraphBuilder::store(Value value, Value pointer) {
  LLVM::StoreOp::create(b, loc, value, pointer, /*alignment=*/1);
}

Value GraphBuilder::allocate(Value bytes) {
  assert(!isInParallel() && "memory is allocated outside of loops");
  Type pointer = call.getType();
  auto type = LLVM::LLVMFunctionType::get(pointer, {pointer, b.getI64Type()});
  return LLVM::CallOp::create(b, loc, type,
                              ValueRange{allocateFunction, call, bytes})
      .getResult();
}

Value GraphBuilder::threads() {
  Value count =
      load(b.getI32Type(), at(call, number(GraphCallLayout::threads)));
  Value wide = arith::ExtUIOp::create(b, loc, b.getI64Type(), count);
  markDimension(wide);
  return wide;
}

void GraphBuilder::release(Value data) {
  Type pointer = call.getType();
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(b.getContext()), {pointer, pointer});
  LLVM::CallOp::create(b, loc, type, ValueRange{releaseFunction, call, data});
}

Value GraphBuilder::scratch(int64_t bytes) {
  assert(isInParallel() && "other code allocates memory");
  // Outlining moves it out of the loop.
  return LLVM::AllocaOp::create(b, loc, call.getType(), b.getI8Type(),
                                number(bytes), /*alignment=*/64);
}

Value GraphBuilder::splat(Value scalar, int64_t lanes) {
  if (lanes == 1)
    return scalar;
  return vector::BroadcastOp::create(
      b, loc, VectorType::get(lanes, scalar.getType()), scalar);
}

} // namespace llmopt::graph
