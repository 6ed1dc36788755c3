//===- SessionSignature.h - What @main's arguments mean ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_SESSIONSIGNATURE_H
#define LLMOPT_PASSES_LOWERING_SESSIONSIGNATURE_H

#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

namespace llmopt {

/// The functional entry of a decoder, with every argument and result explained.
struct SessionSignature {
  mlir::func::FuncOp main;
  mlir::Value tokens;    ///< argument, [batch, sequence]
  mlir::Value mask;      ///< argument, or null
  mlir::Value positions; ///< argument, or null
  mlir::Value logits;    ///< returned value, [batch, sequence, vocabulary]
  /// Layer of every attention, 0..layers-1, each once.
  llvm::DenseMap<mlir::Operation *, int64_t> layers;
  DecoderAttr decoder;

  /// Explains `main`; emits a diagnostic and fails when it is no decoder whose
  /// masks and past can become state.
  static mlir::FailureOr<SessionSignature> analyze(mlir::func::FuncOp main,
                                                   KVFormat kv);

  /// The name of an argument in the ONNX signature, for diagnostics and
  /// descriptors.
  static std::string argumentName(mlir::func::FuncOp main, unsigned index);
};

} // namespace llmopt

#endif // LLMOPT_PASSES_LOWERING_SESSIONSIGNATURE_H
