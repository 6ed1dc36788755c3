//===- ModelChecks.cpp - Checks of a model around its graph -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/ModelChecks.h"
#include "frontends/onnx/Functions.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;

static LogicalResult checkIRVersion(int64_t version, ImportState &state) {
  if (version < 1)
    return state.reporter.malformed("the model has no valid IR version");
  if (version > ::onnx::IR_VERSION)
    return state.reporter.unsupported(
        "the model has IR version " + Twine(version) + "; versions up to " +
        Twine(static_cast<int>(::onnx::IR_VERSION)) + " are supported");
  return success();
}

FailureOr<OpsetVersions> llmopt::onnx::readOpsets(
    const google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto> &list,
    StringRef where, ImportState &state) {
  OpsetVersions opsets;
  for (const ::onnx::OperatorSetIdProto &opset : list) {
    StringRef domain = normalizeDomain(opset.domain());
    std::string name =
        (where + (domain.empty() ? "the default operator set"
                                 : "operator set " + quoteName(domain)))
            .str();
    int64_t version = opset.version();
    if (version < 1)
      return state.reporter.malformed(name + " has version " + Twine(version));
    if (domain.empty() && version > state.options.maxOpset)
      return state.reporter.unsupported(
          name + " has version " + Twine(version) + "; versions up to " +
          Twine(state.options.maxOpset) + " are supported");
    auto [entry, isNew] = opsets.try_emplace(domain, version);
    if (!isNew && entry->second != version)
      return state.reporter.malformed(name + " is imported in versions " +
                                      Twine(entry->second) + " and " +
                                      Twine(version));
  }
  return opsets;
}

static LogicalResult readModelOpsets(const ::onnx::ModelProto &model,
                                     ImportState &state) {
  FailureOr<OpsetVersions> opsets =
      readOpsets(model.opset_import(), /*where=*/"", state);
  if (failed(opsets))
    return failure();
  // Operator sets have versions since IR version 3.
  if (opsets->empty() && model.ir_version() < 3)
    opsets->try_emplace("", 1);
  if (opsets->empty())
    return state.reporter.malformed("the model imports no operator set");
  state.opsets = std::move(*opsets);
  return success();
}

LogicalResult llmopt::onnx::checkModel(const ::onnx::ModelProto &model,
                                       ImportState &state) {
  if (failed(checkIRVersion(model.ir_version(), state)) ||
      failed(readModelOpsets(model, state)))
    return failure();
  if (!model.has_graph())
    return state.reporter.malformed("the model has no graph");
  return readFunctions(model, state);
}
