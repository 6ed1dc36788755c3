//===- RaiseSdpa.cpp - Softmax attention of any graph ---------------- ===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LLMOpt/LLMOptOps.h"
#include "passes/Import/GraphValues.h"
#include "passes/Import/NodePattern.h"
#include "passes/Import/ONNXMatch.h"
#include "passes/Import/Passes.h"
#include <cmath>

using namespace mlir;

namespace llmopt {
#define GEN_PASS_DEF_RAISESDPA
#include "passes/Import/Passes.h.inc"

/// A key with a score that is replaced by this or less counts for nothing.
static constexpr float kMasked = -6e4f;

namespace {
/// A mask that replaces scores: where `condition` is `isKept`, they stay.
struct ScoreMask {
  Value condition;
  bool isKept;
  float masked;
};

/// What is softmaxed, from the outside in.
struct Scores {
  SmallVector<Value> biases;
  SmallVector<ScoreMask> masks;
  float softcap = 0, scale = 1;
  onnx::NodeOp product;
};

/// Follows scores back to the product of queries and keys.
class ScoreMatcher {
public:
  std::optional<Scores> match(Value value);

private:
  bool matchBiased(Value value);
  bool matchWhere(onnx::NodeOp where);
  bool matchCapped(Value value);
  bool matchScaled(Value value);

  Scores scores;
  unsigned steps = 0; ///< bounds the search
};
} // namespace

/// The constant factor of a product or quotient, and the other operand.
static std::optional<float> matchFactor(Value value, Value &other) {
  if (onnx::NodeOp quotient = getNode(value, "Div")) {
    other = getInput(quotient, 0);
    std::optional<float> divisor = getScalarFloat(getInput(quotient, 1));
    if (!divisor || *divisor == 0)
      return std::nullopt;
    return 1 / *divisor;
  }
  onnx::NodeOp product = getNode(value, "Mul");
  for (unsigned index : {0, 1}) {
    if (!product)
      break;
    other = getInput(product, 1 - index);
    if (std::optional<float> factor = getScalarFloat(getInput(product, index)))
      return factor;
  }
  return std::nullopt;
}

/// A product of two computed matrices.
static onnx::NodeOp getProduct(Value value) {
  if (onnx::NodeOp product = getNode(value, "MatMul"))
    return product;
  onnx::NodeOp product = getNode(value, "FusedMatMul", kMicrosoftDomain);
  for (StringRef name : {"transA", "transBatchA", "transBatchB"})
    if (product && getIntAttr(product, name, 0) != 0)
      return {};
  return product;
}

std::optional<Scores> ScoreMatcher::match(Value value) {
  if (!matchBiased(value))
    return std::nullopt;
  return scores;
}

bool ScoreMatcher::matchBiased(Value value) {
  constexpr unsigned kMaxSteps = 64;
  if (++steps > kMaxSteps)
    return false;
  if (onnx::NodeOp cast = getNode(value, "Cast"))
    return matchBiased(getInput(cast, 0));
  if (onnx::NodeOp where = getNode(value, "Where"))
    return matchWhere(where);
  if (onnx::NodeOp sum = getNode(value, "Add"))
    for (unsigned index : {0, 1})
      if (matchBiased(getInput(sum, index))) {
        scores.biases.push_back(getInput(sum, 1 - index));
        return true;
      }
  return matchCapped(value);
}

bool ScoreMatcher::matchWhere(onnx::NodeOp where) {
  for (unsigned index : {1, 2}) {
    std::optional<float> masked = getScalarFloat(getInput(where, 3 - index));
    if (!masked || !(*masked <= kMasked) ||
        !matchBiased(getInput(where, index)))
      continue;
    scores.masks.push_back({getInput(where, 0), index == 1, *masked});
    return true;
  }
  return false;
}

bool ScoreMatcher::matchCapped(Value value) {
  Value tanh, inner;
  std::optional<float> cap = matchFactor(value, tanh);
  onnx::NodeOp node = cap ? getNode(tanh, "Tanh") : onnx::NodeOp();
  if (!node)
    return matchScaled(value);
  std::optional<float> factor = matchFactor(getInput(node, 0), inner);
  // cap * tanh(score / cap)
  if (!factor || !(*cap > 0) || std::abs(*factor * *cap - 1) > 1e-5f)
    return false;
  scores.softcap = *cap;
  return matchScaled(inner);
}

bool ScoreMatcher::matchScaled(Value value) {
  Value inner;
  while (std::optional<float> factor = matchFactor(value, inner)) {
    scores.scale *= *factor;
    value = inner;
  }
  scores.product = getProduct(value);
  if (!scores.product)
    return false;
  scores.scale *= getFloatAttr(scores.product, "alpha", 1);
  return true;
}

/// The Softmax over the last dimension whose result is multiplied with values,
/// through casts and the guard of rows that see no key; null when it is
/// something else or has other readers.
static onnx::NodeOp findSoftmax(Value probabilities) {
  while (onnx::NodeOp cast = getNode(probabilities, "Cast")) {
    if (!probabilities.hasOneUse())
      return {};
    probabilities = getInput(cast, 0);
  }
  onnx::NodeOp where = getNode(probabilities, "Where");
  if (where) {
    onnx::NodeOp isNaN = getNode(getInput(where, 0), "IsNaN");
    if (!probabilities.hasOneUse() || !isNaN ||
        getInput(isNaN, 0) != getInput(where, 2) ||
        getScalarFloat(getInput(where, 1)) != 0)
      return {};
    probabilities = getInput(where, 2);
  }
  onnx::NodeOp softmax = getNode(probabilities, "Softmax");
  if (!softmax || llvm::range_size(probabilities.getUses()) > (where ? 2 : 1))
    return {};
  // Up to version 12 the default was 1, and dimensions were joined.
  bool isLast = getIntAttr(softmax, "axis", -1) == -1 &&
                (softmax.getNodeAttr("axis") ||
                 softmax.getOpsetVersion().value_or(1) >= 13);
  return isLast ? softmax : onnx::NodeOp();
}

/// The keys [.., keys, columns] where they are a Transpose of a tensor of known
/// rank; otherwise the transposed keys.
static Value untranspose(PatternRewriter &rewriter, onnx::NodeOp node,
                         Value transposed, bool &isTransposed) {
  onnx::NodeOp transpose = getNode(transposed, "Transpose");
  auto order = transpose ? transpose.getNodeAttr<DenseI64ArrayAttr>("perm")
                         : DenseI64ArrayAttr();
  if (!order || order.size() < 2)
    return transposed;
  isTransposed = false;
  SmallVector<int64_t> swapped(order.asArrayRef());
  std::swap(swapped[swapped.size() - 1], swapped[swapped.size() - 2]);
  if (llvm::equal(swapped, llvm::seq<int64_t>(0, swapped.size())))
    return getInput(transpose, 0);
  return createNode(
      rewriter, node, "Transpose", {getInput(transpose, 0)},
      {rewriter.getNamedAttr("perm", rewriter.getDenseI64ArrayAttr(swapped))});
}

/// Queries or keys without a constant factor, which becomes one of the scores:
/// exporters scale both by the root of the scale.
static Value unscaled(Value value, float &scale) {
  Value other;
  std::optional<float> factor = matchFactor(value, other);
  if (!factor || *factor == 0 || !std::isfinite(*factor))
    return value;
  scale *= *factor;
  return other;
}

/// What a mask adds to the scores.
static Value createBias(PatternRewriter &rewriter, onnx::NodeOp node,
                        const ScoreMask &mask) {
  Value zero = createScalar(rewriter, node, 0);
  Value masked = createScalar(rewriter, node, mask.masked);
  return createNode(rewriter, node, "Where",
                    {mask.condition, mask.isKept ? zero : masked,
                     mask.isKept ? masked : zero});
}

namespace {
struct RaiseValues : NodePattern {
  RaiseValues(MLIRContext *context, StringRef opType, StringRef domain,
              Pass::Statistic &count)
      : NodePattern(context, opType, domain), count(count) {}

