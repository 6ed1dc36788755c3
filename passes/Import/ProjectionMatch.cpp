//===- ProjectionMatch.cpp - Heads of projections, rotated or not ---------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/ProjectionMatch.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace llmopt {

using symbolic::Context;
using symbolic::Expr;
using symbolic::Kind;
using symbolic::Node;

/// Axis of the variable that counts the elements of half a head; no tensor has
/// so many.
static constexpr int64_t frequencyAxis = 1001;

Expr peelScale(Expr expression, float &scale) {
  while (expression) {
    if (expression->kind == Kind::FloatMul &&
        expression->operands[0]->kind == Kind::Float) {
      scale *= expression->operands[0]->number;
      expression = expression->operands[1];
    } else if (expression->kind == Kind::FloatMul &&
               expression->operands[1]->kind == Kind::Float) {
      scale *= expression->operands[1]->number;
      expression = expression->operands[0];
    } else if (expression->kind == Kind::FloatDiv &&
               expression->operands[1]->kind == Kind::Float) {
      scale /= expression->operands[1]->number;
      expression = expression->operands[0];
    } else {
      break;
    }
  }
  return expression;
}

namespace {
/// A sum of elements of an activation tensor, each with its factor.
using Combination = llvm::MapVector<Expr, Expr>;
} // namespace

/// Adds `factor * expression` to a combination; false when it is none.
static bool combine(Expr expression, Expr factor, Context &context,
                    Combination &combination) {
  switch (expression->kind) {
  case Kind::Load: {
    if (expression->activation == Node::noActivation)
      return false;
    Expr &total = combination[expression];
    total = total ? context.floatBinary(Kind::FloatAdd, total, factor) : factor;
    return true;
  }
  case Kind::FloatAdd:
    return combine(expression->operands[0], factor, context, combination) &&
           combine(expression->operands[1], factor, context, combination);
  case Kind::FloatNeg:
    return combine(expression->operands[0], context.floatNeg(factor), context,
                   combination);
  case Kind::FloatMul: {
    Expr left = expression->operands[0], right = expression->operands[1];
    if (left->activation == Node::noActivation)
      std::swap(left, right);
    return combine(left, context.floatBinary(Kind::FloatMul, factor, right),
                   context, combination);
  }
  default:
    return false;
  }
}

/// The tensor whose elements an expression reads; null when there are several.
static Value findTensor(Expr expression, IndexAnalysis &analysis) {
  Value source;
  for (Expr leaf : symbolic::collectLeaves(expression)) {
    if (leaf->kind != Kind::Load || leaf->activation == Node::noActivation)
      continue;
    if (source && source != analysis.getBase(leaf))
      return {};
    source = analysis.getBase(leaf);
  }
  return source;
}

/// The element of the source, before scale and rotation, that belongs to a
/// feature of the head.
static Expr loadFeature(const Projection &projection,
                        const HeadElement &element, Expr feature,
                        IndexAnalysis &analysis) {
  Context &context = analysis.getContext();
  Expr column = context.add(
      context.mul(element.head, context.constant(element.headDim)), feature);
  return analysis.loadBase(
      projection.source,
      {element.batch, element.row,
       context.add(column, context.constant(projection.column))});
}

/// The first column of the heads: that of the first feature of head 0.
static std::optional<int64_t> findColumn(const HeadElement &element,
                                         Context &context) {
  std::optional<int64_t> last;
  Expr zero = context.constant(0);
  for (Expr leaf : symbolic::collectLeaves(element.expression)) {
    if (leaf->kind != Kind::Load || leaf->activation == Node::noActivation)
      continue;
    Expr column = context.substitute(
        leaf->operands.back(), {{element.head, zero}, {element.feature, zero}});
    if (!column || column->kind != Kind::Constant)
      return std::nullopt;
    last = std::max(column->value, last.value_or(column->value));
  }
  // The other half of a head that is rotated is read, too.
  if (!last || *last < 0)
    return std::nullopt;
  return *last / element.headDim * element.headDim;
}

