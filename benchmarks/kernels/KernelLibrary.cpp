//===- KernelLibrary.cpp - The kernels of Kernels.inc, compiled and loaded ===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "benchmarks/kernels/KernelLibrary.h"
#include "compiler/CodeGen.h"
#include "compiler/Link.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <dlfcn.h>

using namespace mlir;

namespace llmopt {

namespace {
/// The kinds of codes in the list of kernels.
enum class GroupKind { Plain, ZeroPoints, Table };
} // namespace

std::vector<LinearKernelKey> linearKernels(Isa isa) {
  return {
#define LINEAR_KERNEL(layout, group, rows, epilogue)                           \
  LinearKernelKey{PackedLayout::layout, group, RowRange::rows,                 \
                  Epilogue::epilogue, isa},
#define GROUP_KERNEL(layout, weightGroup, scales, kind, group, rows, epilogue) \
  LinearKernelKey{PackedFormat(PackedLayout::layout, weightGroup,              \
                               ScaleType::scales,                              \
                               GroupKind::kind == GroupKind::ZeroPoints,       \
                               GroupKind::kind == GroupKind::Table),           \
                  group, RowRange::rows, Epilogue::epilogue, isa},
#include "passes/Lowering/Kernels/Kernels.inc"
  };
}

std::vector<LinearKernelKey> gatedKernels(Isa isa) {
  auto formatOf = [](PackedLayout layout, int64_t group) {
    return group ? PackedFormat(layout, group, ScaleType::F16)
                 : PackedFormat(layout);
  };
  return {
#define GATED_KERNEL(layout, weightGroup, group, rows, outputGroup)            \
  LinearKernelKey{formatOf(PackedLayout::layout, weightGroup),                 \
                  group,                                                       \
                  RowRange::rows,                                              \
                  Epilogue::SiluMulQuantize,                                   \
                  isa,                                                         \
                  outputGroup},
#include "passes/Lowering/Kernels/Kernels.inc"
  };
}

std::vector<RowKernelKey> rowKernels(Isa isa) {
  return {
#define ROW_KERNEL(kernel, group, layout)                                      \
  RowKernelKey{RowKernel::kernel, group, PackedLayout::layout, isa},
#define GROUP_EMBEDDING(layout, weightGroup, scales, kind)                     \
  RowKernelKey{RowKernel::Embedding, 0,                                        \
               PackedFormat(PackedLayout::layout, weightGroup,                 \
                            ScaleType::scales,                                 \
                            GroupKind::kind == GroupKind::ZeroPoints,          \
                            GroupKind::kind == GroupKind::Table),              \
               isa},
#include "passes/Lowering/Kernels/Kernels.inc"
  };
}

AttentionKernelKey partsKernel(AttentionKernelKey key) {
  key.kernel = AttentionKernel::AttentionParts;
  key.parts = attentionParts(key.kvHeads);
  return key;
}

AttentionKernelKey mergeKernel(AttentionKernelKey key) {
  key.kernel = AttentionKernel::MergeParts;
  key.parts = attentionParts(key.kvHeads);
  key.scale = 1;
  key.softcap = 0;
  key.kv = LLMOPT_KV_F32;
  return key;
}

std::vector<AttentionKernelKey> attentionKernels(Isa isa) {
  std::vector<AttentionKernelKey> keys;
#define ATTENTION_KERNEL(heads, kvHeads, headDim, kv, window, softcap)         \
  keys.push_back({AttentionKernel::RopeAppend, heads, kvHeads, headDim, 1.0f,  \
                  isa, LLMOPT_KV_##kv});                                       \
  keys.push_back({AttentionKernel::Attention, heads, kvHeads, headDim,         \
                  1 / std::sqrt(headDim * 1.0f), isa, LLMOPT_KV_##kv, window,  \
                  softcap});                                                   \
  keys.push_back(partsKernel(keys.back()));                                    \
  keys.push_back(mergeKernel(keys.back()));
#include "passes/Lowering/Kernels/Kernels.inc"
  return keys;
}

void exportFunction(func::FuncOp function) {
  function.setPublic();
  function->removeAttr("llvm.linkage");
}

namespace {

/// Compiles the module to an object; empty on failure.
SmallVector<char, 0> compile(ModuleOp module, const CpuTarget &target) {
  SmallVector<char, 0> object;
  PassManager manager(module.getContext());
  buildLowerToLLVMPipeline(manager);
  if (failed(manager.run(module)))
    return object;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule =
      generateLLVM(module, context, {target, ""});
  std::string error;
  if (llvmModule && !emitObject(*llvmModule, target, object, error))
    llvm::errs() << "error: " << error << "\n";
  return object;
}

} // namespace

std::unique_ptr<KernelLibrary> KernelLibrary::build(const CpuTarget &target) {
  return build(target, [&](ModuleOp module) {
    for (const LinearKernelKey &key : linearKernels(target.isa))
      exportFunction(getOrCreateKernel(module, key));
    for (const LinearKernelKey &key : gatedKernels(target.isa))
      exportFunction(getOrCreateKernel(module, key));
    for (const RowKernelKey &key : rowKernels(target.isa))
      exportFunction(getOrCreateKernel(module, key));
    for (const AttentionKernelKey &key : attentionKernels(target.isa))
      exportFunction(getOrCreateKernel(module, key));
  });
}

std::unique_ptr<KernelLibrary>
KernelLibrary::build(const CpuTarget &target,
                     function_ref<void(ModuleOp)> populate) {
  DialectRegistry registry;
  registerCodeGenDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  populate(*module);
  SmallVector<char, 0> object = compile(*module, target);
  if (object.empty())
    return nullptr;

  SmallString<128> path;
  std::string error;
  if (std::error_code code =
          llvm::sys::fs::createTemporaryFile("llmopt-kernels", "so", path)) {
    llvm::errs() << "error: " << code.message() << "\n";
    return nullptr;
  }
  void *handle = nullptr;
  if (!linkSharedLibrary(StringRef(object.data(), object.size()), path, error))
    llvm::errs() << "error: " << error << "\n";
  else if (!(handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)))
    llvm::errs() << "error: " << dlerror() << "\n";
  llvm::sys::fs::remove(path);
  if (!handle)
    return nullptr;
  return std::unique_ptr<KernelLibrary>(new KernelLibrary(handle));
}

KernelLibrary::~KernelLibrary() { dlclose(handle); }

void *KernelLibrary::symbol(const std::string &name) const {
  return dlsym(handle, name.c_str());
}

} // namespace llmopt
