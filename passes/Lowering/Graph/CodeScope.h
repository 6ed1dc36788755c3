//===- CodeScope.h - Code inside of a region --------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_LOWERING_GRAPH_CODESCOPE_H
#define LLMOPT_PASSES_LOWERING_GRAPH_CODESCOPE_H

#include "passes/Lowering/Graph/GraphBuilder.h"

namespace llmopt::graph {

/// While it lives, code goes to the end of a block of a region; numbers that
/// are computed there are not known outside of it.
class CodeScope {
public:
  CodeScope(GraphBuilder &g, mlir::Block *block) : g(g), guard(g.b) {
    g.scopes.emplace_back();
    g.b.setInsertionPointToEnd(block);
  }
  ~CodeScope() { g.scopes.pop_back(); }
  CodeScope(const CodeScope &) = delete;
  CodeScope &operator=(const CodeScope &) = delete;

private:
  GraphBuilder &g;
  mlir::OpBuilder::InsertionGuard guard;
};

} // namespace llmopt::graph

#endif // LLMOPT_PASSES_LOWERING_GRAPH_CODESCOPE_H
