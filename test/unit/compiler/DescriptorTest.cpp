//===- DescriptorTest.cpp - The tables as the runtime sees them -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Descriptor.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"
#include "gtest/gtest.h"

using namespace llmopt;

namespace {

DescriptorContents makeContents() {
  DescriptorContents contents;
  for (auto [index, byte] : llvm::enumerate(contents.buildId))
    byte = index + 1;
  contents.producer = "llmopt test";
  contents.modelName = "tiny";
  contents.weightsBytes = 4096;
  contents.parameters = 1000;
  contents.layers = 2;
  contents.heads = 9;
  contents.kvHeads = 3;
  contents.headDim = 64;
  contents.vocabulary = 49152;
  contents.maxPositions = 8192;
  contents.maxSequence = 4096;
  contents.maxBatch = 8;
  contents.padding = LLMOPT_PADDING_LEFT;
  contents.inputs = {
      {"input_ids", LLMOPT_I64, LLMOPT_ROLE_TOKENS, 0, {-1, -1}},
      {"past.1.key", LLMOPT_F32, LLMOPT_ROLE_KEY, 1, {-1, 3, -1, 64}}};
  contents.outputs = {
      {"logits", LLMOPT_F32, LLMOPT_ROLE_LOGITS, 0, {-1, -1, 49152}}};
  contents.weights = {
      {"gate", "int8", 1536, 576, 64, 900, 17, 0x123456789abcdef0},
      {"norm", "raw", 1, 576, 1024, 2304, 0, 1}};
  contents.variants = {
      {"znver4",
       "avx512vnni",
       31,
       9600,
       1 << 16,
       "entry0",
       true,
       {{"attention 9x64", 30, LLMOPT_KERNEL_ONE_ROW, 1, 2, 46080},
        {"linear add", 29, 0, 27000000, 54000000, 0}}},
      {"x86-64-v3", "avx2", 1, 9664, 1 << 17, "entry1", false, {}}};
  contents.report = "{\"a\": 1}";
  return contents;
}

void entry0(llmopt_call *, uint32_t) {}
void entry1(llmopt_call *, uint32_t) {}

/// Loads the tables of `contents` and keeps them alive.
class LoadedDescriptor {
public:
  explicit LoadedDescriptor(const DescriptorContents &contents) {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    jit = llvm::cantFail(llvm::orc::LLJITBuilder().create());
    auto context = std::make_unique<llvm::LLVMContext>();
    auto module = std::make_unique<llvm::Module>("descriptor", *context);
    module->setDataLayout(jit->getDataLayout());
    buildDescriptor(*module, contents);
    llvm::orc::SymbolMap entries;
    auto define = [&](const char *name, llmopt_entry entry) {
      entries[jit->mangleAndIntern(name)] = {
          llvm::orc::ExecutorAddr::fromPtr(entry),
          llvm::JITSymbolFlags::Exported};
    };
    define("entry0", entry0);
    define("entry1", entry1);
    llvm::cantFail(
        jit->getMainJITDylib().define(llvm::orc::absoluteSymbols(entries)));
    llvm::cantFail(jit->addIRModule(
        llvm::orc::ThreadSafeModule(std::move(module), std::move(context))));
    descriptor = llvm::cantFail(jit->lookup(LLMOPT_DESCRIPTOR_SYMBOL))
                     .toPtr<const llmopt_model_descriptor *>();
  }

