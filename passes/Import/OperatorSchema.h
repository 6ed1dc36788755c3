//===- OperatorSchema.h - What nodes of an operator look like ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_OPERATORSCHEMA_H
#define LLMOPT_PASSES_IMPORT_OPERATORSCHEMA_H

#include "llvm/ADT/StringMap.h"
#include <vector>

namespace llmopt {

/// What a node of an operator must look like, from one version of its operator
/// set on. The rows are in StandardOperators.inc and ContribOperators.inc.
struct OperatorSchema {
  llvm::StringLiteral domain;
  llvm::StringLiteral name;
  int64_t version;
  /// A character for each input: '1' for one that must be there, '?' for one
  /// that may be left out, '*' for any number of inputs and '+' for at least
  /// one.
  llvm::StringLiteral inputs;
  /// The same for outputs.
  llvm::StringLiteral outputs;
  /// "name:kind" of each attribute, separated by spaces, with a '!' at the end
  /// of one that must be there. The kinds are those of an ONNX file: f, i, s,
  /// t and g for a float, an integer, a string, a tensor and a graph, F, I and
  /// S for lists. Others do not occur in `onnx.node`.
  llvm::StringLiteral attributes;
  /// The operator exists up to the version before.
  bool isRemoved;
};

/// Finds schemas.
class OperatorTable {
public:
  OperatorTable();

  bool hasDomain(llvm::StringRef domain) const {
    return domains.contains(domain);
  }

  /// The schemas of an operator by ascending version; empty for an unknown one.
  llvm::ArrayRef<const OperatorSchema *> lookup(llvm::StringRef domain,
                                                llvm::StringRef name) const;

private:
  using Operators = llvm::StringMap<std::vector<const OperatorSchema *>>;
  llvm::StringMap<Operators> domains;
};

} // namespace llmopt

#endif // LLMOPT_PASSES_IMPORT_OPERATORSCHEMA_H
