//===- OperatorSchema.cpp - What nodes of an operator look like -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/OperatorSchema.h"

using namespace llmopt;

#define OPERATOR(domain, name, version, inputs, outputs, attributes)           \
  {domain, name, version, inputs, outputs, attributes, false},
#define REMOVED_OPERATOR(domain, name, version)                                \
  {domain, name, version, "", "", "", true},

static constexpr OperatorSchema kSchemas[] = {
#include "passes/Import/ContribOperators.inc"
#include "passes/Import/StandardOperators.inc"
};

OperatorTable::OperatorTable() {
  for (const OperatorSchema &schema : kSchemas)
    domains[schema.domain][schema.name].push_back(&schema);
}

llvm::ArrayRef<const OperatorSchema *>
OperatorTable::lookup(llvm::StringRef domain, llvm::StringRef name) const {
  auto operators = domains.find(domain);
  if (operators == domains.end())
    return {};
  auto schemas = operators->second.find(name);
  if (schemas == operators->second.end())
    return {};
  return schemas->second;
}