  const llmopt_model_descriptor *operator->() const { return descriptor; }

private:
  std::unique_ptr<llvm::orc::LLJIT> jit;
  const llmopt_model_descriptor *descriptor;
};

TEST(Descriptor, HeaderReadsWhatWasWritten) {
  DescriptorContents contents = makeContents();
  LoadedDescriptor loaded(contents);
  EXPECT_EQ(loaded->abi_version, uint32_t(LLMOPT_ABI_VERSION));
  EXPECT_EQ(loaded->struct_bytes, sizeof(llmopt_model_descriptor));
  EXPECT_EQ(memcmp(loaded->build_id, contents.buildId.data(),
                   sizeof(loaded->build_id)),
            0);
  EXPECT_STREQ(loaded->producer, "llmopt test");
  EXPECT_STREQ(loaded->model_name, "tiny");
  EXPECT_EQ(loaded->weights_bytes, 4096u);
  EXPECT_EQ(loaded->parameters, 1000u);
  EXPECT_EQ(loaded->layers, 2u);
  EXPECT_EQ(loaded->heads, 9u);
  EXPECT_EQ(loaded->kv_heads, 3u);
  EXPECT_EQ(loaded->head_dim, 64u);
  EXPECT_EQ(loaded->vocabulary, 49152u);
  EXPECT_EQ(loaded->max_positions, 8192u);
  EXPECT_EQ(loaded->max_sequence, 4096u);
  EXPECT_EQ(loaded->max_batch, 8u);
  EXPECT_EQ(loaded->padding, LLMOPT_PADDING_LEFT);
  EXPECT_STREQ(loaded->report, "{\"a\": 1}");
}

TEST(Descriptor, VariantsHaveTheEntryOfTheModelsKind) {
  DescriptorContents contents = makeContents();
  LoadedDescriptor decoder(contents);
  EXPECT_EQ(decoder->kind, LLMOPT_KIND_DECODER);
  EXPECT_EQ(decoder->variants[1].forward, entry1);
  EXPECT_EQ(decoder->variants[1].graph, nullptr);
  contents.kind = LLMOPT_KIND_GRAPH;
  LoadedDescriptor graph(contents);
  EXPECT_EQ(graph->kind, LLMOPT_KIND_GRAPH);
  EXPECT_EQ(graph->variants[1].forward, nullptr);
  EXPECT_EQ(reinterpret_cast<void *>(graph->variants[1].graph),
            reinterpret_cast<void *>(entry1));
}

TEST(Descriptor, TablesOfTensors) {
  LoadedDescriptor loaded(makeContents());
  ASSERT_EQ(loaded->input_count, 2u);
  ASSERT_EQ(loaded->output_count, 1u);
  const llmopt_tensor_descriptor &key = loaded->inputs[1];
  EXPECT_STREQ(key.name, "past.1.key");
  EXPECT_EQ(key.element_type, LLMOPT_F32);
  EXPECT_EQ(key.role, LLMOPT_ROLE_KEY);
  EXPECT_EQ(key.layer, 1);
  ASSERT_EQ(key.rank, 4);
  EXPECT_EQ(key.dims[0], LLMOPT_DYNAMIC);
  EXPECT_EQ(key.dims[1], 3);
  EXPECT_EQ(key.dims[3], 64);
  EXPECT_STREQ(loaded->outputs[0].name, "logits");
  EXPECT_EQ(loaded->outputs[0].dims[2], 49152);
}

TEST(Descriptor, TablesOfWeightsAndVariants) {
  LoadedDescriptor loaded(makeContents());
  ASSERT_EQ(loaded->weight_count, 2u);
  const llmopt_weight_descriptor &gate = loaded->weights[0];
  EXPECT_STREQ(gate.name, "gate");
  EXPECT_STREQ(gate.format, "int8");
  EXPECT_EQ(gate.rows, 1536u);
  EXPECT_EQ(gate.columns, 576u);
  EXPECT_EQ(gate.offset, 64u);
  EXPECT_EQ(gate.bytes, 900u);
  EXPECT_EQ(gate.zeros, 17u);
  EXPECT_EQ(gate.checksum, 0x123456789abcdef0u);
  EXPECT_EQ(loaded->weights[1].bytes, 2304u);

  ASSERT_EQ(loaded->variant_count, 2u);
  const llmopt_variant &first = loaded->variants[0],
                       &second = loaded->variants[1];
  EXPECT_STREQ(first.cpu, "znver4");
  EXPECT_STREQ(first.isa, "avx512vnni");
  EXPECT_EQ(first.features, 31u);
  EXPECT_EQ(first.arena_bytes_per_row, 9600u);
  EXPECT_EQ(first.scratch_bytes, uint64_t(1) << 16);
  EXPECT_EQ(first.forward, entry0);
  EXPECT_EQ(second.forward, entry1);
  EXPECT_EQ(second.scratch_bytes, uint64_t(1) << 17);
  ASSERT_EQ(first.kernel_count, 2u);
  EXPECT_EQ(first.has_time_stamps, 1u);
  EXPECT_STREQ(first.kernels[0].label, "attention 9x64");
  EXPECT_EQ(first.kernels[0].calls, 30u);
  EXPECT_EQ(first.kernels[0].flags, uint32_t(LLMOPT_KERNEL_ONE_ROW));
  EXPECT_EQ(first.kernels[0].weight_bytes, 1u);
  EXPECT_EQ(first.kernels[0].row_operations, 2u);
  EXPECT_EQ(first.kernels[0].key_cache_bytes, 46080u);
  EXPECT_EQ(first.kernels[1].row_operations, 54000000u);
  EXPECT_EQ(second.kernel_count, 0u);
  EXPECT_EQ(second.kernels, nullptr);
}

TEST(Descriptor, NothingIsNull) {
  DescriptorContents contents = makeContents();
  contents.weights.clear();
  contents.report.clear();
  LoadedDescriptor loaded(contents);
  EXPECT_EQ(loaded->weight_count, 0u);
  EXPECT_EQ(loaded->weights, nullptr);
  EXPECT_EQ(loaded->report, nullptr);
}

TEST(BuildId, DependsOnEveryPart) {
  const DescriptorContents base = makeContents();
  const BuildId id = computeBuildId(base, {"code"});
  EXPECT_EQ(computeBuildId(base, {"code"}), id);
  EXPECT_NE(computeBuildId(base, {"code2"}), id);
  EXPECT_NE(computeBuildId(base, {"co", "de"}), id);

  auto changed = [&](auto change) {
    DescriptorContents contents = makeContents();
    change(contents);
    return computeBuildId(contents, {"code"});
  };
  EXPECT_EQ(changed([](DescriptorContents &c) { c.buildId[0] = 99; }), id);
  EXPECT_NE(changed([](DescriptorContents &c) { c.weights[1].checksum ^= 1; }),
            id);
  EXPECT_NE(changed([](DescriptorContents &c) { c.inputs[0].dims[1] = 4; }),
            id);
  EXPECT_NE(changed([](DescriptorContents &c) { c.report += " "; }), id);
  EXPECT_NE(changed([](DescriptorContents &c) { c.maxBatch = 9; }), id);
  EXPECT_NE(changed([](DescriptorContents &c) { c.variants.pop_back(); }), id);
  EXPECT_NE(changed([](DescriptorContents &c) {
              c.variants[0].kernels[1].calls = 28;
            }),
            id);
  EXPECT_NE(changed([](DescriptorContents &c) {
              c.producer += "t";
              c.modelName = "iny";
            }),
            id);
}

} // namespace
