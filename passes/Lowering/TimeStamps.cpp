//===- TimeStamps.cpp - Counts what kernels take ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/TimeStamps.h"

#include "target/CallLayout.h"

using namespace llmopt;
using namespace mlir;
using Layout = KernelCounterLayout;

TimeStamps::TimeStamps(KernelBuilder &k, const CallFrame &frame,
                       int64_t classes)
    : counters(k.at(k.load(k.ptrType(), frame.call, CallLayout::counters),
                    k.mul(frame.thread, classes * Layout::bytes))),
      last(k.timeStamp()) {}

static void increase(KernelBuilder &k, Value counter, Value amount) {
  k.store(k.add(k.load(k.i64Type(), counter), amount), counter);
}

void TimeStamps::record(KernelBuilder &k, int64_t index) {
  if (!counters)
    return;
  Value now = k.timeStamp();
  Value counter = k.at(counters, index * Layout::bytes);
  increase(k, k.at(counter, Layout::calls), k.size(1));
  increase(k, k.at(counter, Layout::ticks), k.sub(now, last));
  last = now;
}
