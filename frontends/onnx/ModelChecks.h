//===- ModelChecks.h - Checks of a model around its graph -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_FRONTENDS_ONNX_MODELCHECKS_H
#define LLMOPT_FRONTENDS_ONNX_MODELCHECKS_H

#include "frontends/onnx/ImportState.h"

namespace google::protobuf {
template <typename T> class RepeatedPtrField;
} // namespace google::protobuf

namespace onnx {
class ModelProto;
class OperatorSetIdProto;
} // namespace onnx

namespace llmopt::onnx {

/// Reads the operator sets that a model or a function imports. `where` begins
/// an error message.
mlir::FailureOr<OpsetVersions> readOpsets(
    const google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto> &list,
    llvm::StringRef where, ImportState &state);

/// Checks the IR version, reads the operator sets and the functions into
/// `state`, and checks that there is a graph.
mlir::LogicalResult checkModel(const ::onnx::ModelProto &model,
                               ImportState &state);

} // namespace llmopt::onnx

#endif // LLMOPT_FRONTENDS_ONNX_MODELCHECKS_H
