//===- LibraryBuilder.cpp - A library from code and weights -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/LibraryBuilder.h"
#include "compiler/CodeGen.h"
#include "compiler/Diagnostics.h"
#include "compiler/FlagParser.h"
#include "compiler/Link.h"
#include "compiler/WeightWriter.h"
#include "dialects/Kernel/KernelOps.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "dialects/ONNX/ONNXDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Errno.h"
#include <atomic>
#include <unistd.h>

using namespace llmopt;
using namespace mlir;

//===----------------------------------------------------------------------===//
// What the model is
//===----------------------------------------------------------------------===//

static int32_t integerType(IntegerType type) {
  bool isUnsigned = type.isUnsigned();
  switch (type.getWidth()) {
  case 1:
    return LLMOPT_BOOL;
  case 2:
    return isUnsigned ? LLMOPT_U2 : LLMOPT_I2;
  case 4:
    return isUnsigned ? LLMOPT_U4 : LLMOPT_I4;
  case 8:
    return isUnsigned ? LLMOPT_U8 : LLMOPT_I8;
  case 16:
    return isUnsigned ? LLMOPT_U16 : LLMOPT_I16;
  case 32:
    return isUnsigned ? LLMOPT_U32 : LLMOPT_I32;
  default:
    return isUnsigned ? LLMOPT_U64 : LLMOPT_I64;
  }
}

static int32_t elementType(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type))
    return integerType(integer);
  return llvm::TypeSwitch<Type, int32_t>(type)
      .Case<Float64Type>([](auto) { return LLMOPT_F64; })
      .Case<Float16Type>([](auto) { return LLMOPT_F16; })
      .Case<BFloat16Type>([](auto) { return LLMOPT_BF16; })
      .Case<Float8E4M3FNType>([](auto) { return LLMOPT_F8E4M3FN; })
      .Case<Float8E4M3FNUZType>([](auto) { return LLMOPT_F8E4M3FNUZ; })
      .Case<Float8E5M2Type>([](auto) { return LLMOPT_F8E5M2; })
      .Case<Float8E5M2FNUZType>([](auto) { return LLMOPT_F8E5M2FNUZ; })
      .Case<Float8E8M0FNUType>([](auto) { return LLMOPT_F8E8M0; })
      .Case<Float4E2M1FNType>([](auto) { return LLMOPT_F4E2M1; })
      .Default([](Type) { return LLMOPT_F32; });
}

static DescriptorContents::Tensor describeTensor(StringRef name,
                                                 RankedTensorType type) {
  DescriptorContents::Tensor tensor;
  tensor.name = name.str();
  tensor.elementType = elementType(type.getElementType());
  tensor.role = LLMOPT_ROLE_NONE;
  tensor.layer = 0;
  for (int64_t dim : type.getShape())
    tensor.dims.push_back(ShapedType::isDynamic(dim) ? int64_t(LLMOPT_DYNAMIC)
                                                     : dim);
  return tensor;
}

