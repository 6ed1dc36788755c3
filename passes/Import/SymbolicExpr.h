//===- SymbolicExpr.h - Expressions of indices and dimensions ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_PASSES_IMPORT_SYMBOLICEXPR_H
#define LLMOPT_PASSES_IMPORT_SYMBOLICEXPR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/FoldingSet.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Allocator.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llmopt::symbolic {

/// What a node of an expression is.
enum class Kind : uint8_t {
  // Integers.
  Constant, ///< value
  Symbol,   ///< an unknown dimension; value is its number
  Variable, ///< an index in [0, bound); value is its axis
  Sum,      ///< value + the operands
  Product,  ///< value * the operands
  FloorDiv,
  Modulo,
  Minimum,
  Maximum,
  // Booleans.
  Truth,       ///< value is 0 or 1
  NonNegative, ///< operand >= 0
  Zero,        ///< operand == 0
  And,
  Or,
  Not,
  IsNaN,
  // Floats, with the rounding of float32.
  Float,       ///< number
  FromInteger, ///< an integer as a float
  FloatAdd,
  FloatMul,
  FloatDiv,
  FloatNeg,
  FloatCall, ///< value is a Function
  // Of the type of their operands, or of what is loaded.
  Select, ///< condition, value if true, value if false
  Load    ///< an element of tensor `value`; the operands are its indices
};

enum class Type : uint8_t { Integer, Boolean, Float };

enum class Function : int64_t { Cos, Sin, Sqrt, Exp, Pow };

class Node;
/// An expression; equal expressions of one context are one node. Null stands
/// for an expression that is not known.
using Expr = const Node *;

/// One node of an expression, immutable.
class Node : public llvm::FoldingSetNode {
public:
  Kind kind;
  Type type;
  /// Nodes are numbered in the order of their creation.
  unsigned id;
  /// See Kind.
  int64_t value;
  float number;
  llvm::ArrayRef<Expr> operands;
  /// The activation tensor that a float expression depends on: a tensor's
  /// number, noActivation, or manyActivations.
  int64_t activation;
  /// Nodes of the expression written as a tree, and its height.
  unsigned size, depth;

  static constexpr int64_t noActivation = -1, manyActivations = -2;

  bool isConstant() const {
    return kind == Kind::Constant || kind == Kind::Truth || kind == Kind::Float;
  }
  void Profile(llvm::FoldingSetNodeID &id) const;
};

/// Makes, simplifies and proves expressions. A maker that gets a null operand
/// returns null, as it does on overflow of 64-bit integers and for expressions
/// far beyond what models need, so that hostile graphs cannot take much time,
/// memory or stack.
///
/// Integer expressions are kept as polynomials over symbols, variables and
/// whatever cannot be simplified; comparisons as a polynomial that is compared
/// with zero. So two integer expressions are equal if they are one node.
class Context {
public:
  /// Beyond `maxWork` operands of all expressions together, nothing is known.
  /// A decoder of 30 layers takes 1 << 19.
  explicit Context(uint64_t maxWork = 1 << 23) : maxWork(maxWork) {}

  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;

  Expr constant(int64_t value);
  Expr truth(bool value);
  Expr number(float value);
  /// A new dimension of at least `atLeast`.
  Expr symbol(int64_t atLeast);
  /// The index of `axis`, in [0, bound); 0 when the bound is 1. A null bound
  /// stands for no bound.
  Expr variable(int64_t axis, Expr bound);

  Expr add(Expr left, Expr right);
  Expr sub(Expr left, Expr right);
  Expr mul(Expr left, Expr right);
  /// Floor division and its remainder; null unless right > 0 is proved.
  Expr floorDiv(Expr left, Expr right);
  Expr modulo(Expr left, Expr right);
  Expr minimum(Expr left, Expr right);
  Expr maximum(Expr left, Expr right);

  Expr lessOrEqual(Expr left, Expr right);
  Expr less(Expr left, Expr right) {
    return lessOrEqual(add(left, constant(1)), right);
  }
  Expr equal(Expr left, Expr right);
  Expr logicalAnd(Expr left, Expr right);
  Expr logicalOr(Expr left, Expr right);
  Expr logicalNot(Expr operand);

  /// Float operations; `kind` is FloatAdd, FloatMul or FloatDiv.
  Expr floatBinary(Kind kind, Expr left, Expr right);
  Expr floatNeg(Expr operand);
  Expr call(Function function, llvm::ArrayRef<Expr> operands);
  Expr isNaN(Expr operand);
  Expr fromInteger(Expr operand);

  Expr select(Expr condition, Expr ifTrue, Expr ifFalse);
  /// An element of tensor `tensor`; `isActivation` says that it holds computed
  /// floats.
  Expr load(int64_t tensor, Type type, llvm::ArrayRef<Expr> indices,
            bool isActivation);

  /// True when `expression >= 0` follows from the bounds of its variables and
  /// symbols.
  bool provesNonNegative(Expr expression);
  bool provesPositive(Expr expression) {
    return provesNonNegative(sub(expression, constant(1)));
  }

  /// The expression with nodes replaced, simplified again. Outer nodes are
  /// looked up before their operands.
  Expr substitute(Expr expression,
                  const llvm::DenseMap<Expr, Expr> &replacements);

private:
  friend class Polynomial;
  Expr make(Kind kind, Type type, int64_t value, float number,
            llvm::ArrayRef<Expr> operands, int64_t activation);
  Expr substitute(Expr expression,
                  const llvm::DenseMap<Expr, Expr> &replacements,
                  llvm::DenseMap<Expr, Expr> &done);
  Expr rebuild(Expr expression, llvm::ArrayRef<Expr> operands);
  Expr divide(Expr left, Expr right, bool remainder);

  llvm::BumpPtrAllocator allocator;
  llvm::FoldingSet<Node> nodes;
  std::vector<int64_t> symbolMinima;
  /// Operands of all expressions that were asked for.
  uint64_t work = 0;
  const uint64_t maxWork;

  static constexpr unsigned maxSize = 1 << 14, maxDepth = 256,
                            maxNodes = 1 << 22;
};

/// The leaves (symbols, variables, loads) of an expression, without duplicates;
/// the indices of loads are not looked into.
llvm::SmallVector<Expr> collectLeaves(Expr expression);

/// The number that an expression stands for (booleans are 0 and 1) when `leaf`
/// gives numbers to its leaves; nullopt where `leaf` has none. Floats are
/// rounded to float32 after every operation.
std::optional<double>
evaluate(Expr expression, llvm::function_ref<std::optional<double>(Expr)> leaf);

/// The expression as text, for messages and tests. In messages the caller cuts
/// it.
std::string toString(Expr expression);

} // namespace llmopt::symbolic

#endif // LLMOPT_PASSES_IMPORT_SYMBOLICEXPR_H
