//===- Descriptor.cpp - The tables of a compiled model ----------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Descriptor.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/ErrorHandling.h"

using namespace llmopt;
using llvm::ArrayRef;
using llvm::Constant;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Structures
//===----------------------------------------------------------------------===//

namespace {

/// The fields of one structure of ModelABI.h, each with the offset that it must
/// get.
class StructBuilder {
public:
  explicit StructBuilder(llvm::Module &module) : module(module) {}

  void add(size_t offset, Constant *value) {
    offsets.push_back(offset);
    values.push_back(value);
  }
  void add32(size_t offset, uint32_t value) {
    add(offset, llvm::ConstantInt::get(
                    llvm::Type::getInt32Ty(module.getContext()), value));
  }
  void add64(size_t offset, uint64_t value) {
    add(offset, llvm::ConstantInt::get(
                    llvm::Type::getInt64Ty(module.getContext()), value));
  }

  /// The structure; a layout other than the header's is an internal error.
  Constant *finish(size_t bytes) {
    auto *result = llvm::cast<llvm::ConstantStruct>(
        llvm::ConstantStruct::getAnon(module.getContext(), values));
    const llvm::StructLayout *layout =
        module.getDataLayout().getStructLayout(result->getType());
    for (auto [index, offset] : llvm::enumerate(offsets))
      if (layout->getElementOffset(index) != offset)
        llvm::report_fatal_error(
            "descriptor field has another offset than in ModelABI.h");
    if (layout->getSizeInBytes() != bytes)
      llvm::report_fatal_error(
          "descriptor structure has another size than in ModelABI.h");
    return result;
  }

private:
  llvm::Module &module;
  llvm::SmallVector<size_t> offsets;
  llvm::SmallVector<Constant *> values;
};

/// Builds the globals of the tables.
class DescriptorBuilder {
public:
  explicit DescriptorBuilder(llvm::Module &module) : module(module) {}

  Constant *build(const DescriptorContents &contents);

private:
  Constant *text(StringRef value);
  Constant *array(StringRef name, ArrayRef<Constant *> elements);
  Constant *tensor(const DescriptorContents::Tensor &tensor);
  Constant *weight(const DescriptorContents::Weight &weight);
  Constant *kernel(const DescriptorContents::KernelClass &kernel);
  Constant *variant(const DescriptorContents::Variant &variant, int32_t kind);
  Constant *entry(StringRef symbol, int32_t kind);
  void addGeometry(StructBuilder &fields, const DescriptorContents &contents);
  void addTables(StructBuilder &fields, const DescriptorContents &contents);

  llvm::LLVMContext &context() { return module.getContext(); }

  llvm::Module &module;
};

} // namespace

Constant *DescriptorBuilder::text(StringRef value) {
  Constant *data = llvm::ConstantDataArray::getString(context(), value);
  auto *global =
      new llvm::GlobalVariable(module, data->getType(), /*isConstant=*/true,
                               llvm::GlobalValue::PrivateLinkage, data, "text");
  global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  return global;
}

/// A table, or null if it is empty.
Constant *DescriptorBuilder::array(StringRef name,
                                   ArrayRef<Constant *> elements) {
  if (elements.empty())
    return llvm::ConstantPointerNull::get(llvm::PointerType::get(context(), 0));
  auto *type =
      llvm::ArrayType::get(elements.front()->getType(), elements.size());
  return new llvm::GlobalVariable(
      module, type, /*isConstant=*/true, llvm::GlobalValue::PrivateLinkage,
      llvm::ConstantArray::get(type, elements), name);
}

Constant *DescriptorBuilder::tensor(const DescriptorContents::Tensor &tensor) {
  using T = llmopt_tensor_descriptor;
  std::array<uint64_t, LLMOPT_MAX_RANK> dims = {};
  llvm::copy(tensor.dims, dims.begin());
  StructBuilder fields(module);
  fields.add(offsetof(T, name), text(tensor.name));
  fields.add32(offsetof(T, element_type), tensor.elementType);
  fields.add32(offsetof(T, role), tensor.role);
  fields.add32(offsetof(T, layer), tensor.layer);
  fields.add32(offsetof(T, rank), tensor.dims.size());
  fields.add(offsetof(T, dims), llvm::ConstantDataArray::get(context(), dims));
  return fields.finish(sizeof(T));
}

Constant *DescriptorBuilder::weight(const DescriptorContents::Weight &weight) {
  using T = llmopt_weight_descriptor;
  StructBuilder fields(module);
  fields.add(offsetof(T, name), text(weight.name));
  fields.add(offsetof(T, format), text(weight.format));
  fields.add64(offsetof(T, rows), weight.rows);
  fields.add64(offsetof(T, columns), weight.columns);
  fields.add64(offsetof(T, offset), weight.offset);
  fields.add64(offsetof(T, bytes), weight.bytes);
  fields.add64(offsetof(T, zeros), weight.zeros);
  fields.add64(offsetof(T, checksum), weight.checksum);
  return fields.finish(sizeof(T));
}

