//===- SessionSignature.cpp - What @main's arguments mean -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/SessionSignature.h"
#include "mlir/IR/Builders.h"

using namespace llmopt;
using namespace mlir;

/// Attribute in which the frontend keeps the name of a value of the signature.
static constexpr llvm::StringLiteral kOnnxNameAttrName = "onnx.name";

namespace {

/// Builds a SessionSignature step by step; every step reports what it refuses.
class Analysis {
public:
  Analysis(func::FuncOp main, KVFormat kv) : kv(kv) { signature.main = main; }

  FailureOr<SessionSignature> run();

private:
  LogicalResult explainArguments();
  LogicalResult explainResults();
  LogicalResult assignLayers();
  LogicalResult checkCacheResults();
  LogicalResult checkLayer(AttentionOp attention, int64_t layer);
  LogicalResult checkPast(AttentionOp attention, Value past, Role role,
                          int64_t layer);
  LogicalResult checkPresent(AttentionOp attention, Value present, Role role,
                             int64_t layer);
  LogicalResult describeDecoder();
  FailureOr<int64_t> maxPositions();
  FailureOr<AttentionOp> commonAttention();
  ArrayAttr describe(bool results);

  ArgumentRoleAttr argumentRole(unsigned index) {
    return signature.main.getArgAttrOfType<ArgumentRoleAttr>(index,
                                                             kRoleAttrName);
  }
  ArgumentRoleAttr resultRole(unsigned index) {
    return signature.main.getResultAttrOfType<ArgumentRoleAttr>(index,
                                                                kRoleAttrName);
  }

  SessionSignature signature;
  KVFormat kv;
  func::ReturnOp terminator;
};

} // namespace

static std::string nameOf(StringAttr name, StringRef fallback, unsigned index) {
  if (name)
    return name.str();
  return (fallback + Twine(index)).str();
}

std::string SessionSignature::argumentName(func::FuncOp main, unsigned index) {
  return nameOf(main.getArgAttrOfType<StringAttr>(index, kOnnxNameAttrName),
                "input", index);
}

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

LogicalResult Analysis::explainArguments() {
  func::FuncOp main = signature.main;
  for (BlockArgument argument : main.getArguments()) {
    ArgumentRoleAttr role = argumentRole(argument.getArgNumber());
    std::string name =
        SessionSignature::argumentName(main, argument.getArgNumber());
    if (!role)
      return main.emitError()
             << "input '" << name
             << "' of a decoder must be tokens, a mask, positions, or past "
                "keys or values";
    Value *slot = nullptr;
    switch (role.getRole()) {
    case Role::Tokens:
      slot = &signature.tokens;
      break;
    case Role::Mask:
      slot = &signature.mask;
      break;
    case Role::Positions:
      slot = &signature.positions;
      break;
    case Role::Key:
    case Role::Value:
      continue;
    case Role::Logits:
      return main.emitError() << "input '" << name << "' cannot be logits";
    }
    if (*slot)
      return main.emitError()
             << "input '" << name << "' is a second input with role "
             << stringifyRole(role.getRole());
    *slot = argument;
  }
  if (!signature.tokens)
    return main.emitError("no input has the role tokens");
  return success();
}

