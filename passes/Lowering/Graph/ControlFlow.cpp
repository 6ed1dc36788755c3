//===- ControlFlow.cpp - If in graphs ---------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/Lowering/Graph/CodeScope.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Subgraph.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// If
//===----------------------------------------------------------------------===//

namespace {
/// One branch of an If while its code is made.
struct Branch {
  Block *graph; ///< the subgraph
  Block *code;  ///< where its code goes
  SmallVector<Tensor> results;
  Values yields;
};
} // namespace

/// True if both branches give as many known scalars.
static bool areScalars(const Tensor &a, const Tensor &b) {
  return a.hasElements && b.hasElements &&
         a.elements.size() == b.elements.size();
}

/// Appends what the branch yields for one result.
static void yieldResult(GraphBuilder &g, Branch &branch, size_t index,
                        const Tensor &other,
                        llvm::SmallDenseSet<Value> &taken) {
  CodeScope scope(g, branch.code);
  Tensor &own = branch.results[index];
  if (areScalars(own, other)) {
    own.buffer = nullptr;
    llvm::append_range(branch.yields, own.elements);
  } else {
    own = ownedResult(g, own, branch.code, taken);
    branch.yields.push_back(own.buffer->data);
  }
  llvm::append_range(branch.yields, own.dims);
}

/// Takes one result of the If from the values that it returns.
static Tensor takeResult(GraphBuilder &g, const Tensor &yes, const Tensor &no,
                         ValueRange &values) {
  auto take = [&](size_t count) {
    Values taken(values.take_front(count));
    values = values.drop_front(count);
    return taken;
  };
  bool isScalars = areScalars(yes, no);
  Values contents = take(isScalars ? yes.elements.size() : 1);
  Values dims = take(yes.dims.size());
  for (auto [axis, dim] : llvm::enumerate(dims)) {
    if (g.same(yes.dims[axis], no.dims[axis]))
      dim = yes.dims[axis];
    g.markDimension(dim);
  }
  return isScalars ? g.scalars(yes.type, dims, contents)
                   : adopt(g, yes.type, dims, contents[0]);
}

static LogicalResult checkBranches(Node &node, const Branch &yes,
                                   const Branch &no) {
  if (yes.results.size() != no.results.size() ||
      yes.results.size() != node.resultCount())
    return node.refuse("its branches have " + Twine(yes.results.size()) +
                       " and " + Twine(no.results.size()) +
                       " outputs, expected " + Twine(node.resultCount()));
  for (auto [index, pair] :
       llvm::enumerate(llvm::zip(yes.results, no.results))) {
    auto &[a, b] = pair;
    if (a.type != b.type)
      return node.refuse("its branches give output " + Twine(index) +
                         " different element types");
    if (a.rank() != b.rank())
      return node.refuse("its branches give output " + Twine(index) + " " +
                         Twine(a.rank()) + " and " + Twine(b.rank()) +
                         " dimensions");
  }
  return success();
}

static LogicalResult emitIf(Node &node) {
  GraphBuilder &g = node.g;
  Region *thenGraph = node.op.getSubgraph("then_branch");
  Region *elseGraph = node.op.getSubgraph("else_branch");
  if (!thenGraph || !elseGraph)
    return node.refuse("has no then_branch or no else_branch");
  if (node.input(0).type.isBool() == false || g.knownCount(node.input(0)) != 1)
    return node.refuse("its condition is not one bool");
  Value condition = g.onlyElement(node.input(0));
  if (std::optional<bool> which = g.knownBool(condition)) {
    Block &graph = (*which ? thenGraph : elseGraph)->front();
    FailureOr<SmallVector<Tensor>> results = emitSubgraph(node, graph);
    if (failed(results))
      return failure();
    for (auto [index, tensor] : llvm::enumerate(*results))
      node.setResult(index, tensor);
    leaveSubgraph(node, graph);
    return success();
  }

  // The types of the results are known when both branches are there.
  auto draft = scf::IfOp::create(g.b, g.loc, TypeRange(), condition,
                                 /*addThenBlock=*/true, /*addElseBlock=*/true);
  Branch branches[] = {{&thenGraph->front(), draft.thenBlock(), {}, {}},
                       {&elseGraph->front(), draft.elseBlock(), {}, {}}};
  Location loc = g.loc;
  for (Branch &branch : branches) {
    CodeScope scope(g, branch.code);
    FailureOr<SmallVector<Tensor>> results = emitSubgraph(node, *branch.graph);
    if (failed(results))
      return failure();
    branch.results = std::move(*results);
    g.loc = loc;
  }
  if (failed(checkBranches(node, branches[0], branches[1])))
    return failure();
  SmallVector<Tensor> before[] = {branches[0].results, branches[1].results};
  for (size_t side : {0, 1}) {
    llvm::SmallDenseSet<Value> taken;
    for (size_t index = 0; index < node.resultCount(); ++index)
      yieldResult(g, branches[side], index, before[1 - side][index], taken);
  }
  for (auto [side, branch] : llvm::enumerate(branches)) {
    CodeScope scope(g, branch.code);
    before[side].clear();
    leaveSubgraph(node, *branch.graph);
    scf::YieldOp::create(g.b, g.loc, branch.yields);
  }
  auto ifOp =
      scf::IfOp::create(g.b, g.loc, ValueRange(branches[0].yields).getTypes(),
                        condition, /*addThenBlock=*/false,
                        /*addElseBlock=*/false);
  ifOp.getThenRegion().takeBody(draft.getThenRegion());
  ifOp.getElseRegion().takeBody(draft.getElseRegion());
  draft.erase();
  ValueRange values = ifOp.getResults();
  for (size_t index = 0; index < node.resultCount(); ++index)
    node.setResult(index, takeResult(g, branches[0].results[index],
                                     branches[1].results[index], values));
  return success();
}

static const OperatorRow rows[] = {
    {"If", emitIf, 1, 1, 1, ~0u},
};

ArrayRef<OperatorRow> controlFlowOperators() { return rows; }

} // namespace llmopt::graph