Constant *DescriptorBuilder::entry(StringRef symbol, int32_t kind) {
  llvm::SmallVector<llvm::Type *> arguments = {
      llvm::PointerType::get(context(), 0)};
  if (kind == LLMOPT_KIND_DECODER)
    arguments.push_back(llvm::Type::getInt32Ty(context()));
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context()),
                                       arguments, false);
  auto *function = llvm::Function::Create(
      type, llvm::GlobalValue::ExternalLinkage, symbol, module);
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  function->setDSOLocal(true);
  return function;
}

Constant *
DescriptorBuilder::kernel(const DescriptorContents::KernelClass &kernel) {
  using T = llmopt_kernel_class;
  StructBuilder fields(module);
  fields.add(offsetof(T, label), text(kernel.label));
  fields.add32(offsetof(T, calls), kernel.calls);
  fields.add32(offsetof(T, flags), kernel.flags);
  fields.add64(offsetof(T, weight_bytes), kernel.weightBytes);
  fields.add64(offsetof(T, row_operations), kernel.rowOperations);
  fields.add64(offsetof(T, key_cache_bytes), kernel.keyCacheBytes);
  return fields.finish(sizeof(T));
}

Constant *DescriptorBuilder::variant(const DescriptorContents::Variant &variant,
                                     int32_t kind) {
  using T = llmopt_variant;
  StructBuilder fields(module);
  fields.add(offsetof(T, cpu), text(variant.cpu));
  fields.add(offsetof(T, isa), text(variant.isa));
  fields.add64(offsetof(T, features), variant.features);
  fields.add64(offsetof(T, arena_bytes_per_row), variant.arenaBytesPerRow);
  fields.add64(offsetof(T, scratch_bytes), variant.scratchBytes);
  Constant *none =
      llvm::ConstantPointerNull::get(llvm::PointerType::get(context(), 0));
  Constant *function = entry(variant.symbol, kind);
  bool isDecoder = kind == LLMOPT_KIND_DECODER;
  fields.add(offsetof(T, forward), isDecoder ? function : none);
  fields.add(offsetof(T, graph), isDecoder ? none : function);
  llvm::SmallVector<Constant *> kernels;
  for (const DescriptorContents::KernelClass &entry : variant.kernels)
    kernels.push_back(kernel(entry));
  fields.add32(offsetof(T, kernel_count), kernels.size());
  fields.add32(offsetof(T, has_time_stamps), variant.hasTimeStamps);
  fields.add(offsetof(T, kernels), array("kernels", kernels));
  return fields.finish(sizeof(T));
}

void DescriptorBuilder::addGeometry(StructBuilder &fields,
                                    const DescriptorContents &contents) {
  using T = llmopt_model_descriptor;
  fields.add32(offsetof(T, kind), contents.kind);
  fields.add32(offsetof(T, layers), contents.layers);
  fields.add32(offsetof(T, heads), contents.heads);
  fields.add32(offsetof(T, kv_heads), contents.kvHeads);
  fields.add32(offsetof(T, head_dim), contents.headDim);
  fields.add32(offsetof(T, vocabulary), contents.vocabulary);
  fields.add32(offsetof(T, max_positions), contents.maxPositions);
  fields.add32(offsetof(T, max_sequence), contents.maxSequence);
  fields.add32(offsetof(T, max_batch), contents.maxBatch);
  fields.add32(offsetof(T, padding), contents.padding);
  fields.add32(offsetof(T, kv_format), contents.kvFormat);
}

void DescriptorBuilder::addTables(StructBuilder &fields,
                                  const DescriptorContents &contents) {
  using T = llmopt_model_descriptor;
  llvm::SmallVector<Constant *> inputs, outputs, weights, variants;
  for (const DescriptorContents::Tensor &entry : contents.inputs)
    inputs.push_back(tensor(entry));
  for (const DescriptorContents::Tensor &entry : contents.outputs)
    outputs.push_back(tensor(entry));
  for (const DescriptorContents::Weight &entry : contents.weights)
    weights.push_back(weight(entry));
  for (const DescriptorContents::Variant &entry : contents.variants)
    variants.push_back(variant(entry, contents.kind));

  fields.add32(offsetof(T, input_count), inputs.size());
  fields.add32(offsetof(T, output_count), outputs.size());
  fields.add32(offsetof(T, weight_count), weights.size());
  fields.add32(offsetof(T, variant_count), variants.size());
  fields.add(offsetof(T, inputs), array("inputs", inputs));
  fields.add(offsetof(T, outputs), array("outputs", outputs));
  fields.add(offsetof(T, weights), array("weights", weights));
  fields.add(offsetof(T, variants), array("variants", variants));
  fields.add(offsetof(T, report),
             contents.report.empty() ? array("", {}) : text(contents.report));
}

