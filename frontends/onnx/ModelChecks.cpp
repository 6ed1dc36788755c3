//===- ModelChecks.cpp - Checks of a model around its graph -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/onnx/ModelChecks.h"
#include <onnx-ml.pb.h>

using namespace mlir;
using namespace llmopt::onnx;

std::string llmopt::onnx::getFunctionKey(StringRef domain, StringRef name,
                                         StringRef overload) {
  // A NUL cannot make two different triples equal, because lengths come first.
  return (Twine(domain.size()) + ":" + Twine(name.size()) + ":" + domain +
          name + overload)
      .str();
}

static LogicalResult checkIRVersion(int64_t version, ImportState &state) {
  if (version < 1)
    return state.reporter.malformed("the model has no valid IR version");
  if (version > ::onnx::IR_VERSION)
    return state.reporter.unsupported(
        "the model has IR version " + Twine(version) + "; versions up to " +
        Twine(static_cast<int>(::onnx::IR_VERSION)) + " are supported");
  return success();
}

static LogicalResult readOpsets(const ::onnx::ModelProto &model,
                                ImportState &state) {
  for (const ::onnx::OperatorSetIdProto &opset : model.opset_import()) {
    StringRef domain = normalizeDomain(opset.domain());
    std::string name = domain.empty() ? "the default operator set"
                                      : "operator set " + quoteName(domain);
    int64_t version = opset.version();
    if (version < 1)
      return state.reporter.malformed(name + " has version " + Twine(version));
    if (domain.empty() && version > state.options.maxOpset)
      return state.reporter.unsupported(
          name + " has version " + Twine(version) + "; versions up to " +
          Twine(state.options.maxOpset) + " are supported");
    auto [entry, isNew] = state.opsets.try_emplace(domain, version);
    if (!isNew && entry->second != version)
      return state.reporter.malformed(name + " is imported in versions " +
                                      Twine(entry->second) + " and " +
                                      Twine(version));
  }
  // Operator sets have versions since IR version 3.
  if (model.opset_import().empty() && model.ir_version() < 3)
    state.opsets.try_emplace("", 1);
  if (state.opsets.empty())
    return state.reporter.malformed("the model imports no operator set");
  return success();
}

static LogicalResult readFunctions(const ::onnx::ModelProto &model,
                                   ImportState &state) {
  for (const ::onnx::FunctionProto &function : model.functions()) {
    std::string key = getFunctionKey(normalizeDomain(function.domain()),
                                     function.name(), function.overload());
    if (!state.functions.insert(key).second)
      return state.reporter.malformed(
          "the model defines the function " + quoteName(function.name()) +
          " of domain " + quoteName(function.domain()) + " twice");
  }
  return success();
}

LogicalResult llmopt::onnx::checkModel(const ::onnx::ModelProto &model,
                                       ImportState &state) {
  if (failed(checkIRVersion(model.ir_version(), state)) ||
      failed(readOpsets(model, state)) || failed(readFunctions(model, state)))
    return failure();
  if (!model.has_graph())
    return state.reporter.malformed("the model has no graph");
  return success();
}
