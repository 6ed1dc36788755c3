//===- Import.cpp - Reads .onnx files into the onnx dialect -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/Import.h"
#include "dialects/ONNX/ONNXDialect.h"
#include "frontends/onnx/GraphBuilder.h"
#include "frontends/onnx/ImportState.h"
#include "frontends/onnx/ModelChecks.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <google/protobuf/io/coded_stream.h>
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;

/// Parses what the scanner left. The nesting of messages is that of graphs,
/// plus a few levels for types and tensors.
static LogicalResult parseModel(StringRef structure,
                                const ImportOptions &options,
                                ::onnx::ModelProto &model, Reporter &reporter) {
  constexpr int kMessagesPerGraph = 3; // node, attribute, graph
  constexpr int kOtherMessages = 20;
  google::protobuf::io::CodedInputStream stream(
      reinterpret_cast<const uint8_t *>(structure.data()), structure.size());
  stream.SetRecursionLimit(kMessagesPerGraph * options.maxSubgraphDepth +
                           kOtherMessages);
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    return reporter.malformed("not a valid ONNX file: Protocol Buffers cannot "
                              "parse it");
  return success();
}

static void setModuleAttributes(ModuleOp module,
                                const ::onnx::ModelProto &model,
                                const ImportState &state) {
  Builder b(state.context);
  SmallVector<NamedAttribute> opsets;
  for (const llvm::StringMapEntry<int64_t> &opset : state.opsets)
    opsets.emplace_back(b.getStringAttr(opset.getKey().empty()
                                            ? StringRef(kDefaultDomain)
                                            : opset.getKey()),
                        b.getI64IntegerAttr(opset.getValue()));
  module->setAttr(kOpsetAttr, b.getDictionaryAttr(opsets));
  module->setAttr(kModelNameAttr, b.getStringAttr(model.graph().name()));
}

/// Imports `file`, whose name serves for locations.
static FailureOr<OwningOpRef<ModuleOp>>
importModel(StringRef file, StringRef fileName, StringRef baseDirectory,
            MLIRContext &context, const ImportOptions &options,
            Reporter &reporter) {
  if (file.empty())
    return reporter.malformed("the file is empty");
  FailureOr<ScannedModel> scanned = scanModel(file, options, reporter);
  if (failed(scanned))
    return failure();
  ::onnx::ModelProto model;
  if (failed(parseModel(scanned->structure, options, model, reporter)))
    return failure();
  scanned->structure = std::string();

  context.loadDialect<func::FuncDialect, ONNXDialect>();
  ExternalData externalData(baseDirectory, reporter);
  ImportState state{&context,     options,  reporter,
                    externalData, fileName, scanned->ranges};
  if (failed(checkModel(model, state)))
    return failure();
  OwningOpRef<ModuleOp> module =
      ModuleOp::create(FileLineColLoc::get(&context, fileName, 0, 0));
  setModuleAttributes(*module, model, state);
  if (failed(buildMain(model.graph(), *module, state)))
    return failure();
  return module;
}

/// Opens a model, or says why it cannot be read.
static FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
openModel(StringRef path, Reporter &reporter) {
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(path, status))
    return reporter.unreadable("cannot open the model: " + error.message());
  if (llvm::sys::fs::is_directory(status))
    return reporter.unreadable(
        "cannot read a directory; name the .onnx file in it");
  if (!llvm::sys::fs::is_regular_file(status))
    return reporter.unreadable("cannot read the model: not a regular file");
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                  /*RequiresNullTerminator=*/false);
  if (!buffer)
    return reporter.unreadable("cannot read the model: " +
                               buffer.getError().message());
  return std::move(*buffer);
}

FailureOr<OwningOpRef<ModuleOp>>
llmopt::onnx::importONNX(StringRef path, MLIRContext &context,
                         const ImportOptions &options, ImportErrorKind *kind) {
  Reporter reporter(&context, path);
  FailureOr<OwningOpRef<ModuleOp>> module = failure();
  FailureOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      openModel(path, reporter);
  if (succeeded(buffer)) {
    StringRef directory = llvm::sys::path::parent_path(path);
    module = importModel(
        (*buffer)->getBuffer(), llvm::sys::path::filename(path),
        directory.empty() ? "." : directory, context, options, reporter);
  }
  if (kind)
    *kind = reporter.getKind();
  return module;
}

FailureOr<OwningOpRef<ModuleOp>> llmopt::onnx::importONNXBuffer(
    llvm::MemoryBufferRef buffer, StringRef baseDirectory, MLIRContext &context,
    const ImportOptions &options, ImportErrorKind *kind) {
  Reporter reporter(&context, buffer.getBufferIdentifier());
  FailureOr<OwningOpRef<ModuleOp>> module =
      importModel(buffer.getBuffer(),
                  llvm::sys::path::filename(buffer.getBufferIdentifier()),
                  baseDirectory, context, options, reporter);
  if (kind)
    *kind = reporter.getKind();
  return module;
}