Constant *DescriptorBuilder::build(const DescriptorContents &contents) {
  using T = llmopt_model_descriptor;
  StructBuilder fields(module);
  fields.add32(offsetof(T, abi_version), LLMOPT_ABI_VERSION);
  fields.add32(offsetof(T, struct_bytes), sizeof(T));
  fields.add(offsetof(T, build_id),
             llvm::ConstantDataArray::get(context(),
                                          ArrayRef<uint8_t>(contents.buildId)));
  fields.add(offsetof(T, producer), text(contents.producer));
  fields.add(offsetof(T, model_name), text(contents.modelName));
  fields.add64(offsetof(T, weights_bytes), contents.weightsBytes);
  fields.add64(offsetof(T, parameters), contents.parameters);
  addGeometry(fields, contents);
  addTables(fields, contents);
  return fields.finish(sizeof(T));
}

void llmopt::buildDescriptor(llvm::Module &module,
                             const DescriptorContents &contents) {
  Constant *descriptor = DescriptorBuilder(module).build(contents);
  new llvm::GlobalVariable(module, descriptor->getType(), /*isConstant=*/true,
                           llvm::GlobalValue::ExternalLinkage, descriptor,
                           LLMOPT_DESCRIPTOR_SYMBOL);
}

//===----------------------------------------------------------------------===//
// Build id
//===----------------------------------------------------------------------===//

namespace {

/// Hashes values with their lengths, so that neighbours cannot be mixed up.
class ContentsHasher {
public:
  void add(uint64_t value) {
    std::array<uint8_t, 8> bytes;
    for (auto [index, byte] : llvm::enumerate(bytes))
      byte = value >> (8 * index);
    hasher.update(bytes);
  }
  void add(StringRef text) {
    add(uint64_t(text.size()));
    hasher.update(text);
  }
  void add(ArrayRef<DescriptorContents::Tensor> tensors) {
    add(uint64_t(tensors.size()));
    for (const DescriptorContents::Tensor &tensor : tensors) {
      add(tensor.name);
      for (int64_t value : {tensor.elementType, tensor.role, tensor.layer,
                            static_cast<int32_t>(tensor.dims.size())})
        add(uint64_t(value));
      for (int64_t dim : tensor.dims)
        add(uint64_t(dim));
    }
  }
  BuildId finish() { return hasher.final<LLMOPT_BUILD_ID_BYTES>(); }

private:
  llvm::BLAKE3 hasher;
};

} // namespace

BuildId llmopt::computeBuildId(const DescriptorContents &contents,
                               ArrayRef<StringRef> objects) {
  ContentsHasher hasher;
  hasher.add(uint64_t(LLMOPT_ABI_VERSION));
  for (StringRef text :
       {StringRef(contents.producer), StringRef(contents.modelName),
        StringRef(contents.report)})
    hasher.add(text);
  for (uint64_t value :
       {contents.weightsBytes, contents.parameters, uint64_t(contents.layers),
        uint64_t(contents.heads), uint64_t(contents.kvHeads),
        uint64_t(contents.headDim), uint64_t(contents.vocabulary),
        uint64_t(contents.maxPositions), uint64_t(contents.maxSequence),
        uint64_t(contents.maxBatch), uint64_t(contents.padding),
        uint64_t(contents.kvFormat)})
    hasher.add(value);
  hasher.add(contents.inputs);
  hasher.add(contents.outputs);
  for (const DescriptorContents::Weight &weight : contents.weights) {
    hasher.add(weight.name);
    hasher.add(weight.format);
    for (uint64_t value : {weight.rows, weight.columns, weight.offset,
                           weight.bytes, weight.zeros, weight.checksum})
      hasher.add(value);
  }
  for (const DescriptorContents::Variant &variant : contents.variants) {
    hasher.add(variant.cpu);
    hasher.add(variant.isa);
    for (uint64_t value :
         {variant.features, variant.arenaBytesPerRow, variant.scratchBytes,
          uint64_t(variant.hasTimeStamps)})
      hasher.add(value);
    for (const DescriptorContents::KernelClass &kernel : variant.kernels) {
      hasher.add(kernel.label);
      for (uint64_t value :
           {uint64_t(kernel.calls), uint64_t(kernel.flags), kernel.weightBytes,
            kernel.rowOperations, kernel.keyCacheBytes})
        hasher.add(value);
    }
  }
  for (StringRef object : objects)
    hasher.add(object);
  return hasher.finish();
}