/// Looks through the normalisation of every head, [batch, sequence, heads, head
/// size] or [batch, heads, sequence, head size].
static LogicalResult matchHeadNorm(HeadElement &element, Value norm,
                                   Projection &projection,
                                   IndexAnalysis &analysis,
                                   std::string &reason) {
  Context &context = analysis.getContext();
  const TensorFunction *tensor = analysis.lookup(norm);
  projection.norm = matchNorm(norm);
  reason = "are not elements of a projection [batch, sequence, features], nor "
           "of its heads after a root mean square normalisation";
  if (!projection.norm || tensor->shape.size() != 4)
    return failure();
  bool isHeadFirst = tensor->shape[1] == context.constant(element.heads) &&
                     tensor->shape[3] == context.constant(element.headDim);
  auto indices = [&](Expr feature) {
    return isHeadFirst ? SmallVector<Expr>{element.batch, element.head,
                                           element.row, feature}
                       : SmallVector<Expr>{element.batch, element.row,
                                           element.head, feature};
  };
  // From here on the elements are those of the normalisation's input.
  llvm::DenseMap<Expr, Expr> replacements;
  for (Expr leaf : symbolic::collectLeaves(element.expression)) {
    if (leaf->kind != Kind::Load || leaf->activation == Node::noActivation)
      continue;
    Expr feature = leaf->operands.back();
    if (leaf != analysis.loadBase(norm, indices(feature)))
      return failure();
    replacements[leaf] = analysis.at(projection.norm->input, indices(feature));
  }
  element.expression = context.substitute(element.expression, replacements);
  if (!element.expression)
    return failure();
  return success();
}

/// Finds the tensor with the heads, and their place in it.
static LogicalResult findSource(HeadElement &element, Projection &projection,
                                IndexAnalysis &analysis, std::string &reason) {
  reason = "combine elements of several tensors";
  Value source = findTensor(element.expression, analysis);
  if (!source)
    return failure();
  if (analysis.lookup(source)->shape.size() != 3) {
    if (failed(matchHeadNorm(element, source, projection, analysis, reason)))
      return failure();
    source = findTensor(element.expression, analysis);
  }
  const TensorFunction *tensor = source ? analysis.lookup(source) : nullptr;
  if (!tensor || tensor->shape.size() != 3 ||
      tensor->shape[2]->kind != Kind::Constant) {
    reason = "are not elements of a projection [batch, sequence, features]";
    return failure();
  }
  projection.source = source;
  int64_t width = element.heads * element.headDim;
  std::optional<int64_t> column = findColumn(element, analysis.getContext());
  if (!column || *column + width > tensor->shape[2]->value) {
    reason =
        "are not " + std::to_string(width) +
        " consecutive columns of a projection of " +
        symbolic::toString(tensor->shape[2]) + ": they are " +
        StringRef(symbolic::toString(element.expression)).take_front(300).str();
    return failure();
  }
  projection.column = *column;
  return success();
}

/// The element of an integer input that the factors depend on; null when there
/// is none. False when there are several.
static bool findPosition(ArrayRef<Expr> factors, Expr &position) {
  for (Expr factor : factors)
    for (Expr leaf : symbolic::collectLeaves(factor)) {
      if (leaf->kind != Kind::Load || leaf->type != symbolic::Type::Integer)
        continue;
      if (position && position != leaf)
        return false;
      position = leaf;
    }
  return true;
}

/// Checks that the factors depend on the position and the frequency only, so
/// that a table can hold them.
static LogicalResult checkPosition(Rotation &rotation,
                                   const HeadElement &element,
                                   IndexAnalysis &analysis,
                                   std::string &reason) {
  Expr factors[] = {rotation.firstCosine, rotation.firstSine,
                    rotation.secondCosine, rotation.secondSine};
  if (!findPosition(factors, rotation.position)) {
    reason = "are rotated by more than one position";
    return failure();
  }
  if (rotation.position) {
    Value input = analysis.getBase(rotation.position);
    if (!isa<BlockArgument>(input) ||
        rotation.position !=
            analysis.loadBase(input, {element.batch, element.row})) {
      reason = "are rotated by positions that are no input [batch, sequence]: "
               "export the model with position_ids as an input";
      return failure();
    }
    return success();
  }
  if (analysis.getPast() != analysis.getContext().constant(0)) {
    reason = "are rotated by positions that are no input although there are "
             "past keys: export the model with position_ids as an input";
    return failure();
  }
  rotation.position = element.row;
  return success();
}

