//===- CheckNodes.cpp - Check nodes against their operators -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/ONNXMatch.h"
#include "passes/Import/OperatorSchema.h"
#include "passes/Import/Passes.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_CHECKNODES
#include "passes/Import/Passes.h.inc"

/// How many inputs or outputs the letters of a schema ask for.
static std::pair<size_t, size_t> getRange(StringRef letters) {
  size_t least = 0;
  for (auto [i, letter] : llvm::enumerate(letters))
    if (letter == '1' || letter == '+')
      least = i + 1;
  bool isOpen = letters.ends_with("*") || letters.ends_with("+");
  return {least, isOpen ? SIZE_MAX : letters.size()};
}

static std::string toText(std::pair<size_t, size_t> range) {
  auto [least, most] = range;
  if (most == SIZE_MAX)
    return "at least " + std::to_string(least);
  if (least == most)
    return std::to_string(least);
  return std::to_string(least) + " to " + std::to_string(most);
}

/// The kind of an attribute as in OperatorSchema::attributes.
static char getKind(Attribute attribute) {
  return TypeSwitch<Attribute, char>(attribute)
      .Case<FloatAttr>([](auto) { return 'f'; })
      .Case<IntegerAttr>([](auto) { return 'i'; })
      .Case<StringAttr>([](auto) { return 's'; })
      .Case<DenseF32ArrayAttr>([](auto) { return 'F'; })
      .Case<DenseI64ArrayAttr>([](auto) { return 'I'; })
      .Case<ArrayAttr>([](auto) { return 'S'; })
      .Default('t');
}

static StringRef describeKind(char kind) {
  switch (kind) {
  case 'f':
    return "a float";
  case 'i':
    return "an integer";
  case 's':
    return "a string";
  case 't':
    return "a tensor";
  case 'g':
    return "a graph";
  case 'F':
    return "a list of floats";
  case 'I':
    return "a list of integers";
  case 'S':
    return "a list of strings";
  default:
    return "of a kind that no node here has";
  }
}

namespace {

/// Checks one node and reports the first problem.
class NodeChecker {
public:
  NodeChecker(onnx::NodeOp node, const OperatorTable &table)
      : node(node), table(table), version(node.getOpsetVersion().value_or(1)) {}

  LogicalResult check();

private:
  /// The schema of the node's version.
  FailureOr<const OperatorSchema *> findSchema();
  LogicalResult checkCount(StringRef what, size_t count, StringRef letters);
  LogicalResult checkInputs(StringRef letters);
  LogicalResult checkAttributes(StringRef list);
  /// The kind of attribute `name` of the node; nullopt when it has none.
  std::optional<char> findAttribute(StringRef name);
  LogicalResult refuse(const Twine &what);

  onnx::NodeOp node;
  const OperatorTable &table;
  int64_t version;
};

struct CheckNodesPass : impl::CheckNodesBase<CheckNodesPass> {
  using CheckNodesBase::CheckNodesBase;
  void runOnOperation() override;
};

} // namespace

LogicalResult NodeChecker::refuse(const Twine &what) {
  StringRef domain = node.getDomain();
  return node->emitError() << "node '" << getNodeName(node) << "': operator "
                           << node.getOpType() << " (domain "
                           << (domain.empty() ? StringRef(onnx::kDefaultDomain)
                                              : domain)
                           << ", version " << version << "): " << what;
}

FailureOr<const OperatorSchema *> NodeChecker::findSchema() {
  StringRef domain = node.getDomain();
  if (!table.hasDomain(domain))
    return refuse("unknown domain; operators of ai.onnx and com.microsoft are "
                  "known");
  ArrayRef<const OperatorSchema *> schemas =
      table.lookup(domain, node.getOpType());
  if (schemas.empty())
    return refuse("unknown operator; the domain defines none of this name");
  if (version < schemas.front()->version)
    return refuse("unknown operator before version " +
                  Twine(schemas.front()->version));
  const OperatorSchema *schema = nullptr;
  for (const OperatorSchema *candidate : schemas)
    if (candidate->version <= version)
      schema = candidate;
  if (schema->isRemoved)
    return refuse("the operator was removed in version " +
                  Twine(schema->version));
  return schema;
}

LogicalResult NodeChecker::checkCount(StringRef what, size_t count,
                                      StringRef letters) {
  std::pair<size_t, size_t> range = getRange(letters);
  if (count >= range.first && count <= range.second)
    return success();
  return refuse("has " + Twine(count) + " " + what + ", but takes " +
                toText(range));
}

LogicalResult NodeChecker::checkInputs(StringRef letters) {
  if (failed(checkCount("inputs", node.getInputs().size(), letters)))
    return failure();
  for (auto [i, letter, input] :
       llvm::enumerate(letters.take_front(node.getInputs().size()),
                       node.getInputs().take_front(letters.size())))
    if (letter == '1' && input.getDefiningOp<onnx::NoneOp>())
      return refuse("input " + Twine(i) + " is left out, but must be there");
  return success();
}

std::optional<char> NodeChecker::findAttribute(StringRef name) {
  if (Attribute attribute = node.getNodeAttrs().get(name))
    return getKind(attribute);
  if (node.getSubgraph(name))
    return 'g';
  return std::nullopt;
}

LogicalResult NodeChecker::checkAttributes(StringRef list) {
  size_t numKnown = 0;
  llvm::StringSet<> known;
  SmallVector<StringRef> entries;
  list.split(entries, ' ', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef entry : entries) {
    bool isRequired = entry.consume_back("!");
    auto [name, kind] = entry.split(':');
    known.insert(name);
    std::optional<char> found = findAttribute(name);
    if (!found && isRequired)
      return refuse("attribute '" + name + "' is missing");
    if (found && *found != kind.front())
      return refuse("attribute '" + name + "' is " + describeKind(*found) +
                    ", but must be " + describeKind(kind.front()));
    numKnown += found.has_value();
  }
  size_t numGiven = node.getNodeAttrs().size() + node.getSubgraphs().size();
  if (numKnown == numGiven)
    return success();
  SmallVector<StringRef> given(
      node.getSubgraphNames().getAsValueRange<StringAttr>());
  for (NamedAttribute attribute : node.getNodeAttrs())
    given.push_back(attribute.getName());
  const StringRef *unknown = llvm::find_if(
      given, [&](StringRef name) { return !known.contains(name); });
  return refuse("unknown attribute '" + *unknown + "'");
}

LogicalResult NodeChecker::check() {
  FailureOr<const OperatorSchema *> schema = findSchema();
  if (failed(schema) || failed(checkInputs((*schema)->inputs)) ||
      failed(checkCount("outputs", node.getNumResults(), (*schema)->outputs)))
    return failure();
  return checkAttributes((*schema)->attributes);
}

void CheckNodesPass::runOnOperation() {
  OperatorTable table;
  unsigned numWrong = 0;
  getOperation()->walk([&](onnx::NodeOp node) {
    if (failed(NodeChecker(node, table).check()))
      ++numWrong;
    return numWrong < maxDiagnostics ? WalkResult::advance()
                                     : WalkResult::interrupt();
  });
  if (numWrong != 0)
    signalPassFailure();
}

} // namespace llmopt
