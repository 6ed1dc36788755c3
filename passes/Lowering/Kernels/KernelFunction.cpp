//===- KernelFunction.cpp - Creation of kernel functions --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Kernels/KernelFunction.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace llmopt {

func::FuncOp
getOrCreateFunction(ModuleOp module, StringRef name, Signature signature,
                    Isa isa,
                    function_ref<void(KernelBuilder &, ValueRange)> emit) {
  if (auto existing = module.lookupSymbol<func::FuncOp>(name))
    return existing;

  MLIRContext *context = module.getContext();
  OpBuilder b(context);
  SmallVector<Type> types;
  for (char letter : signature) {
    if (letter == 'p')
      types.push_back(LLVM::LLVMPointerType::get(context));
    else
      types.push_back(letter == 'f' ? Type(b.getF32Type()) : b.getI64Type());
  }
  Location loc = NameLoc::get(b.getStringAttr(name));
  b.setInsertionPointToEnd(module.getBody());
  auto function =
      func::FuncOp::create(b, loc, name, b.getFunctionType(types, {}));
  function.setPrivate();
  function->setAttr("llvm.linkage",
                    LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal));
  function->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  KernelBuilder k(b, loc, isa);
  emit(k, entry->getArguments());
  func::ReturnOp::create(b, loc);
  return function;
}

} // namespace llmopt
