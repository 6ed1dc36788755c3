//===- PartCode.cpp - Code of a part of a model, in this process *- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Calibration/PartCode.h"
#include "compiler/Variant.h"
#include "dialects/Kernel/KernelOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/Passes.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

using namespace llmopt;
using namespace mlir;

PartCompiler::PartCompiler() = default;

PartCompiler::~PartCompiler() = default;

/// Finds out what to generate code for, and makes the loader.
LogicalResult PartCompiler::prepare(ModuleOp module) {
  if (jit)
    return success();
  std::string error;
  target = resolveCpu("native", error);
  if (!target)
    return module.emitError("calibration cannot execute code on this machine: ")
           << error;
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto created = llvm::orc::LLJITBuilder().create();
  if (!created)
    return module.emitError("calibration cannot load code: ")
           << llvm::toString(created.takeError());
  jit = std::move(*created);
  return success();
}

/// What code depends on: the function, and where its weights lie.
static std::string keyOf(ModuleOp module) {
  std::string key;
  llvm::raw_string_ostream os(key);
  module.walk([&](Operation *op) {
    if (auto data = dyn_cast<kernel::WeightDataOp>(op))
      os << data.getType() << '@' << data.getOffset() << '\n';
    else if (auto function = dyn_cast<func::FuncOp>(op))
      os << function << '\n';
  });
  return key;
}

/// The places of the buffers of a `kernel.keep`.
static std::vector<int64_t> placesOf(func::FuncOp forward,
                                     kernel::KeepMoment moment) {
  std::vector<int64_t> places;
  for (auto keep : forward.getOps<kernel::KeepOp>())
    if (keep.getMoment() == moment)
      for (Value buffer : keep.getBuffers())
        places.push_back(*buffer.getDefiningOp<kernel::BufferOp>().getOffset());
  return places;
}

static LogicalResult plan(ModuleOp module) {
  auto forward = module.lookupSymbol<func::FuncOp>(kernel::kForwardName);
  if (forward->hasAttr(kArenaBytesPerRowAttrName))
    return success();
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  manager.addNestedPass<func::FuncOp>(createPlanMemory());
  manager.addNestedPass<func::FuncOp>(createInsertBarriers());
  manager.addNestedPass<func::FuncOp>(createVerifyBarriers());
  return manager.run(module);
}

FailureOr<PartCode> PartCompiler::generate(ModuleOp module) {
  OwningOpRef<ModuleOp> copy = module.clone();
  if (failed(plan(*copy)))
    return failure();
  PartCode code;
  auto forward = copy->lookupSymbol<func::FuncOp>(kernel::kForwardName);
  code.inputs = placesOf(forward, kernel::KeepMoment::In);
  code.outputs = placesOf(forward, kernel::KeepMoment::Out);
  FailureOr<CompiledVariant> variant =
      compileVariant(*copy, *target, codes.size(), CompileOptions::Emit::Object,
                     /*profile=*/false);
  if (failed(variant))
    return failure();
  code.arenaBytesPerRow = variant->entry.arenaBytesPerRow;
  code.scratchBytes = variant->entry.scratchBytes;
  auto object = llvm::MemoryBuffer::getMemBufferCopy(
      StringRef(variant->code.data(), variant->code.size()),
      variant->entry.symbol);
  auto fail = [&](llvm::Error error) {
    return module.emitError("calibration cannot load code: ")
           << llvm::toString(std::move(error));
  };
  // Private functions of different objects have equal names.
  auto library = jit->createJITDylib(variant->entry.symbol);
  if (!library)
    return fail(library.takeError());
  if (llvm::Error error = jit->addObjectFile(*library, std::move(object)))
    return fail(std::move(error));
  auto address = jit->lookup(*library, variant->entry.symbol);
  if (!address)
    return fail(address.takeError());
  code.entry = address->toPtr<llmopt_entry>();
  return code;
}

FailureOr<const PartCode *> PartCompiler::compile(ModuleOp module) {
  if (failed(prepare(module)))
    return failure();
  auto [entry, isNew] = codes.try_emplace(keyOf(module));
  if (isNew) {
    FailureOr<PartCode> code = generate(module);
    if (failed(code)) {
      codes.erase(entry);
      return failure();
    }
    entry->second = std::move(*code);
  }
  return &entry->second;
}
