//===- AttentionMatch.cpp - Attention in terms of index functions ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/AttentionMatch.h"
#include "passes/Import/MaskProof.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/ProjectionMatch.h"
#include <cmath>

using namespace mlir;

namespace llmopt {

using symbolic::Context;
using symbolic::Expr;
using symbolic::Kind;
using symbolic::Node;

namespace {
/// Axes of the indices that the matcher uses.
enum Axis { Batch, Head, Query, Feature, Key, PastKey };

/// Follows one attention backwards from the product with the values.
class AttentionMatcher {
public:
  AttentionMatcher(onnx::NodeOp product, IndexAnalysis &analysis,
                   std::string &reason)
      : product(product), analysis(analysis), context(analysis.getContext()),
        reason(reason) {}

  FailureOr<AttentionMatch> match();

private:
  /// Sets the geometry and the indices from the shapes of the result and of the
  /// keys' axis.
  LogicalResult matchShape(Expr keys);
  bool isProbability(Expr element);
  LogicalResult matchProducts();
  LogicalResult matchOperator();
  LogicalResult checkOperator();
  LogicalResult matchMask(Expr scores, Expr score);
  Value findMask(Expr scores, Expr &element);
  LogicalResult matchQuery();
  /// The part of keys or values in the cache, and the new one.
  LogicalResult matchCache(Expr element, StringRef what, Projection &projection,
                           Value &past, Expr &present);
  LogicalResult matchPast(Expr element, float scale, Value &past);
  int64_t countHeads(Expr keys);
  Value matchSoftcap(Value scores, float &scale);
  LogicalResult refuse(const Twine &text) {
    reason = text.str();
    return failure();
  }