LogicalResult Analysis::explainResults() {
  func::FuncOp main = signature.main;
  for (OpOperand &operand : terminator->getOpOperands()) {
    ArgumentRoleAttr role = resultRole(operand.getOperandNumber());
    if (!role)
      return main.emitError()
             << "output " << operand.getOperandNumber()
             << " of a decoder must be logits or present keys or values";
    if (role.getRole() == Role::Key || role.getRole() == Role::Value)
      continue;
    if (role.getRole() != Role::Logits || signature.logits)
      return main.emitError()
             << "output " << operand.getOperandNumber() << " has the role "
             << stringifyRole(role.getRole())
             << ", expected one output of logits";
    signature.logits = operand.get();
  }
  if (!signature.logits)
    return main.emitError("no output has the role logits");
  auto type = cast<RankedTensorType>(signature.logits.getType());
  if (type.getRank() != 3 || !type.getElementType().isF32() ||
      type.isDynamicDim(2))
    return main.emitError("logits must be f32 [batch, sequence, vocabulary], "
                          "got ")
           << type;
  return success();
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

LogicalResult Analysis::checkPast(AttentionOp attention, Value past, Role role,
                                  int64_t layer) {
  auto argument = dyn_cast<BlockArgument>(past);
  if (!argument)
    return attention.emitOpError()
           << "past " << stringifyRole(role)
           << " must be an input of the model, because past becomes state";
  ArgumentRoleAttr actual = argumentRole(argument.getArgNumber());
  if (actual.getRole() != role || actual.getLayer() != layer)
    return attention.emitOpError()
           << "past " << stringifyRole(role) << " of layer " << layer
           << " is input '"
           << SessionSignature::argumentName(signature.main,
                                             argument.getArgNumber())
           << "' with role " << actual;
  return success();
}

LogicalResult Analysis::checkPresent(AttentionOp attention, Value present,
                                     Role role, int64_t layer) {
  for (OpOperand &use : present.getUses()) {
    if (use.getOwner() != terminator)
      return use.getOwner()->emitOpError()
             << "depends on the present " << stringifyRole(role) << " of layer "
             << layer << ", which becomes state of the session";
    ArgumentRoleAttr actual = resultRole(use.getOperandNumber());
    if (actual.getRole() != role || actual.getLayer() != layer)
      return attention.emitOpError()
             << "present " << stringifyRole(role) << " of layer " << layer
             << " is returned with role " << actual;
  }
  return success();
}

LogicalResult Analysis::checkLayer(AttentionOp attention, int64_t layer) {
  if (attention.getPastKey() &&
      (failed(checkPast(attention, attention.getPastKey(), Role::Key, layer)) ||
       failed(
           checkPast(attention, attention.getPastValue(), Role::Value, layer))))
    return failure();
  if (failed(checkPresent(attention, attention.getPresentKey(), Role::Key,
                          layer)) ||
      failed(checkPresent(attention, attention.getPresentValue(), Role::Value,
                          layer)))
    return failure();
  if (attention.getMask() && attention.getMask() != signature.mask)
    return attention.emitOpError(
        "mask must be the mask input of the model, because it becomes state");
  return success();
}

LogicalResult Analysis::assignLayers() {
  int64_t order = 0;
  DenseMap<int64_t, Operation *> seen;
  WalkResult walk = signature.main.walk([&](AttentionOp attention) {
    int64_t layer = order++;
    if (auto past = dyn_cast_or_null<BlockArgument>(attention.getPastKey()))
      layer = argumentRole(past.getArgNumber()).getLayer();
    if (failed(checkLayer(attention, layer)))
      return WalkResult::interrupt();
    if (!seen.try_emplace(layer, attention).second) {
      attention.emitOpError() << "is a second attention of layer " << layer;
      return WalkResult::interrupt();
    }
    signature.layers[attention] = layer;
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return failure();
  if (seen.empty())
    return signature.main.emitError("a decoder needs at least one attention");
  for (int64_t layer = 0; layer < order; ++layer)
    if (!seen.count(layer))
      return signature.main.emitError()
             << "there are " << order << " attentions, but none of layer "
             << layer;
  return success();
}

/// The runtime answers keys and values from the cache, so nothing else can be
/// returned as such.
LogicalResult Analysis::checkCacheResults() {
  for (OpOperand &operand : terminator->getOpOperands()) {
    ArgumentRoleAttr role = resultRole(operand.getOperandNumber());
    auto attention = operand.get().getDefiningOp<AttentionOp>();
    if (role.getRole() != Role::Logits &&
        (!attention || operand.get() == attention.getResult()))
      return signature.main.emitError()
             << "output " << operand.getOperandNumber() << " has the role "
             << role << ", but is no present of an attention";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Geometry
//===----------------------------------------------------------------------===//

FailureOr<AttentionOp> Analysis::commonAttention() {
  AttentionOp first;
  WalkResult walk = signature.main.walk([&](AttentionOp attention) {
    if (!first)
      first = attention;
    if (attention.getHeads() == first.getHeads() &&
        attention.getKvHeads() == first.getKvHeads() &&
        attention.getHeadDim() == first.getHeadDim() &&
        attention.getPadding() == first.getPadding())
      return WalkResult::advance();
    attention.emitOpError("all layers must have equal heads, kv_heads, "
                          "head_dim and padding");
    return WalkResult::interrupt();
  });
  if (walk.wasInterrupted())
    return failure();
  return first;
}

FailureOr<int64_t> Analysis::maxPositions() {
  int64_t rows = std::numeric_limits<int64_t>::max();
  signature.main.walk([&](RopeOp rope) {
    rows = std::min(rows, rope.getTable().getType().getDimSize(0));
  });
  signature.main.walk([&](PositionEmbeddingOp embedding) {
    rows = std::min(rows, embedding.getPositionCount());
  });
  if (rows == std::numeric_limits<int64_t>::max())
    return signature.main.emitError(
        "no rotary or learned embedding bounds the positions of the decoder");
  return rows;
}

ArrayAttr Analysis::describe(bool results) {
  func::FuncOp main = signature.main;
  unsigned count = results ? main.getNumResults() : main.getNumArguments();
  SmallVector<Attribute> arguments;
  for (unsigned i = 0; i < count; ++i) {
    ArgumentRoleAttr role = results ? resultRole(i) : argumentRole(i);
    std::string name =
        results
            ? nameOf(main.getResultAttrOfType<StringAttr>(i, kOnnxNameAttrName),
                     "output", i)
            : SessionSignature::argumentName(main, i);
    Type type = results ? main.getResultTypes()[i] : main.getArgumentTypes()[i];
    arguments.push_back(ArgumentAttr::get(main.getContext(), name,
                                          role.getRole(), role.getLayer(),
                                          cast<RankedTensorType>(type)));
  }
  return ArrayAttr::get(main.getContext(), arguments);
}

LogicalResult Analysis::describeDecoder() {
  FailureOr<AttentionOp> attention = commonAttention();
  if (failed(attention))
    return failure();
  FailureOr<int64_t> positions = maxPositions();
  if (failed(positions))
    return failure();
  int64_t vocabulary =
      cast<RankedTensorType>(signature.logits.getType()).getShape().back();
  signature.decoder = DecoderAttr::get(
      signature.main.getContext(), signature.layers.size(),
      attention->getHeads(), attention->getKvHeads(), attention->getHeadDim(),
      vocabulary, *positions, attention->getPadding(), kv,
      describe(/*results=*/false), describe(/*results=*/true));
  return success();
}

FailureOr<SessionSignature> Analysis::run() {
  func::FuncOp main = signature.main;
  if (!main.getBody().hasOneBlock())
    return main.emitError("must have one block");
  terminator = cast<func::ReturnOp>(main.getBody().front().getTerminator());
  for (Type type :
       llvm::concat<const Type>(main.getArgumentTypes(), main.getResultTypes()))
    if (!isa<RankedTensorType>(type))
      return main.emitError("inputs and outputs must be ranked tensors, got ")
             << type;
  if (failed(explainArguments()) || failed(explainResults()) ||
      failed(assignLayers()) || failed(checkCacheResults()) ||
      failed(describeDecoder()))
    return failure();
  return signature;
}

FailureOr<SessionSignature> SessionSignature::analyze(func::FuncOp main,
                                                      KVFormat kv) {
  return Analysis(main, kv).run();
}
