//===- Table.h - What is demanded of each model -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_LLMOPT_CHECK_TABLE_H
#define LLMOPT_TOOLS_LLMOPT_CHECK_TABLE_H

#include "tools/llmopt-check/ModelCheck.h"
#include "llvm/Support/Error.h"

namespace llmopt::check {

/// Reads a table of models below the directory `root`. Every line is
///
///   model,rule,relative,absolute,lengths
///
/// or a comment after '#'. The rule is a Tolerance::Rule (larger, sum, l2), or
/// "compile" for a model that is compiled only; what follows it may be left
/// out: an absolute tolerance equal to the relative one, no lengths.
llvm::Expected<std::vector<ModelCase>> readTable(llvm::StringRef path,
                                                 llvm::StringRef root);

} // namespace llmopt::check

#endif // LLMOPT_TOOLS_LLMOPT_CHECK_TABLE_H
