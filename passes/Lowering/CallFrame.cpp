//===- CallFrame.cpp - What generated code knows of its call ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/CallFrame.h"
#include "target/CallLayout.h"

using namespace llmopt;
using namespace mlir;

CallFrame CallFrame::load(KernelBuilder &k, Value call, Value thread32,
                          int64_t scratchBytes) {
  auto pointer = [&](int64_t offset) {
    return k.load(k.ptrType(), call, offset);
  };
  auto count = [&](int64_t offset) {
    return k.zeroExtend(k.load(k.i32Type(), call, offset), k.i64Type());
  };
  CallFrame frame;
  frame.call = call;
  frame.thread32 = thread32;
  frame.thread = k.zeroExtend(thread32, k.i64Type());
  frame.threads = count(CallLayout::threads);
  frame.rows = count(CallLayout::rows);
  frame.logitRows = count(CallLayout::logitRows);
  frame.capacity = count(CallLayout::capacity);
  frame.tokens = pointer(CallLayout::tokens);
  frame.logitRowIndex = pointer(CallLayout::logitRowIndex);
  frame.logits = pointer(CallLayout::logits);
  frame.arena = pointer(CallLayout::arena);
  frame.weights = pointer(CallLayout::weights);
  frame.scratch =
      k.at(pointer(CallLayout::scratch), k.mul(frame.thread, scratchBytes));
  frame.barrier = pointer(CallLayout::barrier);
  return frame;
}
