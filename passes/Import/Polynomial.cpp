//===- Polynomial.cpp - Integer polynomials over expressions ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Import/Polynomial.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using llvm::AddOverflow;
using llvm::MulOverflow;

namespace llmopt::symbolic {

/// Far more than the indices of real models need.
static constexpr size_t maxTerms = 64;

bool MonomialLess::operator()(const Monomial &left,
                              const Monomial &right) const {
  if (left.size() != right.size())
    return left.size() < right.size();
  for (auto [l, r] : llvm::zip_equal(left, right))
    if (l != r)
      return l->id < r->id;
  return false;
}

Polynomial::Polynomial(Expr expression) {
  switch (expression->kind) {
  case Kind::Constant:
    addTerm({}, expression->value);
    return;
  case Kind::Product:
    addTerm(Monomial(expression->operands), expression->value);
    return;
  case Kind::Sum:
    addTerm({}, expression->value);
    for (Expr term : expression->operands)
      add(Polynomial(term));
    return;
  default:
    addTerm({expression}, 1);
  }
}

void Polynomial::addTerm(Monomial monomial, int64_t coefficient) {
  if (coefficient == 0)
    return;
  auto [entry, inserted] = terms.try_emplace(std::move(monomial), coefficient);
  if (inserted) {
    valid &= terms.size() <= maxTerms;
    return;
  }
  if (AddOverflow(entry->second, coefficient, entry->second))
    valid = false;
  if (entry->second == 0)
    terms.erase(entry);
}

void Polynomial::add(const Polynomial &other, int64_t factor) {
  valid &= other.valid;
  for (const auto &[monomial, coefficient] : other.terms) {
    int64_t product = 0;
    if (MulOverflow(coefficient, factor, product))
      valid = false;
    else
      addTerm(monomial, product);
  }
}

Polynomial Polynomial::multiply(const Polynomial &other) const {
  Polynomial result;
  result.valid = valid && other.valid;
  for (const auto &[left, leftFactor] : terms)
    for (const auto &[right, rightFactor] : other.terms) {
      Monomial monomial(left);
      monomial.append(right.begin(), right.end());
      llvm::sort(monomial, [](Expr l, Expr r) { return l->id > r->id; });
      int64_t product = 0;
      if (MulOverflow(leftFactor, rightFactor, product))
        result.valid = false;
      else if (result.valid)
        result.addTerm(std::move(monomial), product);
    }
  return result;
}

/// The monomial without the atoms of `divisor`; false when one is missing.
static bool divideMonomial(const Monomial &monomial, const Monomial &divisor,
                           Monomial &quotient) {
  quotient = monomial;
  for (Expr atom : divisor) {
    auto found = llvm::find(quotient, atom);
    if (found == quotient.end())
      return false;
    quotient.erase(found);
  }
  return true;
}

void Polynomial::divide(const Polynomial &divisor, Polynomial &quotient,
                        Polynomial &remainder) const {
  Polynomial left = *this;
  const auto &[leading, leadingFactor] = *divisor.terms.rbegin();
  while (!left.isZero() && left.valid) {
    auto largest = std::prev(left.terms.end());
    Monomial monomial = largest->first, part;
    int64_t coefficient = largest->second;
    if (!divideMonomial(monomial, leading, part) || leadingFactor <= 0) {
      remainder.addTerm(monomial, coefficient);
      left.terms.erase(largest);
      continue;
    }
    int64_t times = llvm::divideFloorSigned(coefficient, leadingFactor);
    int64_t over = 0, product = 0;
    if (MulOverflow(times, leadingFactor, product) ||
        llvm::SubOverflow(coefficient, product, over)) {
      quotient.valid = false;
      return;
    }
    if (over != 0) {
      remainder.addTerm(monomial, over);
      left.addTerm(monomial, -over);
    }
    Polynomial step;
    step.addTerm(part, times);
    quotient.add(step);
    left.add(step.multiply(divisor), -1);
  }
  quotient.valid &= left.valid;
}

bool Polynomial::split(Expr atom, Polynomial &factor, Polynomial &rest) const {
  for (const auto &[monomial, coefficient] : terms) {
    Monomial other;
    if (!divideMonomial(monomial, {atom}, other)) {
      rest.addTerm(monomial, coefficient);
      continue;
    }
    if (llvm::is_contained(other, atom))
      return false;
    factor.addTerm(std::move(other), coefficient);
  }
  return true;
}

Expr Polynomial::toExpr(Context &context) const {
  if (!valid)
    return nullptr;
  int64_t constant = 0;
  llvm::SmallVector<Expr> parts;
  for (const auto &[monomial, coefficient] : terms) {
    if (monomial.empty())
      constant = coefficient;
    else if (monomial.size() == 1 && coefficient == 1)
      parts.push_back(monomial.front());
    else
      parts.push_back(context.make(Kind::Product, Type::Integer, coefficient, 0,
                                   monomial, Node::noActivation));
  }
  if (parts.empty())
    return context.constant(constant);
  if (parts.size() == 1 && constant == 0)
    return parts.front();
  return context.make(Kind::Sum, Type::Integer, constant, 0, parts,
                      Node::noActivation);
}

} // namespace llmopt::symbolic
