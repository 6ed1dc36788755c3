//===- GraphInputs.h - Inputs of a graph from the command line --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_TESTDATA_GRAPHINPUTS_H
#define LLMOPT_TOOLS_TESTDATA_GRAPHINPUTS_H

#include "tools/testdata/TestData.h"
#include "llvm/ADT/ArrayRef.h"

namespace llmopt::tools {

/// "f32[?, 3]".
std::string typeText(const llmopt_tensor_descriptor &tensor);

/// Inputs in the order of the signature. Each of `specs` is NAME=FILE.npy,
/// NAME=FILE.pb, or NAME=2x3 or NAME=2x3xf32 for random elements: floats in
/// [-1, 1), integers and bools 0 or 1. Other inputs come from the directory
/// `dataSet` (input_0.pb, ...), if it is not empty; those of fixed shape are
/// random.
llvm::Expected<std::vector<Tensor>>
makeGraphInputs(const llmopt_model_info &info,
                llvm::ArrayRef<std::string> specs, llvm::StringRef dataSet);

/// The same as llmopt_run takes them.
std::vector<llmopt_tensor> viewsOf(std::vector<Tensor> &tensors);

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_TESTDATA_GRAPHINPUTS_H
