//===- CodeGen.h - From MLIR to LLVM IR, assembly and objects ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_COMPILER_CODEGEN_H
#define LLMOPT_COMPILER_CODEGEN_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "target/Isa.h"
#include "llvm/IR/Module.h"

namespace llmopt {

/// Registers the dialects of lowered code (func, scf, cf, arith, math, vector,
/// llvm) with what the pipeline below and the translation to LLVM IR need.
void registerCodeGenDialects(mlir::DialectRegistry &registry);

/// Adds the passes that turn a module of func, scf, arith, math, vector and
/// llvm ops into one of the llvm dialect alone.
void buildLowerToLLVMPipeline(mlir::OpPassManager &manager);

/// How one variant of a model is compiled.
struct CodeGenOptions {
  CpuTarget target;
  std::string symbolSuffix; ///< appended to the names of its exported functions
};

/// Translates a module of the llvm dialect and optimises it (O2) for the
/// target. Reports a failure as a diagnostic at the module.
std::unique_ptr<llvm::Module> generateLLVM(mlir::ModuleOp module,
                                           llvm::LLVMContext &context,
                                           const CodeGenOptions &options);

/// Gives a module, empty yet, the triple and the data layout of the target.
/// Returns false and sets `error` if the target cannot be initialised.
bool prepareModule(llvm::Module &module, const CpuTarget &target,
                   std::string &error);

/// Writes the machine code of a module made by generateLLVM or prepareModule,
/// which is consumed.
/// Returns false and sets `error` if the target cannot be initialised.
bool emitObject(llvm::Module &module, const CpuTarget &target,
                llvm::SmallVectorImpl<char> &object, std::string &error);

/// The same as assembly text in Intel syntax.
bool emitAssembly(llvm::Module &module, const CpuTarget &target,
                  llvm::SmallVectorImpl<char> &text, std::string &error);

} // namespace llmopt

#endif // LLMOPT_COMPILER_CODEGEN_H
