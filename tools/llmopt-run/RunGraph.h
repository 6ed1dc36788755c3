//===- RunGraph.h - Executes a graph model once -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_RUN_RUNGRAPH_H
#define LLMOPT_TOOLS_LLMOPT_RUN_RUNGRAPH_H

#include "llmopt/Runtime.hpp"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace llmopt::tools {

/// Where the inputs of a graph come from and where its outputs go.
struct GraphFiles {
  llvm::ArrayRef<std::string> inputs; ///< see makeGraphInputs
  llvm::StringRef dataSet;            ///< directory, or empty
  llvm::StringRef outputs;            ///< directory for NAME.npy, or empty
};

/// Executes the model, prints what each output is and writes it. Returns the
/// exit code of the tool.
int runGraph(Model &model, const GraphFiles &files);

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_LLMOPT_RUN_RUNGRAPH_H
