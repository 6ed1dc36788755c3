//===- FinishImport.cpp - Checks and names the decoder's signature --------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/IndexAnalysis.h"
#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_FINISHIMPORT
#include "passes/Import/Passes.h.inc"

namespace {
/// The roles of a signature: by argument and by result number.
struct Roles {
  SmallVector<ArgumentRoleAttr> arguments, results;
};

struct FinishImportPass : impl::FinishImportBase<FinishImportPass> {
  using FinishImportBase::FinishImportBase;
  void runOnOperation() override;

private:
  LogicalResult finish();
  LogicalResult reportNodes();
  FailureOr<Roles> findRoles();
  LogicalResult addArgument(Roles &roles, Value value, Role role,
                            int64_t layer);
  LogicalResult checkRoles(const Roles &roles);
  void setRoles(const Roles &roles);
  InFlightDiagnostic refuse(const Twine &what);
};
} // namespace

/// True when the types of all inputs are known, but not of a result that is
/// used: no rule covers the operator, or not this use of it.
static bool losesType(onnx::NodeOp node) {
  auto isUnknown = [](Value value) {
    return isa<onnx::ValueType>(value.getType()) && !value.use_empty() &&
           !value.getDefiningOp<onnx::NoneOp>();
  };
  return llvm::none_of(node.getInputs(), isUnknown) &&
         llvm::any_of(node.getResults(), isUnknown);
}

/// True when a rule describes the operator, so that only this use is unknown.
static bool hasRule(onnx::NodeOp node) {
  return findLayoutRule(node) || findElementwiseRule(node) ||
         findComputationRule(node);
}

/// Reports one node, with the reasons of the patterns that looked at it.
static void reportNode(onnx::NodeOp node) {
  InFlightDiagnostic diagnostic = node.emitError();
  StringRef domain = node.getDomain();
  diagnostic << "node '" << getNodeName(node) << "': operator "
             << node.getOpType() << " (domain "
             << (domain.empty() ? StringRef(onnx::kDefaultDomain) : domain);
  if (std::optional<int64_t> version = node.getOpsetVersion())
    diagnostic << ", version " << *version;
  diagnostic << ") cannot be compiled: ";
  if (auto reason = node->getAttrOfType<StringAttr>(kRefusalAttrName))
    diagnostic << reason.getValue();
  else if (hasRule(node))
    diagnostic << "the shape or the meaning of its result cannot be told; "
                  "export the model with another exporter or newer versions";
  else
    diagnostic << "no pass covers it; export the model without this operator";
}

/// Reports the nodes that are left: those that patterns refused, and those
/// where types get lost; all of them if there are none of these.
LogicalResult FinishImportPass::reportNodes() {
  SmallVector<onnx::NodeOp> left(
      getOperation().getBody().front().getOps<onnx::NodeOp>());
  if (left.empty())
    return success();
  SmallVector<onnx::NodeOp> causes;
  for (onnx::NodeOp node : left)
    if (node->hasAttr(kRefusalAttrName) || losesType(node))
      causes.push_back(node);
  if (causes.empty())
    causes = left;
  for (onnx::NodeOp node : ArrayRef(causes).take_front(maxDiagnostics))
    reportNode(node);
  if (causes.size() > maxDiagnostics)
    getOperation().emitError()
        << causes.size() - maxDiagnostics << " more nodes cannot be compiled";
  return failure();
}

InFlightDiagnostic FinishImportPass::refuse(const Twine &what) {
  return getOperation().emitError()
         << "the model is not a decoder with a KV cache: " << what
         << "; export a causal language model with past and present keys and "
            "values";
}

/// The name of an argument or result in the file.
static StringRef getFileName(DictionaryAttr attributes) {
  auto name =
      attributes ? attributes.getAs<StringAttr>(onnx::kNameAttr) : StringAttr();
  return name ? name.getValue() : StringRef();
}

LogicalResult FinishImportPass::addArgument(Roles &roles, Value value,
                                            Role role, int64_t layer) {
  auto argument = dyn_cast_or_null<BlockArgument>(value);
  if (!argument)
    return refuse(Twine("its ") + stringifyRole(role) +
                  " are computed, not an input");
  ArgumentRoleAttr wanted = ArgumentRoleAttr::get(&getContext(), role, layer);
  ArgumentRoleAttr &slot = roles.arguments[argument.getArgNumber()];
  if (slot && slot != wanted)
    return refuse(
        "input '" +
        getFileName(getOperation().getArgAttrDict(argument.getArgNumber())) +
        "' serves as " + stringifyRole(slot.getRole()) + " and as " +
        stringifyRole(role));
  slot = wanted;
  return success();
}

