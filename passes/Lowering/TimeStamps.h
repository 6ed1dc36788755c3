//===- TimeStamps.h - Counts what kernels take ------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_TIMESTAMPS_H
#define LLMOPT_PASSES_LOWERING_TIMESTAMPS_H

#include "passes/Lowering/CallFrame.h"

namespace llmopt {

/// Emits code that adds the time since the stamp before to the counter of a
/// kernel class, of the thread that executes it.
class TimeStamps {
public:
  TimeStamps() = default; ///< emits nothing
  /// Takes the first stamp. A thread has counters for `classes` classes.
  TimeStamps(KernelBuilder &k, const CallFrame &frame, int64_t classes);

  /// Counts one kernel of class `index`, which has just been executed.
  void record(KernelBuilder &k, int64_t index);

private:
  mlir::Value counters; ///< of the thread
  mlir::Value last;     ///< stamp
};

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_TIMESTAMPS_H
