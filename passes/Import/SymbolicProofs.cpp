//===- SymbolicProofs.cpp - Bounds, values and text of expressions --------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/Polynomial.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

namespace llmopt::symbolic {

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

namespace {
/// Proves that polynomials are not negative, by taking every atom to the end of
/// its range where the polynomial is smallest.
class Prover {
public:
  Prover(Context &context, llvm::ArrayRef<int64_t> symbolMinima)
      : context(context), symbolMinima(symbolMinima) {}

  bool proves(const Polynomial &polynomial, unsigned depth = 0);

private:
  struct Range {
    Expr low, high;
  };
  Range getRange(Expr atom);
  bool provesForSymbols(const Polynomial &polynomial);

  Context &context;
  llvm::ArrayRef<int64_t> symbolMinima;
  unsigned steps = 0;
};
} // namespace

Prover::Range Prover::getRange(Expr atom) {
  Expr zero = context.constant(0);
  switch (atom->kind) {
  case Kind::Variable:
    if (atom->operands.empty())
      return {zero, nullptr};
    return {zero, context.sub(atom->operands[0], context.constant(1))};
  case Kind::Modulo:
    return {zero, context.sub(atom->operands[1], context.constant(1))};
  case Kind::FloorDiv: {
    // (x + c) / d <= max(x + c) / d for constants.
    bool nonNegative = context.provesNonNegative(atom->operands[0]);
    Expr inner = atom->operands[0];
    Expr high = nullptr;
    if (Expr top = getRange(inner).high; top && top->kind == Kind::Constant)
      high = context.floorDiv(top, atom->operands[1]);
    return {nonNegative ? zero : nullptr, high};
  }
  case Kind::Select: {
    Range left = getRange(atom->operands[1]),
          right = getRange(atom->operands[2]);
    auto choose = [](Expr one, Expr other, bool wantsSmaller) -> Expr {
      if (!one || !other || one->kind != Kind::Constant ||
          other->kind != Kind::Constant)
        return nullptr;
      return (one->value < other->value) == wantsSmaller ? one : other;
    };
    return {choose(left.low, right.low, true),
            choose(left.high, right.high, false)};
  }
  case Kind::Constant:
    return {atom, atom};
  default:
    return {nullptr, nullptr};
  }
}

bool Prover::provesForSymbols(const Polynomial &polynomial) {
  // With every symbol written as its minimum plus something that is not
  // negative, no negative coefficient may be left.
  Polynomial shifted;
  for (const auto &[monomial, coefficient] : polynomial.getTerms()) {
    Polynomial product(coefficient);
    for (Expr atom : monomial) {
      Polynomial factor(symbolMinima[atom->value]);
      factor.addTerm({atom}, 1);
      product = product.multiply(factor);
    }
    shifted.add(product);
  }
  return shifted.isValid() &&
         llvm::all_of(shifted.getTerms(),
                      [](const auto &term) { return term.second >= 0; });
}

/// Variables nest at most as deep as the axes of a few tensors; the steps keep
/// hostile graphs from taking time.
static constexpr unsigned maxDepth = 12, maxSteps = 2000;

bool Prover::proves(const Polynomial &polynomial, unsigned depth) {
  if (!polynomial.isValid() || depth > maxDepth || ++steps > maxSteps)
    return false;
  Expr atom = nullptr;
  for (const auto &[monomial, coefficient] : polynomial.getTerms())
    for (Expr candidate : monomial)
      if (candidate->kind != Kind::Symbol &&
          (!atom || candidate->id > atom->id))
        atom = candidate;
  if (!atom)
    return provesForSymbols(polynomial);
  Polynomial factor, rest, negated;
  if (!polynomial.split(atom, factor, rest))
    return false;
  negated.add(factor, -1);
  Range range = getRange(atom);
  auto provesAt = [&](Expr end) {
    if (!end)
      return false;
    Polynomial value = factor.multiply(Polynomial(end));
    value.add(rest);
    return proves(value, depth + 1);
  };
  if (proves(factor, depth + 1))
    return provesAt(range.low);
  return proves(negated, depth + 1) && provesAt(range.high);
}

bool Context::provesNonNegative(Expr expression) {
  if (!expression || expression->type != Type::Integer)
    return false;
  return Prover(*this, symbolMinima).proves(Polynomial(expression));
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

llvm::SmallVector<Expr> collectLeaves(Expr expression) {
  llvm::SetVector<Expr> seen;
  llvm::SmallVector<Expr> leaves;
  seen.insert(expression);
  for (size_t next = 0; next < seen.size(); ++next) {
    Expr node = seen[next];
    if (node->kind == Kind::Symbol || node->kind == Kind::Variable ||
        node->kind == Kind::Load) {
      leaves.push_back(node);
      continue;
    }
    seen.insert(node->operands.begin(), node->operands.end());
  }
  return leaves;
}

static float callFunction(Function function, llvm::ArrayRef<double> values) {
  switch (function) {
  case Function::Cos:
    return float(std::cos(values[0]));
  case Function::Sin:
    return float(std::sin(values[0]));
  case Function::Sqrt:
    return float(std::sqrt(values[0]));
  case Function::Exp:
    return float(std::exp(values[0]));
  case Function::Pow:
    return float(std::pow(values[0], values[1]));
  }
  return 0;
}

/// The value of an inner node from those of its operands.
static double compute(Expr node, llvm::ArrayRef<double> values) {
  auto floored = [&] { return std::floor(values[0] / values[1]); };
  switch (node->kind) {
  case Kind::Sum: {
    double sum = node->value;
    for (double value : values)
      sum += value;
    return sum;
  }
  case Kind::Product: {
    double product = node->value;
    for (double value : values)
      product *= value;
    return product;
  }
  case Kind::FloorDiv:
    return floored();
  case Kind::Modulo:
    return values[0] - floored() * values[1];
  case Kind::Minimum:
    return std::min(values[0], values[1]);
  case Kind::Maximum:
    return std::max(values[0], values[1]);
  case Kind::NonNegative:
    return values[0] >= 0;
  case Kind::Zero:
    return values[0] == (values.size() == 2 ? values[1] : 0);
  case Kind::And:
    return values[0] != 0 && values[1] != 0;
  case Kind::Or:
    return values[0] != 0 || values[1] != 0;
  case Kind::Not:
    return values[0] == 0;
  case Kind::IsNaN:
    return std::isnan(values[0]);
  case Kind::FromInteger:
    return float(values[0]);
  case Kind::FloatAdd:
    return float(values[0] + values[1]);
  case Kind::FloatMul:
    return float(values[0] * values[1]);
  case Kind::FloatDiv:
    return float(values[0] / values[1]);
  case Kind::FloatNeg:
    return -values[0];
  case Kind::FloatCall:
    return callFunction(Function(node->value), values);
  default:
    return 0;
  }
}

std::optional<double>
evaluate(Expr expression,
         llvm::function_ref<std::optional<double>(Expr)> leaf) {
  switch (expression->kind) {
  case Kind::Constant:
  case Kind::Truth:
    return double(expression->value);
  case Kind::Float:
    return expression->number;
  case Kind::Symbol:
  case Kind::Variable:
  case Kind::Load:
    return leaf(expression);
  case Kind::Select: {
    std::optional<double> chosen = evaluate(expression->operands[0], leaf);
    if (!chosen)
      return std::nullopt;
    return evaluate(expression->operands[*chosen != 0 ? 1 : 2], leaf);
  }
  default:
    break;
  }
  llvm::SmallVector<double, 4> values;
  for (Expr operand : expression->operands) {
    std::optional<double> value = evaluate(operand, leaf);
    if (!value)
      return std::nullopt;
    values.push_back(*value);
  }
  return compute(expression, values);
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static llvm::StringRef getName(Kind kind) {
  static constexpr llvm::StringLiteral names[] = {
      "constant", "s",    "d",      "sum",   "product", "floordiv", "mod",
      "min",      "max",  "truth",  "ge0",   "eq0",     "and",      "or",
      "not",      "nan",  "number", "float", "fadd",    "fmul",     "fdiv",
      "fneg",     "call", "select", "load"};
  return names[unsigned(kind)];
}

static void print(llvm::raw_ostream &stream, Expr node) {
  auto list = [&](llvm::StringRef separator) {
    llvm::interleave(
        node->operands, [&](Expr operand) { print(stream, operand); },
        [&] { stream << separator; });
  };
  switch (node->kind) {
  case Kind::Constant:
    stream << node->value;
    return;
  case Kind::Truth:
    stream << (node->value ? "true" : "false");
    return;
  case Kind::Float:
    stream << node->number;
    return;
  case Kind::Symbol:
  case Kind::Variable:
    stream << getName(node->kind) << node->value;
    return;
  case Kind::Sum:
    stream << "(";
    list(" + ");
    if (node->value)
      stream << " + " << node->value;
    stream << ")";
    return;
  case Kind::Product:
    if (node->value != 1)
      stream << node->value << "*";
    list("*");
    return;
  default:
    stream << getName(node->kind);
    if (node->kind == Kind::Load || node->kind == Kind::FloatCall)
      stream << node->value;
    stream << "(";
    list(", ");
    stream << ")";
  }
}

std::string toString(Expr expression) {
  if (!expression)
    return "unknown";
  std::string text;
  llvm::raw_string_ostream stream(text);
  print(stream, expression);
  return text;
}

} // namespace llmopt::symbolic