/// Numbers of elements that may be those that are rotated: all, and what the
/// feature is compared with.
static SmallVector<int64_t> findRotated(const HeadElement &element,
                                        Context &context) {
  SmallVector<int64_t> counts{element.headDim};
  llvm::SetVector<Expr> seen;
  seen.insert(element.expression);
  for (size_t next = 0; next < seen.size(); ++next) {
    Expr node = seen[next];
    seen.insert(node->operands.begin(), node->operands.end());
    if (node->kind != Kind::NonNegative)
      continue;
    Expr last = context.add(node->operands[0], element.feature);
    if (last && last->kind == Kind::Constant && last->value > 0 &&
        last->value % 2 && last->value + 1 < element.headDim)
      counts.push_back(last->value + 1);
  }
  return counts;
}

/// The factors of a rotation of the first `rotated` elements by halves.
static std::optional<Rotation> matchHalves(const HeadElement &element,
                                           const Projection &projection,
                                           int64_t rotated,
                                           IndexAnalysis &analysis) {
  Context &context = analysis.getContext();
  Expr half = context.constant(rotated / 2);
  Rotation rotation;
  rotation.rotated = rotated;
  rotation.frequency = context.variable(frequencyAxis, half);
  Expr secondFeature = context.add(rotation.frequency, half);
  auto elementAt = [&](Expr feature) {
    return context.substitute(element.expression, {{element.feature, feature}});
  };
  auto combineAt = [&](Expr feature) {
    Combination combination;
    Expr value = elementAt(feature);
    if (!value || !combine(value, context.number(1), context, combination) ||
        combination.size() != 2)
      combination.clear();
    return combination;
  };
  if (rotated != element.headDim) {
    Expr rest = context.add(
        context.constant(rotated),
        context.variable(frequencyAxis,
                         context.constant(element.headDim - rotated)));
    if (elementAt(rest) != loadFeature(projection, element, rest, analysis))
      return std::nullopt;
  }
  Expr first = loadFeature(projection, element, rotation.frequency, analysis);
  Expr second = loadFeature(projection, element, secondFeature, analysis);
  Combination low = combineAt(rotation.frequency),
              high = combineAt(secondFeature);
  Expr minusSine = low.lookup(second);
  rotation.firstCosine = low.lookup(first);
  rotation.firstSine = context.floatNeg(minusSine);
  rotation.secondCosine = high.lookup(second);
  rotation.secondSine = high.lookup(first);
  if (!rotation.firstCosine || !minusSine || !rotation.secondCosine ||
      !rotation.secondSine)
    return std::nullopt;
  return rotation;
}

static FailureOr<Rotation> matchRotation(const HeadElement &element,
                                         const Projection &projection,
                                         IndexAnalysis &analysis,
                                         std::string &reason) {
  if (element.headDim % 2 == 0)
    for (int64_t rotated : findRotated(element, analysis.getContext()))
      if (std::optional<Rotation> rotation =
              matchHalves(element, projection, rotated, analysis)) {
        if (failed(checkPosition(*rotation, element, analysis, reason)))
          return failure();
        return *rotation;
      }
  reason =
      "are not rotated by halves: they are " +
      StringRef(symbolic::toString(element.expression)).take_front(300).str();
  return failure();
}

FailureOr<Projection> matchProjection(const HeadElement &given,
                                      IndexAnalysis &analysis,
                                      std::string &reason) {
  HeadElement element = given;
  Projection projection;
  if (!element.expression) {
    reason = "could not be followed through the graph";
    return failure();
  }
  element.expression = peelScale(element.expression, projection.scale);
  if (failed(findSource(element, projection, analysis, reason)))
    return failure();
  if (element.expression ==
      loadFeature(projection, element, element.feature, analysis))
    return projection;
  FailureOr<Rotation> rotation =
      matchRotation(element, projection, analysis, reason);
  if (failed(rotation))
    return failure();
  projection.rotation = *rotation;
  return projection;
}

} // namespace llmopt
