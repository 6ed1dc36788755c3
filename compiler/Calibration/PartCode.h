//===- PartCode.h - Code of a part of a model, in this process --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CALIBRATION_PARTCODE_H
#define LLMOPT_COMPILER_CALIBRATION_PARTCODE_H

#include "mlir/IR/BuiltinOps.h"
#include "runtime/include/llmopt/ModelABI.h"
#include "target/Isa.h"
#include "llvm/ADT/StringMap.h"

namespace llvm::orc {
class LLJIT;
}

namespace llmopt {

/// Loaded code of a module in the kernel dialect.
struct PartCode {
  llmopt_entry entry = nullptr;
  uint64_t arenaBytesPerRow = 0;
  uint64_t scratchBytes = 0; ///< per thread
  /// Places of the buffers of `kernel.keep` in the arena, per row of capacity.
  std::vector<int64_t> inputs, outputs;
};

/// Generates code for this machine and loads it. Modules that differ only in
/// their weights get the same code.
class PartCompiler {
public:
  PartCompiler();
  ~PartCompiler();

  /// Code for @forward of `module`, planned or not. On failure emits an error.
  /// The result is valid as long as this object.
  mlir::FailureOr<const PartCode *> compile(mlir::ModuleOp module);

  /// Number of different codes.
  size_t size() const { return codes.size(); }

private:
  mlir::FailureOr<PartCode> generate(mlir::ModuleOp module);
  mlir::LogicalResult prepare(mlir::ModuleOp module);

  std::optional<CpuTarget> target;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  llvm::StringMap<PartCode> codes; ///< by the text of @forward
};

} // namespace llmopt

#endif // LLMOPT_COMPILER_CALIBRATION_PARTCODE_H
