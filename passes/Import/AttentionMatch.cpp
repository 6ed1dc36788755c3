//===- AttentionMatch.cpp - Attention in terms of index functions -*- C++
//-*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/AttentionMatch.h"
#include "passes/Import/MaskProof.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/ProjectionMatch.h"

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
  LogicalResult matchShape();
  bool isProbability(Expr element);
  LogicalResult matchScores();
  Value findMask(Expr scores, Expr &element);
  LogicalResult matchQuery();
  /// The part of keys or values in the cache, and the new one.
  LogicalResult matchCache(Expr element, StringRef what, Projection &projection,
                           Value &past, Expr &present);
  LogicalResult matchPast(Expr element, float scale, Value &past);
  LogicalResult refuse(const Twine &text) {
    reason = text.str();
    return failure();
  }

  onnx::NodeOp product, scoreProduct;
  IndexAnalysis &analysis;
  Context &context;
  std::string &reason;
  AttentionMatch result;
  /// Indices of batch, head, query, feature, key.
  Expr b = nullptr, h = nullptr, q = nullptr, d = nullptr, t = nullptr;
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

LogicalResult AttentionMatcher::matchShape() {
  const TensorFunction *output = analysis.lookup(product.getResult(0));
  const TensorFunction *left = analysis.lookup(getInput(product, 0));
  if (!output || !left || output->shape.size() != 4 ||
      left->shape.size() != 4 || !output->elementType.isF32())
    return refuse("no attention: its operands are not float32 tensors of rank "
                  "4");
  if (!isProbability(left->element))
    return refuse("no attention: its left operand is not a softmax");
  ArrayRef<Expr> shape(output->shape);
  if (shape[1]->kind != Kind::Constant || shape[3]->kind != Kind::Constant)
    return refuse("the number of heads and their size are not constants");
  if (shape[0] != analysis.getBatch() && shape[0]->kind != Kind::Constant)
    return refuse("its first dimension is not the batch");
  result.heads = shape[1]->value;
  result.headDim = shape[3]->value;
  b = context.variable(Batch, shape[0]);
  h = context.variable(Head, shape[1]);
  q = context.variable(Query, shape[2]);
  d = context.variable(Feature, shape[3]);
  t = context.variable(Key, left->shape[3]);
  if (left->shape[3] != context.add(shape[2], analysis.getPast()))
    return refuse(
        "its keys are not the past and the new ones: their number is " +
        symbolic::toString(left->shape[3]));
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

LogicalResult AttentionMatcher::matchScores() {
  Expr probability = analysis.at(getInput(product, 0), {b, h, q, t});
  if (!probability)
    return refuse("its probabilities could not be followed");
  probability = stripGuard(probability);
  onnx::NodeOp softmax = getNode(analysis.getBase(probability), "Softmax");
  if (probability != analysis.loadBase(softmax.getResult(0), {b, h, q, t}))
    return refuse("its probabilities are not in the order of the softmax");
  if (normalizeAxis(getIntAttr(softmax, "axis", -1), 4) != 3)
    return refuse("its softmax is not over the keys");
  Expr scores = analysis.at(getInput(softmax, 0), {b, h, q, t});
  if (!scores || scores->activation < 0)
    return refuse("its scores are not a masked product of queries and keys");
  Expr score;
  for (Expr leaf : symbolic::collectLeaves(scores))
    if (leaf->kind == Kind::Load && leaf->activation != Node::noActivation)
      score = leaf;
  scoreProduct = getNode(analysis.getBase(score), "MatMul");
  if (!scoreProduct ||
      score != analysis.loadBase(scoreProduct.getResult(0), {b, h, q, t}))
    return refuse("its scores are not a product of queries and keys");
  Expr maskElement = nullptr;
  result.mask = findMask(scores, maskElement);
  if (maskElement && (!result.mask || !isa<BlockArgument>(result.mask) ||
                      maskElement != analysis.loadBase(result.mask, {b, t})))
    return refuse("its mask reads " + symbolic::toString(maskElement) +
                  ", expected one element [batch, key] of one input");
  std::optional<float> factor = proveCausalMask(
      {scores, score, q, t, analysis.getPast(), maskElement}, context, reason);
  if (!factor)
    return failure();
  result.scale = *factor;
  return success();
}

LogicalResult AttentionMatcher::matchQuery() {
  std::string why;
  FailureOr<Projection> query =
      matchProjection({analysis.at(getInput(scoreProduct, 0), {b, h, q, d}), b,
                       q, h, d, result.heads, result.headDim},
                      analysis, why);
  if (failed(query))
    return refuse("its queries " + why);
  result.query = *query;
  result.scale *= query->scale;
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
    // Without a past the projection's width tells the number of heads.
    for (Expr leaf : symbolic::collectLeaves(fresh))
      if (leaf->kind == Kind::Load && leaf->activation != Node::noActivation)
        if (const TensorFunction *source =
                analysis.lookup(analysis.getBase(leaf));
            source && source->shape.size() == 3 &&
            source->shape[2]->kind == Kind::Constant)
          result.kvHeads = source->shape[2]->value / result.headDim;
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
  if (failed(matchShape()) || failed(matchScores()) || failed(matchQuery()))
    return failure();
  Expr key = analysis.at(getInput(scoreProduct, 1), {b, h, d, t});
  Expr value = analysis.at(getInput(product, 1), {b, h, t, d});
  if (failed(matchCache(key, "keys", result.key, result.pastKey,
                        result.presentKey)) ||
      failed(matchCache(value, "values", result.value, result.pastValue,
                        result.presentValue)))
    return failure();
  if (result.value.rotation || result.value.scale != 1)
    return FailureOr<AttentionMatch>(
        refuse("its values are rotated or multiplied by a factor"));
  result.scale *= result.key.scale;
  Expr group = context.constant(result.heads / result.kvHeads);
  result.presentIndices = {b, context.floorDiv(h, group), t, d};
  return result;
}

FailureOr<AttentionMatch> matchAttention(onnx::NodeOp valueProduct,
                                         IndexAnalysis &analysis,
                                         std::string &reason) {
  return AttentionMatcher(valueProduct, analysis, reason).match();
}

} // namespace llmopt
