//===- IndexRules.h - Rules that several files share ------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_INDEXRULES_H
#define LLMOPT_PASSES_IMPORT_INDEXRULES_H

#include "passes/Import/IndexAnalysis.h"

namespace llmopt {

using Results = llvm::SmallVectorImpl<TensorFunction>;

// SelectionRules.cpp. See IndexRule.
bool describeGather(onnx::NodeOp node, IndexAnalysis &analysis,
                    Results &results);
bool describeGatherND(onnx::NodeOp node, IndexAnalysis &analysis,
                      Results &results);
bool describeSlice(onnx::NodeOp node, IndexAnalysis &analysis,
                   Results &results);
bool describeSplit(onnx::NodeOp node, IndexAnalysis &analysis,
                   Results &results);

// ReshapeRules.cpp
bool describeReshape(onnx::NodeOp node, IndexAnalysis &analysis,
                     Results &results);
bool describeFlatten(onnx::NodeOp node, IndexAnalysis &analysis,
                     Results &results);

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_INDEXRULES_H