  LogicalResult matchNode(onnx::NodeOp node,
                          PatternRewriter &rewriter) const override {
    if (!getProduct(node.getResult(0)) || getIntAttr(node, "transB", 0) != 0 ||
        getFloatAttr(node, "alpha", 1) != 1)
      return rewriter.notifyMatchFailure(node, "no plain product");
    onnx::NodeOp softmax = findSoftmax(getInput(node, 0));
    if (!softmax)
      return rewriter.notifyMatchFailure(node, "no softmax of its own");
    std::optional<Scores> scores = ScoreMatcher().match(getInput(softmax, 0));
    if (!scores)
      return rewriter.notifyMatchFailure(
          node, "no attention: its softmax is not of a product");
    bool isTransposed = getIntAttr(scores->product, "transB", 0) == 0;
    Value query = unscaled(getInput(scores->product, 0), scores->scale);
    Value key = unscaled(getInput(scores->product, 1), scores->scale);
    if (isTransposed)
      key = untranspose(rewriter, node, key, isTransposed);
    for (const ScoreMask &mask : scores->masks)
      scores->biases.push_back(createBias(rewriter, node, mask));
    rewriter.replaceOpWithNewOp<SdpaOp>(
        node, node.getResult(0).getType(), query, key, getInput(node, 1),
        scores->biases, rewriter.getF32FloatAttr(scores->scale),
        rewriter.getF32FloatAttr(scores->softcap),
        isTransposed ? rewriter.getUnitAttr() : UnitAttr());
    ++count;
    return success();
  }

  Pass::Statistic &count;
};

struct RaiseSdpaPass : impl::RaiseSdpaBase<RaiseSdpaPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<RaiseValues>(context, "MatMul", "", raised);
    patterns.add<RaiseValues>(context, "FusedMatMul", kMicrosoftDomain, raised);
    applyNodePatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace llmopt
