//===- AssemblyTest.cpp - Instructions of the inner loops -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernels are as fast as their inner loops: these tests look at the
// assembly for the instructions that the loops are made of, and for registers
// that were spilled.
//
//===----------------------------------------------------------------------===//

#include "KernelTest.h"
#include "compiler/CodeGen.h"
#include "llvm/ADT/StringExtras.h"

using namespace llmopt;
using namespace mlir;

namespace {

/// Assembly of all functions that `populate` puts into a module.
std::string assemblyOf(const CpuTarget &target,
                       llvm::function_ref<void(ModuleOp)> populate) {
  DialectRegistry registry;
  registerCodeGenDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  populate(*module);
  PassManager manager(&context);
  buildLowerToLLVMPipeline(manager);
  EXPECT_TRUE(succeeded(manager.run(*module)));
  llvm::LLVMContext llvmContext;
  auto llvmModule = generateLLVM(*module, llvmContext, {target, ""});
  EXPECT_NE(llvmModule, nullptr);
  llvm::SmallVector<char, 0> text;
  std::string error;
  EXPECT_TRUE(emitAssembly(*llvmModule, target, text, error)) << error;
  return std::string(text.data(), text.size());
}

std::string assemblyOf(const LinearKernelKey &key) {
  return assemblyOf(testTarget(key.isa), [&](ModuleOp module) {
    exportFunction(getOrCreateKernel(module, key));
  });
}

int64_t occurrences(StringRef text, StringRef part) { return text.count(part); }

/// The loop without inner branches of function `name` that has the most
/// occurrences of `instruction`.
StringRef innerLoop(StringRef assembly, StringRef name, StringRef instruction) {
  StringRef function = assembly.split(("\n" + name + ":").str())
                           .second.split(".Lfunc_end")
                           .first;
  EXPECT_FALSE(function.empty()) << "no function " << name.str();
  StringRef best;
  while (!function.empty()) {
    auto [block, rest] = function.split("\n.L");
    function = rest;
    // The jump back ends a line, or the piece.
    std::string target = (".L" + block.split(':').first).str();
    size_t jump =
        block.ends_with(target) ? block.size() : block.rfind(target + "\n");
    if (jump == StringRef::npos)
      continue;
    StringRef loop = block.take_front(jump);
    if (occurrences(loop, instruction) > occurrences(best, instruction))
      best = loop;
  }
  EXPECT_FALSE(best.empty()) << "no loop with " << instruction.str();
  return best;
}

LinearKernelKey avx512(PackedLayout layout, int64_t group, RowRange rows) {
  return {layout, group, rows, Epilogue::Store, Isa::Avx512Vnni};
}

TEST(Assembly, DenseDecodeMultipliesFromMemory) {
  LinearKernelKey key = avx512(PackedLayout::Int8, 64, RowRange::Decode);
  std::string assembly = assemblyOf(key);
  StringRef loop = innerLoop(assembly, kernelName(key), "vpdpbusd");
  EXPECT_EQ(occurrences(loop, "vpdpbusd"), 8) << loop.str();
  // Activations come as a broadcast operand, weights by one load each.
  EXPECT_EQ(occurrences(loop, "{1to16}"), 8) << loop.str();
  EXPECT_EQ(occurrences(loop, "rsp"), 0) << loop.str();
}

TEST(Assembly, BitmaskDecodeExpandsIntoRegisters) {
  LinearKernelKey key = avx512(PackedLayout::Int8Bitmask, 64, RowRange::Decode);
  std::string assembly = assemblyOf(key);
  StringRef loop = innerLoop(assembly, kernelName(key), "vpexpandb");
  EXPECT_EQ(occurrences(loop, "vpexpandb"), 8) << loop.str();
  EXPECT_EQ(occurrences(loop, "vpdpbusd"), 8) << loop.str();
  EXPECT_EQ(occurrences(loop, "popcnt"), 8) << loop.str();
  // Merged into a copy of the constant: no zeroing, which has a false
  // dependency.
  EXPECT_EQ(occurrences(loop, "{z}"), 0) << loop.str();
  EXPECT_EQ(occurrences(loop, "rsp"), 0) << loop.str();
}

TEST(Assembly, Int8TileKeepsItsAccumulators) {
  LinearKernelKey key = avx512(PackedLayout::Int8, 64, RowRange::Prefill);
  std::string assembly = assemblyOf(key);
  StringRef loop =
      innerLoop(assembly, "tile_int8_g64_6x2_store_avx512vnni", "vpdpbusd");
  EXPECT_EQ(occurrences(loop, "vpdpbusd"), 8 * 12) << loop.str();
  EXPECT_EQ(occurrences(loop, "rsp"), 0) << loop.str();
}

TEST(Assembly, F32TileKeepsItsAccumulators) {
  LinearKernelKey key = avx512(PackedLayout::F32, 0, RowRange::Prefill);
  std::string assembly = assemblyOf(key);
  StringRef loop =
      innerLoop(assembly, "tile_f32_6x4_store_avx512vnni", "vfmadd");
  EXPECT_EQ(occurrences(loop, "vfmadd"), 24) << loop.str();
  EXPECT_EQ(occurrences(loop, "rsp"), 0) << loop.str();
}

TEST(Assembly, BitmaskPrefillExpandsOncePerStrip) {
  LinearKernelKey key =
      avx512(PackedLayout::Int8Bitmask, 64, RowRange::Prefill);
  std::string assembly = assemblyOf(key);
  StringRef loop = innerLoop(assembly, kernelName(key), "vpexpandb");
  EXPECT_EQ(occurrences(loop, "vpexpandb"), 8) << loop.str();
  EXPECT_EQ(occurrences(loop, "vpdpbusd"), 0) << loop.str();
}

TEST(Assembly, AttentionTilesKeepTheirAccumulators) {
  AttentionKernelKey key{AttentionKernel::Attention,
                         9,
                         3,
                         64,
                         /*scale=*/0.125f,
                         Isa::Avx512Vnni};
  std::string assembly = assemblyOf(testTarget(key.isa), [&](ModuleOp module) {
    exportFunction(getOrCreateKernel(module, key));
  });
  for (const char *name : {"attention_weights_f32_d64_r6_avx512vnni",
                           "attention_values_f32_d64_r6_avx512vnni"}) {
    StringRef loop = innerLoop(assembly, name, "vfmadd");
    EXPECT_EQ(occurrences(loop, "vfmadd"), 24) << loop.str();
    EXPECT_EQ(occurrences(loop, "rsp"), 0) << loop.str();
  }
}

/// CPUs for which LLVM prefers vectors of 256 bits still get the kernels as
/// written.
TEST(Assembly, TuningDoesNotNarrowVectors) {
  std::string error;
  for (const char *name : {"icelake-server", "sapphirerapids"}) {
    auto target = resolveCpu(name, error);
    ASSERT_TRUE(target) << error;
    LinearKernelKey key = avx512(PackedLayout::Int8, 64, RowRange::Decode);
    std::string assembly = assemblyOf(*target, [&](ModuleOp module) {
      exportFunction(getOrCreateKernel(module, key));
    });
    StringRef loop = innerLoop(assembly, kernelName(key), "vpdpbusd");
    EXPECT_EQ(occurrences(loop, "vpdpbusd\tzmm"), 8) << loop.str();
  }
}

TEST(Assembly, Avx2UsesNothingBeyondItsInstructionSet) {
  std::string assembly = assemblyOf(testTarget(Isa::Avx2), [](ModuleOp module) {
    for (const LinearKernelKey &key : linearKernels(Isa::Avx2))
      exportFunction(getOrCreateKernel(module, key));
  });
  EXPECT_EQ(occurrences(assembly, "zmm"), 0);
  EXPECT_EQ(occurrences(assembly, "{k1}"), 0);
  StringRef loop =
      innerLoop(assembly, "tile_int8_g64_4x1_store_avx2", "vpmaddubsw");
  EXPECT_GE(occurrences(loop, "vpsignb"), 64) << loop.str();
  StringRef f32 = innerLoop(assembly, "tile_f32_6x1_store_avx2", "vfmadd");
  EXPECT_EQ(occurrences(f32, "rsp"), 0) << f32.str();
}

} // namespace