FailureOr<Roles> FinishImportPass::findRoles() {
  func::FuncOp function = getOperation();
  Roles roles;
  roles.arguments.resize(function.getNumArguments());
  roles.results.resize(function.getNumResults());
  DenseMap<Value, ArgumentRoleAttr> present;
  auto note = [&](Value value, Role role, int64_t layer) {
    present[value] = ArgumentRoleAttr::get(&getContext(), role, layer);
  };
  int64_t layer = 0;
  for (Operation &op : function.getBody().front()) {
    LogicalResult added = success();
    if (auto embedding = dyn_cast<EmbeddingOp>(op))
      added = addArgument(roles, embedding.getIds(), Role::Tokens, 0);
    if (auto rope = dyn_cast<RopeOp>(op);
        rope && !rope.getPositions().getDefiningOp<RowPositionsOp>())
      added = addArgument(roles, rope.getPositions(), Role::Positions, 0);
    if (auto positions = dyn_cast<PositionEmbeddingOp>(op))
      added = addArgument(roles, positions.getPositions(), Role::Positions, 0);
    if (isa<LinearOp>(op) || (isa<BiasOp, ScaleOp, SoftcapOp>(op) &&
                              present.contains(op.getOperand(0))))
      note(op.getResult(0), Role::Logits, 0);
    if (auto attention = dyn_cast<AttentionOp>(op)) {
      if (Value mask = attention.getMask())
        added = addArgument(roles, mask, Role::Mask, 0);
      if (succeeded(added) && attention.getPastKey()) {
        added = addArgument(roles, attention.getPastKey(), Role::Key, layer);
        if (succeeded(added))
          added =
              addArgument(roles, attention.getPastValue(), Role::Value, layer);
      }
      note(attention.getPresentKey(), Role::Key, layer);
      note(attention.getPresentValue(), Role::Value, layer++);
    }
    if (failed(added))
      return failure();
  }
  for (auto [index, value] : llvm::enumerate(
           function.getBody().front().getTerminator()->getOperands()))
    roles.results[index] = present.lookup(value);
  return roles;
}

LogicalResult FinishImportPass::checkRoles(const Roles &roles) {
  func::FuncOp function = getOperation();
  auto count = [](ArrayRef<ArgumentRoleAttr> slots, Role role) {
    return llvm::count_if(slots, [&](ArgumentRoleAttr slot) {
      return slot && slot.getRole() == role;
    });
  };
  int64_t layers =
      llvm::range_size(function.getBody().front().getOps<AttentionOp>());
  if (!layers)
    return refuse("it has no causal attention");
  if (count(roles.arguments, Role::Tokens) != 1)
    return refuse("it has no input of token ids");
  if (count(roles.results, Role::Logits) != 1)
    return refuse("it has " + Twine(count(roles.results, Role::Logits)) +
                  " results that are products with a constant weight, "
                  "expected one: the logits");
  for (auto [index, slot] : llvm::enumerate(roles.arguments))
    if (!slot)
      return refuse("input '" + getFileName(function.getArgAttrDict(index)) +
                    "' has no part in it");
  for (auto [index, slot] : llvm::enumerate(roles.results))
    if (!slot)
      return refuse("output '" +
                    getFileName(function.getResultAttrDict(index)) +
                    "' is neither logits nor present keys or values");
  for (auto [kind, slots] :
       {std::pair(StringRef("inputs"), ArrayRef(roles.arguments)),
        std::pair(StringRef("outputs"), ArrayRef(roles.results))}) {
    int64_t keys = count(slots, Role::Key), values = count(slots, Role::Value);
    if (keys != values || (keys != 0 && keys != layers))
      return refuse("its " + kind + " have keys of " + Twine(keys) +
                    " and values of " + Twine(values) + " of its " +
                    Twine(layers) + " layers");
  }
  return success();
}

/// The product that logits come from.
static LinearOp findHead(Value logits) {
  while (!logits.getDefiningOp<LinearOp>())
    logits = logits.getDefiningOp()->getOperand(0);
  return logits.getDefiningOp<LinearOp>();
}

void FinishImportPass::setRoles(const Roles &roles) {
  func::FuncOp function = getOperation();
  for (auto [index, slot] : llvm::enumerate(roles.arguments)) {
    function.setArgAttr(index, kRoleAttrName, slot);
    function.removeArgAttr(index, onnx::kDimsAttr);
  }
  Operation *terminator = function.getBody().front().getTerminator();
  for (auto [index, slot] : llvm::enumerate(roles.results)) {
    function.setResultAttr(index, kRoleAttrName, slot);
    for (StringRef name : {onnx::kDimsAttr, onnx::kTypeAttr})
      function.removeResultAttr(index, StringAttr::get(&getContext(), name));
    if (slot.getRole() == Role::Logits)
      findHead(terminator->getOperand(index)).setHead(true);
  }
}

LogicalResult FinishImportPass::finish() {
  if (failed(reportNodes()))
    return failure();
  FailureOr<Roles> roles = findRoles();
  if (failed(roles) || failed(checkRoles(*roles)))
    return failure();
  setRoles(*roles);
  return success();
}

void FinishImportPass::runOnOperation() {
  if (getOperation().isExternal())
    return;
  if (!allowGraph) {
    if (failed(finish()))
      signalPassFailure();
    return;
  }
  // What keeps the model from being a decoder is no error: it is compiled as a
  // graph then, and the report says why.
  std::string reason;
  ScopedDiagnosticHandler handler(&getContext(), [&](Diagnostic &diagnostic) {
    if (reason.empty())
      reason = diagnostic.str();
    return success();
  });
  if (failed(finish()))
    getOperation()->setAttr(kGraphReasonAttrName,
                            StringAttr::get(&getContext(), reason));
}
} // namespace llmopt
