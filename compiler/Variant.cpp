//===- Variant.cpp - Code of a model for one CPU ----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Variant.h"
#include "compiler/CodeGen.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Lowering/KernelClasses.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/Pipelines.h"

using namespace llmopt;
using namespace mlir;
using Emit = CompileOptions::Emit;

/// Name of the entry before the suffix of the variant.
static constexpr llvm::StringLiteral kEntryName = "forward";

static LogicalResult expand(ModuleOp module, Isa isa, bool isGraph,
                            bool profile) {
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  ExpandOptions options;
  options.isa = isa;
  options.profile = profile;
  if (isGraph)
    populateExpandGraphPipeline(manager, options);
  else
    populateExpandPipeline(manager, options);
  return manager.run(module);
}

static LogicalResult lower(ModuleOp module) {
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  buildLowerToLLVMPipeline(manager);
  return manager.run(module);
}

/// Takes the sizes of the memory that the entry needs from its attributes.
static LogicalResult readSizes(ModuleOp module,
                               DescriptorContents::Variant &entry) {
  auto forward = module.lookupSymbol<func::FuncOp>(kEntryName);
  if (!forward)
    return module.emitError("no entry '") << kEntryName << "' after expansion";
  auto arena = forward->getAttrOfType<IntegerAttr>(kArenaBytesPerRowAttrName);
  auto scratch = forward->getAttrOfType<IntegerAttr>(kScratchBytesAttrName);
  if (!arena || !scratch)
    return forward.emitError("the entry does not say what memory it needs");
  entry.arenaBytesPerRow = arena.getInt();
  entry.scratchBytes = scratch.getInt();
  for (const KernelClass &kernel : readKernelClasses(forward))
    entry.kernels.push_back({kernel.label, kernel.calls, kernel.flags,
                             kernel.weightBytes, kernel.rowOperations,
                             kernel.keyCacheBytes});
  return success();
}

/// The types of a graph's outputs, which are known when its code is.
static LogicalResult readOutputTypes(ModuleOp module,
                                     std::vector<RankedTensorType> &types) {
  auto entry = module.lookupSymbol<func::FuncOp>(kGraphEntryName);
  if (!entry)
    return module.emitError("no entry '")
           << kGraphEntryName << "' after expansion";
  for (Attribute type : entry->getAttrOfType<ArrayAttr>(kOutputTypesAttrName))
    types.push_back(cast<RankedTensorType>(cast<TypeAttr>(type).getValue()));
  return success();
}

bool llmopt::isGraphModel(ModuleOp module) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  return main && main->hasAttr(kGraphReasonAttrName);
}

/// Writes the module as `emit` asks.
static LogicalResult emitCode(llvm::Module &code, const CpuTarget &target,
                              Emit emit, SmallVectorImpl<char> &output,
                              std::string &error) {
  switch (emit) {
  case Emit::LLVM: {
    llvm::raw_svector_ostream os(output);
    code.print(os, nullptr);
    return success();
  }
  case Emit::Assembly:
    return success(emitAssembly(code, target, output, error));
  default:
    return success(emitObject(code, target, output, error));
  }
}

FailureOr<CompiledVariant> llmopt::compileVariant(ModuleOp module,
                                                  const CpuTarget &target,
                                                  unsigned index, Emit emit,
                                                  bool profile) {
  CompiledVariant variant;
  std::string suffix = "_" + std::to_string(index);
  variant.entry.cpu = target.name;
  variant.entry.isa = stringify(target.isa).str();
  variant.entry.features = target.features;
  bool isGraph = isGraphModel(module);
  if (isGraph && profile)
    return module.emitError("'-profile' is for decoders, and the model is a "
                            "graph; leave it out");
  variant.entry.hasTimeStamps = profile;
  variant.entry.symbol =
      (isGraph ? kGraphEntryName : kEntryName).str() + suffix;

  OwningOpRef<ModuleOp> copy = module.clone();
  if (failed(expand(*copy, target.isa, isGraph, profile)) ||
      failed(isGraph ? readOutputTypes(*copy, variant.outputTypes)
                     : readSizes(*copy, variant.entry)) ||
      failed(lower(*copy)))
    return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code =
      generateLLVM(*copy, context, {target, suffix});
  if (!code)
    return failure();
  std::string error;
  if (failed(emitCode(*code, target, emit, variant.code, error)))
    return module.emitError("cannot generate code for '")
           << target.name << "': " << error;
  return variant;
}
