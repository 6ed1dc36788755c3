//===- Polynomial.h - Integer polynomials over expressions ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_POLYNOMIAL_H
#define LLMOPT_PASSES_IMPORT_POLYNOMIAL_H

#include "passes/Import/SymbolicExpr.h"
#include <map>

namespace llmopt::symbolic {

/// A product of atoms: integer expressions that are no sums or products,
/// sorted by falling number. Empty for the constant term.
using Monomial = llvm::SmallVector<Expr, 4>;

/// By degree, then by the largest atom: an order that products respect, so that
/// the largest monomials lead a division.
struct MonomialLess {
  bool operator()(const Monomial &left, const Monomial &right) const;
};

/// A sum of monomials with integer coefficients other than zero.
class Polynomial {
public:
  Polynomial() = default;
  explicit Polynomial(int64_t constant) { addTerm({}, constant); }
  /// Of an integer expression.
  explicit Polynomial(Expr expression);

  /// False after an overflow of a coefficient, or too many terms.
  bool isValid() const { return valid; }
  bool isZero() const { return terms.empty(); }

  void addTerm(Monomial monomial, int64_t coefficient);
  void add(const Polynomial &other, int64_t factor = 1);
  Polynomial multiply(const Polynomial &other) const;

  /// Divides with remainder: *this = quotient * divisor + remainder, where no
  /// term of the remainder is divisible by the largest of the divisor.
  void divide(const Polynomial &divisor, Polynomial &quotient,
              Polynomial &remainder) const;

  /// Splits *this into factor * atom + rest; false when the atom occurs in a
  /// higher power.
  bool split(Expr atom, Polynomial &factor, Polynomial &rest) const;

  const std::map<Monomial, int64_t, MonomialLess> &getTerms() const {
    return terms;
  }

  /// The node of the polynomial; null when it is not valid.
  Expr toExpr(Context &context) const;

private:
  std::map<Monomial, int64_t, MonomialLess> terms;
  bool valid = true;
};

} // namespace llmopt::symbolic

#endif // LLMOPT_PASSES_IMPORT_POLYNOMIAL_H