  /// The product with the values, or an Attention operator.
  onnx::NodeOp product;
  IndexAnalysis &analysis;
  Context &context;
  std::string &reason;
  AttentionMatch result;
  /// Indices of batch, head, query, feature, key.
  Expr b = nullptr, h = nullptr, q = nullptr, d = nullptr, t = nullptr;
  /// Elements of queries, keys and values at these indices.
  Expr query = nullptr, key = nullptr, value = nullptr;
};
} // namespace

/// The probability without the guard of PyTorch, which replaces the NaN of a
/// row without keys by 0.
static Expr stripGuard(Expr probability) {
  if (probability->kind == Kind::Select &&
      probability->operands[0]->kind == Kind::IsNaN &&
      probability->operands[0]->operands[0] == probability->operands[2])
    return probability->operands[2];
  return probability;
}

bool AttentionMatcher::isProbability(Expr element) {
  element = stripGuard(element);
  return element->kind == Kind::Load &&
         getNode(analysis.getBase(element), "Softmax");
}

LogicalResult AttentionMatcher::matchShape(Expr keys) {
  const TensorFunction *output = analysis.lookup(product.getResult(0));
  ArrayRef<Expr> shape(output->shape);
  if (shape[1]->kind != Kind::Constant || shape[3]->kind != Kind::Constant)
    return refuse("the number of heads and their size are not constants");
  if (shape[0] != analysis.getBatch() && shape[0]->kind != Kind::Constant)
    return refuse("its first dimension is not the batch");
  if (shape[2] != analysis.getSequence() && shape[2]->kind != Kind::Constant)
    return refuse("its queries are not all tokens of the sequence");
  result.heads = shape[1]->value;
  result.headDim = shape[3]->value;
  b = context.variable(Batch, shape[0]);
  h = context.variable(Head, shape[1]);
  q = context.variable(Query, shape[2]);
  d = context.variable(Feature, shape[3]);
  t = context.variable(Key, keys);
  if (keys != context.add(shape[2], analysis.getPast()))
    return refuse(
        "its keys are not the past and the new ones: their number is " +
        symbolic::toString(keys));
  return success();
}

/// The attention mask in an expression: the only integer or boolean input that
/// it reads; null when there is none. `element` is what is read.
Value AttentionMatcher::findMask(Expr scores, Expr &element) {
  for (Expr leaf : symbolic::collectLeaves(scores)) {
    if (leaf->kind != Kind::Load || leaf->activation != Node::noActivation)
      continue;
    if (element && element != leaf)
      return {};
    element = leaf;
  }
  return element ? analysis.getBase(element) : Value();
}

LogicalResult AttentionMatcher::matchMask(Expr scores, Expr score) {
  Expr maskElement = nullptr;
  result.mask = findMask(scores, maskElement);
  if (maskElement && (!result.mask || !isa<BlockArgument>(result.mask) ||
                      maskElement != analysis.loadBase(result.mask, {b, t})))
    return refuse("its mask reads " + symbolic::toString(maskElement) +
                  ", expected one element [batch, key] of one input");
  std::optional<CausalMask> mask = proveCausalMask(
      {scores, score, q, t, analysis.getPast(), maskElement}, context, reason);
  if (!mask)
    return failure();
  result.scale = mask->factor;
  result.window = mask->window;
  return success();
}

LogicalResult AttentionMatcher::matchProducts() {
  const TensorFunction *output = analysis.lookup(product.getResult(0));
  const TensorFunction *left = analysis.lookup(getInput(product, 0));
  if (!output || !left || output->shape.size() != 4 ||
      left->shape.size() != 4 || !output->elementType.isF32())
    return refuse("no attention: its operands are not float32 tensors of rank "
                  "4");
  if (!isProbability(left->element))
    return refuse("no attention: its left operand is not a softmax");
  if (failed(matchShape(left->shape[3])))
    return failure();
  Expr probability = analysis.at(getInput(product, 0), {b, h, q, t});
  if (!probability)
    return refuse("its probabilities could not be followed");
  probability = stripGuard(probability);
  onnx::NodeOp softmax = getNode(analysis.getBase(probability), "Softmax");
  if (probability != analysis.loadBase(softmax.getResult(0), {b, h, q, t}))
    return refuse("its probabilities are not in the order of the softmax");
  // Up to version 12 the default was axis 1 and all that follow.
  int64_t byDefault = softmax.getOpsetVersion().value_or(13) < 13 ? 1 : -1;
  if (normalizeAxis(getIntAttr(softmax, "axis", byDefault), 4) != 3)
    return refuse("its softmax is not over the keys");
  Expr scores = analysis.at(getInput(softmax, 0), {b, h, q, t});
  if (!scores || scores->activation < 0)
    return refuse("its scores are not a masked product of queries and keys");
  Expr score = nullptr;
  for (Expr leaf : symbolic::collectLeaves(scores))
    if (leaf->kind == Kind::Load && leaf->activation != Node::noActivation)
      score = leaf;
  if (!score ||
      score != analysis.loadBase(analysis.getBase(score), {b, h, q, t}))
    return refuse("its scores are not in the order of the product");
  float innerScale = 1;
  Value base = analysis.getBase(score);
  Value uncapped = matchSoftcap(base, innerScale);
  onnx::NodeOp scoreProduct = getNode(uncapped ? uncapped : base, "MatMul");
  if (!scoreProduct)
    return refuse("its scores are not a product of queries and keys");
  query = analysis.at(getInput(scoreProduct, 0), {b, h, q, d});
  key = analysis.at(getInput(scoreProduct, 1), {b, h, d, t});
  value = analysis.at(getInput(product, 1), {b, h, t, d});
  if (failed(matchMask(scores, score)))
    return failure();
  if (uncapped) {
    // The mask's proof gives the factor of the tangent: the cap.
    result.softcap = result.scale;
    result.scale *= innerScale;
    if (!(result.softcap > 0) || !std::isfinite(result.softcap))
      return refuse("its soft cap is not a positive number");
  }
  return success();
}

/// The product of which `scores` are the hyperbolic tangent, times `scale`;
/// null when they are none.
Value AttentionMatcher::matchSoftcap(Value scores, float &scale) {
  onnx::NodeOp tangent = getNode(scores, "Tanh");
  if (!tangent)
    return {};
  Expr inner = analysis.at(getInput(tangent, 0), {b, h, q, t});
  inner = inner ? peelScale(inner, scale) : nullptr;
  if (!inner || inner->kind != Kind::Load)
    return {};
  Value product = analysis.getBase(inner);
  return inner == analysis.loadBase(product, {b, h, q, t}) ? product : Value();
}

LogicalResult AttentionMatcher::checkOperator() {
  if (getInput(product, 4) || getInput(product, 5))
    return refuse("past inputs of the operator are not supported");
  if (getFloatAttr(product, "softcap", 0) != 0)
    return refuse("a soft cap is not supported");
  for (unsigned index = 1; index < product.getNumResults(); ++index)
    if (getUsedResult(product, index))
      return refuse("only the first result of the operator is supported");
  for (unsigned index : {0, 1, 2}) {
    const TensorFunction *operand = analysis.lookup(getInput(product, index));
    if (!operand || operand->shape.size() != 4 ||
        !operand->elementType.isF32() ||
        operand->shape[1]->kind != Kind::Constant)
      return refuse("queries, keys and values must be float32 tensors "
                    "[batch, heads, tokens, head size]");
  }
  return success();
}

/// The operator Attention, from version 23 on: its product of queries and keys
/// is no tensor, so an element of its result stands for it.
LogicalResult AttentionMatcher::matchOperator() {
  if (failed(checkOperator()))
    return failure();
  const TensorFunction *keys = analysis.lookup(getInput(product, 1));
  if (failed(matchShape(keys->shape[2])))
    return failure();
  int64_t kvHeads = keys->shape[1]->value;
  if (kvHeads <= 0 || result.heads % kvHeads)
    return refuse("its heads are not a multiple of those of its keys");
  Expr head = context.floorDiv(h, context.constant(result.heads / kvHeads));
  query = analysis.at(getInput(product, 0), {b, h, q, d});
  key = analysis.at(getInput(product, 1), {b, head, t, d});
  value = analysis.at(getInput(product, 2), {b, head, t, d});
  Expr score = analysis.loadBase(product.getResult(0), {b, h, q, t});
  float scale =
      getFloatAttr(product, "scale", 1 / std::sqrt(float(result.headDim)));
  Expr scores =
      context.floatBinary(Kind::FloatMul, score, context.number(scale));
  Expr hidden = context.number(-INFINITY);
  if (getIntAttr(product, "is_causal", 0))
    scores = context.select(context.lessOrEqual(t, q), scores, hidden);
  if (Value given = getInput(product, 3)) {
    const TensorFunction *mask = analysis.lookup(given);
    if (!mask || mask->shape.size() > 4)
      return refuse("its mask could not be followed through the graph");
    Expr element = analysis.atBroadcast(*mask, ArrayRef<Expr>{b, h, q, t});
    scores = mask->elementType.isInteger(1)
                 ? context.select(element, scores, hidden)
                 : context.floatBinary(Kind::FloatAdd, scores, element);
  }
  if (!scores)
    return refuse("its mask could not be followed through the graph");
  return matchMask(scores, score);
}

LogicalResult AttentionMatcher::matchQuery() {
  std::string why;
  FailureOr<Projection> found = matchProjection(
      {query, b, q, h, d, result.heads, result.headDim}, analysis, why);
  if (failed(found))
    return refuse("its queries " + why);
  result.query = *found;
  result.scale *= found->scale;
  return success();
}

LogicalResult AttentionMatcher::matchPast(Expr element, float scale,
                                          Value &past) {
  float pastScale = 1;
  element = peelScale(element, pastScale);
  if (element->kind != Kind::Load || pastScale != scale)
    return failure();
  past = analysis.getBase(element);
  const TensorFunction *tensor = analysis.lookup(past);
  if (!isa<BlockArgument>(past) || tensor->shape.size() != 4 ||
      tensor->shape[1]->kind != Kind::Constant)
    return failure();
  int64_t kvHeads = tensor->shape[1]->value;
  if (kvHeads <= 0 || result.heads % kvHeads)
    return failure();
  Expr head = context.floorDiv(h, context.constant(result.heads / kvHeads));
  Expr place = context.variable(PastKey, analysis.getPast());
  if (element != analysis.loadBase(past, {b, head, place, d}))
    return failure();
  result.kvHeads = kvHeads;
  return success();
}

/// The number of key heads without a past: what the projection's width or the
/// shape of its normalised heads tells. One product of queries, keys and values
/// has as many of each.
int64_t AttentionMatcher::countHeads(Expr keys) {
  for (Expr leaf : symbolic::collectLeaves(keys)) {
    if (leaf->kind != Kind::Load || leaf->activation == Node::noActivation)
      continue;
    const TensorFunction *source = analysis.lookup(analysis.getBase(leaf));
    if (source && source->shape.size() == 3 &&
        source->shape[2]->kind == Kind::Constant) {
      int64_t count = source->shape[2]->value / result.headDim;
      return count > 0 && result.heads % count == 0 ? count : result.heads;
    }
    if (source && source->shape.size() == 4)
      for (Expr dimension : {source->shape[1], source->shape[2]})
        if (dimension->kind == Kind::Constant)
          return dimension->value;
  }
  return 0;
}

LogicalResult AttentionMatcher::matchCache(Expr element, StringRef what,
                                           Projection &projection, Value &past,
                                           Expr &present) {
  if (!element)
    return refuse("its " + what + " could not be followed through the graph");
  float scale = 1;
  present = peelScale(element, scale);
  Expr fresh =
      context.substitute(element, {{t, context.add(q, analysis.getPast())}});
  if (analysis.getPast() != context.constant(0)) {
    Expr old = context.substitute(
        element, {{t, context.variable(PastKey, analysis.getPast())}});
    if (!old || failed(matchPast(old, scale, past)))
      return refuse("its past " + what +
                    " are not an input [batch, heads, "
                    "past, head size]: they are " +
                    StringRef(symbolic::toString(old)).take_front(300));
  } else if (result.kvHeads == 0) {
    result.kvHeads = countHeads(fresh);
    if (result.kvHeads <= 0 || result.heads % result.kvHeads)
      return refuse("its " + what + " do not come from a projection");
  }
  Expr head =
      context.floorDiv(h, context.constant(result.heads / result.kvHeads));
  std::string why;
  FailureOr<Projection> found = matchProjection(
      {fresh, b, q, head, d, result.kvHeads, result.headDim}, analysis, why);
  if (failed(found))
    return refuse("its " + what + " " + why);
  if (found->scale != scale)
    return refuse("its past and new " + what + " have different factors");
  projection = *found;
  return success();
}

FailureOr<AttentionMatch> AttentionMatcher::match() {
  result = AttentionMatch();
  bool isOperator = product.getOpType() == "Attention";
  if (failed(isOperator ? matchOperator() : matchProducts()) ||
      failed(matchQuery()) ||
      failed(matchCache(key, "keys", result.key, result.pastKey,
                        result.presentKey)) ||
      failed(matchCache(value, "values", result.value, result.pastValue,
                        result.presentValue)))
    return failure();
  if (result.value.rotation || result.value.norm || result.value.scale != 1)
    return FailureOr<AttentionMatch>(
        refuse("its values are rotated, normalised or multiplied by a factor"));
  result.scale *= result.key.scale;
  Expr group = context.constant(result.heads / result.kvHeads);
  result.presentIndices = {b, context.floorDiv(h, group), t, d};
  return result;
}

FailureOr<AttentionMatch> matchAttention(onnx::NodeOp product,
                                         IndexAnalysis &analysis,
                                         std::string &reason) {
  return AttentionMatcher(product, analysis, reason).match();
}

} // namespace llmopt
