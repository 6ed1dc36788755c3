//===- CallFrame.h - What generated code knows of its call ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_CALLFRAME_H
#define LLMOPT_PASSES_LOWERING_CALLFRAME_H

#include "passes/Lowering/Kernels/KernelBuilder.h"

namespace llmopt {

/// The fields of llmopt_call as values; sizes are i64.
struct CallFrame {
  mlir::Value call;     ///< llmopt_call *
  mlir::Value thread32; ///< as the entry received it
  mlir::Value thread, threads;
  mlir::Value rows, logitRows, capacity;
  mlir::Value tokens, logitRowIndex, logits;
  mlir::Value arena, weights;
  mlir::Value scratch; ///< of this thread
  mlir::Value barrier; ///< void (*)(llmopt_call *, uint32_t thread)

  /// Loads all fields. `scratchBytes` is what every thread has.
  static CallFrame load(KernelBuilder &k, mlir::Value call,
                        mlir::Value thread32, int64_t scratchBytes);
};

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_CALLFRAME_H
