//===- MaskProof.cpp - What a mask lets a query see -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/MaskProof.h"
#include <cmath>

namespace llmopt {

using symbolic::Context;
using symbolic::Expr;
using symbolic::Kind;
using symbolic::Type;

/// Number of the tensor that stands for the product; no real tensor has it.
static constexpr int64_t productTensor = INT32_MAX;
/// Axis of the distance between query and key; no tensor has so many.
static constexpr int64_t distanceAxis = 1000;

namespace {
/// factor * product + offset
struct LinearScore {
  double factor, offset;
};
} // namespace

/// Writes an expression as a linear function of the product; nullopt when it is
/// none.
static std::optional<LinearScore> linearize(Expr expression) {
  auto operand = [&](unsigned index) {
    return linearize(expression->operands[index]);
  };
  switch (expression->kind) {
  case Kind::Float:
    return LinearScore{0, expression->number};
  case Kind::Load:
    if (expression->value != productTensor)
      return std::nullopt;
    return LinearScore{1, 0};
  case Kind::FloatNeg:
    if (std::optional<LinearScore> inner = operand(0))
      return LinearScore{-inner->factor, -inner->offset};
    return std::nullopt;
  case Kind::FloatAdd: {
    std::optional<LinearScore> left = operand(0), right = operand(1);
    if (!left || !right)
      return std::nullopt;
    return LinearScore{left->factor + right->factor,
                       left->offset + right->offset};
  }
  case Kind::FloatMul:
  case Kind::FloatDiv: {
    std::optional<LinearScore> left = operand(0), right = operand(1);
    if (!left || !right)
      return std::nullopt;
    if (expression->kind == Kind::FloatMul && left->factor == 0)
      std::swap(left, right);
    if (right->factor != 0)
      return std::nullopt;
    double by =
        expression->kind == Kind::FloatMul ? right->offset : 1 / right->offset;
    return LinearScore{left->factor * by, left->offset * by};
  }
  default:
    return std::nullopt;
  }
}

namespace {
/// One of the cases that the proof distinguishes.
struct MaskCase {
  bool isCausal, isKept;
};
} // namespace

static Expr specialize(const MaskedScore &score, MaskCase which,
                       Context &context) {
  // key = query + past - distance, or query + past + 1 + distance.
  Expr distance = context.variable(distanceAxis, nullptr);
  Expr last = context.add(score.query, score.past);
  llvm::DenseMap<Expr, Expr> replacements;
  replacements[score.product] =
      context.load(productTensor, Type::Float, {}, /*isActivation=*/true);
  replacements[score.key] =
      which.isCausal
          ? context.sub(last, distance)
          : context.add(context.add(last, distance), context.constant(1));
  if (score.mask)
    replacements[score.mask] = score.mask->type == Type::Boolean
                                   ? context.truth(which.isKept)
                                   : context.constant(which.isKept);
  return context.substitute(score.expression, replacements);
}

/// Says what the score is in a case where it should be something else.
static std::string describe(MaskCase which, Expr value, bool hasMask) {
  std::string text = symbolic::toString(value);
  auto rename = [&](llvm::StringRef from, llvm::StringRef to) {
    for (size_t at = text.find(from.str()); at != std::string::npos;
         at = text.find(from.str(), at + to.size()))
      text.replace(at, from.size(), to.str());
  };
  rename("load" + std::to_string(productTensor) + "()", "product");
  rename("d" + std::to_string(distanceAxis), "distance");
  constexpr size_t longEnough = 200;
  text.resize(std::min(text.size(), longEnough));
  std::string reason = "its mask is not causal with padding: for a key ";
  reason += which.isCausal ? "not after the query" : "after the query";
  if (hasMask)
    reason += which.isKept ? " that the attention mask keeps"
                           : " that the attention mask drops";
  return reason + " the score is " + text;
}

std::optional<float> proveCausalMask(const MaskedScore &score, Context &context,
                                     std::string &reason) {
  constexpr double hidden = -1e30;
  std::optional<float> factor;
  for (MaskCase which : {MaskCase{true, true}, MaskCase{true, false},
                         MaskCase{false, true}, MaskCase{false, false}}) {
    if (!score.mask && !which.isKept)
      continue;
    Expr value = specialize(score, which, context);
    std::optional<LinearScore> linear = value ? linearize(value) : std::nullopt;
    bool isVisible = which.isCausal && which.isKept;
    if (linear && isVisible && linear->offset == 0 && linear->factor != 0)
      factor = float(linear->factor);
    else if (!linear || isVisible || !(linear->offset <= hidden)) {
      reason = describe(which, value, score.mask != nullptr);
      return std::nullopt;
    }
  }
  return factor;
}

} // namespace llmopt