static std::vector<DescriptorContents::Tensor>
describeTensors(ArrayAttr arguments) {
  std::vector<DescriptorContents::Tensor> tensors;
  for (auto argument : arguments.getAsRange<ArgumentAttr>()) {
    DescriptorContents::Tensor tensor =
        describeTensor(argument.getName(), argument.getType());
    // The dialect's roles have the values of llmopt_role.
    tensor.role = static_cast<int32_t>(argument.getRole());
    tensor.layer = argument.getLayer();
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

/// Elements of a constant of a graph.
static uint64_t countElements(kernel::WeightDataOp data) {
  return data->getAttrOfType<IntegerAttr>(kElementsAttrName).getInt();
}

/// Weights of the model: all but the tables that are computed from positions.
static uint64_t countParameters(ModuleOp module) {
  uint64_t count = 0;
  module.walk([&](kernel::WeightDataOp data) {
    auto type = cast<kernel::WeightType>(data.getType());
    bool isTable =
        type.getFormat() == kernel::PackFormat::Raw && type.getRows() > 1;
    if (type.getFormat() == kernel::PackFormat::Bytes)
      count += countElements(data);
    else if (!isTable)
      count += type.getRows() * type.getColumns();
  });
  return count;
}

static StringRef nameInFile(DictionaryAttr attributes) {
  auto name =
      attributes ? attributes.getAs<StringAttr>(onnx::kNameAttr) : StringAttr();
  return name ? name.getValue() : StringRef();
}

DescriptorContents llmopt::describeGraph(ModuleOp module,
                                         ArrayRef<RankedTensorType> outputTypes,
                                         StringRef name) {
  DescriptorContents contents;
  contents.kind = LLMOPT_KIND_GRAPH;
  contents.producer = producerName();
  contents.modelName = name.str();
  contents.weightsBytes = packedWeightsBytes(module);
  contents.parameters = countParameters(module);
  auto main = module.lookupSymbol<func::FuncOp>("main");
  for (auto [index, type] : llvm::enumerate(main.getArgumentTypes()))
    contents.inputs.push_back(describeTensor(
        nameInFile(main.getArgAttrDict(index)), cast<RankedTensorType>(type)));
  for (auto [index, type] : llvm::enumerate(outputTypes))
    contents.outputs.push_back(
        describeTensor(nameInFile(main.getResultAttrDict(index)), type));
  return contents;
}

DescriptorContents llmopt::describeModel(ModuleOp module,
                                         const CompileOptions &options,
                                         StringRef name) {
  auto decoder = module->getAttrOfType<DecoderAttr>(kDecoderAttrName);
  DescriptorContents contents;
  contents.producer = producerName();
  contents.modelName = name.str();
  contents.weightsBytes = packedWeightsBytes(module);
  contents.parameters = countParameters(module);
  contents.layers = decoder.getLayers();
  contents.heads = decoder.getHeads();
  contents.kvHeads = decoder.getKvHeads();
  contents.headDim = decoder.getHeadDim();
  contents.vocabulary = decoder.getVocabulary();
  contents.maxPositions = decoder.getMaxPositions();
  contents.maxSequence =
      options.maxSequence ? options.maxSequence : decoder.getMaxPositions();
  contents.maxBatch = options.maxBatch;
  contents.padding = static_cast<int32_t>(decoder.getPadding());
  contents.kvFormat = static_cast<int32_t>(decoder.getKv());
  contents.inputs = describeTensors(decoder.getInputs());
  contents.outputs = describeTensors(decoder.getOutputs());
  return contents;
}

//===----------------------------------------------------------------------===//
// Putting it together
//===----------------------------------------------------------------------===//

ExitCode LibraryBuilder::fail(llvm::Error error) {
  progress.message("error", oneLine(llvm::toString(std::move(error))));
  return ExitCode::Resources;
}

ExitCode LibraryBuilder::build() {
  for (const CompiledVariant &variant : variants)
    contents.variants.push_back(variant.entry);
  // Linked twice: first to learn how large the code is, as that decides where
  // weights begin, then with the checksums of the weights. Numbers do not
  // change the size of an image.
  module.walk([&](kernel::WeightDataOp data) {
    contents.weights.push_back({data.getName().str(), "", 0, 0, 0, 0, 0, 0});
  });
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> draft = link();
  if (!draft)
    return fail(draft.takeError());
  layout =
      LibraryLayout::compute((*draft)->getBufferSize(), contents.weightsBytes);
  draft->reset();

  llvm::Expected<int> file = createLibraryFile(output.temporaryPath(), layout);
  if (!file)
    return fail(file.takeError());
  llvm::scope_exit closeFile([&] { close(*file); });
  if (ExitCode code = packInto(*file); code != ExitCode::Done)
    return code;
  return finish(*file);
}

ExitCode LibraryBuilder::packInto(int file) {
  progress.begin("pack", contents.weights.size());
  std::atomic<bool> writeFailed = false;
  auto sink = [&](uint64_t offset, ArrayRef<uint8_t> bytes) -> llvm::Error {
    llvm::Error error = writeAt(file, bytes.data(), bytes.size(),
                                layout.weightsOffset + offset);
    if (error)
      writeFailed = true;
    return error;
  };
  FailureOr<std::vector<DescriptorContents::Weight>> weights = packWeights(
      module, sink, [&](StringRef name) { progress.advance(name); });
  WeightStore &store =
      module.getContext()->getOrLoadDialect<LLMOptDialect>()->getWeightStore();
  if (failed(weights))
    return writeFailed || store.hasSystemError() ? ExitCode::Resources
                                                 : ExitCode::BadModel;
  contents.weights = std::move(*weights);
  progress.end();
  return ExitCode::Done;
}

ExitCode LibraryBuilder::finish(int file) {
  progress.begin("link");
  SmallVector<StringRef> objects;
  for (const CompiledVariant &variant : variants)
    objects.emplace_back(variant.code.data(), variant.code.size());
  contents.buildId = computeBuildId(contents, objects);
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> image = link();
  if (!image)
    return fail(image.takeError());
  if (llvm::Error error = finishLibraryFile(file, (*image)->getBuffer(), layout,
                                            contents.buildId))
    return fail(std::move(error));
  progress.end();
  return ExitCode::Done;
}

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> LibraryBuilder::link() {
  std::string error;
  // Tables hold no instructions: any target of the family does.
  CpuTarget target{"x86-64-v3", "x86-64-v3", Isa::Avx2,
                   requiredCpuFeatures(Isa::Avx2)};
  llvm::LLVMContext context;
  llvm::Module tables("descriptor", context);
  SmallVector<char> descriptor;
  if (!prepareModule(tables, target, error))
    return llvm::createStringError(error);
  buildDescriptor(tables, contents);
  if (!emitObject(tables, target, descriptor, error))
    return llvm::createStringError(error);

  SmallVector<StringRef> objects = {
      StringRef(descriptor.data(), descriptor.size())};
  for (const CompiledVariant &variant : variants)
    objects.emplace_back(variant.code.data(), variant.code.size());
  std::string path = output.scratchPath("code");
  if (!linkSharedLibrary(objects, path, error))
    return llvm::createStringError(error);
  auto image = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                           /*RequiresNullTerminator=*/false);
  if (!image)
    return llvm::createStringError("cannot read '" + path +
                                   "': " + image.getError().message());
  return std::move(*image);
}
