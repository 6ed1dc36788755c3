//===- MaskProof.cpp - What a mask lets a query see -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/MaskProof.h"
#include "llvm/ADT/SetVector.h"
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
/// Where a key is, seen from the query.
enum class Place { Visible, BeyondWindow, AfterQuery };

/// One of the cases that the proof distinguishes.
struct MaskCase {
  Place place;
  bool isKept;
};
} // namespace

/// The number of keys from the query's to the key, as a variable: unbounded, or
/// up to the window's end, or from there on.
static Expr getDistance(Place place, int64_t window, Context &context) {
  if (place == Place::Visible && window)
    return context.variable(distanceAxis, context.constant(window));
  Expr distance = context.variable(distanceAxis, nullptr);
  return place == Place::BeyondWindow
             ? context.add(distance, context.constant(window))
             : distance;
}

static Expr specialize(const MaskedScore &score, MaskCase which, int64_t window,
                       Context &context) {
  // key = query + past - distance, or query + past + 1 + distance.
  Expr distance = getDistance(which.place, window, context);
  Expr last = context.add(score.query, score.past);
  llvm::DenseMap<Expr, Expr> replacements;
  replacements[score.product] =
      context.load(productTensor, Type::Float, {}, /*isActivation=*/true);
  replacements[score.key] =
      which.place == Place::AfterQuery
          ? context.add(context.add(last, distance), context.constant(1))
          : context.sub(last, distance);
  if (score.mask)
    replacements[score.mask] = score.mask->type == Type::Boolean
                                   ? context.truth(which.isKept)
                                   : context.constant(which.isKept);
  return context.substitute(score.expression, replacements);
}

/// The least window that a comparison of the distance in the score stands for;
/// 0 when nothing is compared with it.
static int64_t findWindow(const MaskedScore &score, Context &context) {
  Expr value = specialize(score, {Place::Visible, true}, 0, context);
  Expr distance = getDistance(Place::Visible, 0, context);
  llvm::SetVector<Expr> seen;
  int64_t window = 0;
  if (value)
    seen.insert(value);
  for (size_t next = 0; next < seen.size(); ++next) {
    Expr node = seen[next];
    seen.insert(node->operands.begin(), node->operands.end());
    if (node->kind != Kind::NonNegative)
      continue;
    Expr last = context.add(node->operands[0], distance);
    if (last && last->kind == Kind::Constant && last->value >= 0 &&
        last->value < INT32_MAX && (!window || last->value < window))
      window = last->value + 1;
  }
  return window;
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
  reason += which.place == Place::AfterQuery     ? "after the query"
            : which.place == Place::BeyondWindow ? "beyond the window"
                                                 : "not after the query";
  if (hasMask)
    reason += which.isKept ? " that the attention mask keeps"
                           : " that the attention mask drops";
  return reason + " the score is " + text;
}

std::optional<CausalMask> proveCausalMask(const MaskedScore &score,
                                          Context &context,
                                          std::string &reason) {
  constexpr double hidden = -1e30;
  CausalMask result;
  result.window = findWindow(score, context);
  for (Place place : {Place::Visible, Place::BeyondWindow, Place::AfterQuery})
    for (bool isKept : {true, false}) {
      if ((!score.mask && !isKept) ||
          (!result.window && place == Place::BeyondWindow))
        continue;
      MaskCase which{place, isKept};
      Expr value = specialize(score, which, result.window, context);
      std::optional<LinearScore> linear =
          value ? linearize(value) : std::nullopt;
      bool isVisible = place == Place::Visible && isKept;
      if (linear && isVisible && linear->offset == 0 && linear->factor != 0)
        result.factor = float(linear->factor);
      else if (!linear || isVisible || !(linear->offset <= hidden)) {
        reason = describe(which, value, score.mask != nullptr);
        return std::nullopt;
      }
    }
  return result;
}

} // namespace llmopt
