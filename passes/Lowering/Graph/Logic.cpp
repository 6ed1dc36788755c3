//===- Logic.cpp - Comparisons, booleans and bits of graphs -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

/// The predicates of a comparison for floats (false for a NaN), signed and
/// unsigned integers.
struct Predicates {
  arith::CmpFPredicate floats;
  arith::CmpIPredicate signedOnes, unsignedOnes;
};

static constexpr Predicates kEqual = {arith::CmpFPredicate::OEQ,
                                      arith::CmpIPredicate::eq,
                                      arith::CmpIPredicate::eq};
static constexpr Predicates kLess = {arith::CmpFPredicate::OLT,
                                     arith::CmpIPredicate::slt,
                                     arith::CmpIPredicate::ult};
static constexpr Predicates kLessOrEqual = {arith::CmpFPredicate::OLE,
                                            arith::CmpIPredicate::sle,
                                            arith::CmpIPredicate::ule};
static constexpr Predicates kGreater = {arith::CmpFPredicate::OGT,
                                        arith::CmpIPredicate::sgt,
                                        arith::CmpIPredicate::ugt};
static constexpr Predicates kGreaterOrEqual = {arith::CmpFPredicate::OGE,
                                               arith::CmpIPredicate::sge,
                                               arith::CmpIPredicate::uge};

static Value compareElements(GraphBuilder &g, const Predicates &predicates,
                             ElementType type, Value a, Value b) {
  if (type.isFloat())
    return fold<arith::CmpFOp>(g, predicates.floats, a, b);
  if (a.getType().isInteger(64)) {
    // Numbers of shapes fold further.
    if (predicates.signedOnes == arith::CmpIPredicate::eq)
      return g.equal(a, b);
    if (predicates.signedOnes == arith::CmpIPredicate::slt &&
        !type.isUnsigned())
      return g.less(a, b);
  }
  return fold<arith::CmpIOp>(g,
                             type.isUnsigned() || type.isBool()
                                 ? predicates.unsignedOnes
                                 : predicates.signedOnes,
                             a, b);
}

template <const Predicates &predicates>
static LogicalResult comparison(Node &node) {
  FailureOr<ElementType> type = commonType(node);
  FailureOr<Tensor> operand = alignedOperand(node);
  if (failed(type) || failed(operand))
    return failure();
  node.setResult(0, mapElements(
                        node.g, {node.input(0), *operand}, node.g.b.getI1Type(),
                        [type = *type](GraphBuilder &g, ArrayRef<Value> in) {
                          return compareElements(g, predicates, type, in[0],
                                                 in[1]);
                        },
                        node.describe()));
  return success();
}

/// And, Or, Xor of booleans or of integers.
template <typename Op, bool isOfBits> static LogicalResult bitwise(Node &node) {
  FailureOr<ElementType> type = commonType(node);
  FailureOr<Tensor> operand = alignedOperand(node);
  if (failed(type) || failed(operand))
    return failure();
  if (isOfBits ? !type->isInteger() : !type->isBool())
    return node.refuse(isOfBits ? "its inputs have no integer elements"
                                : "its inputs have no boolean elements");
  node.setResult(0, mapElements(
                        node.g, {node.input(0), *operand}, *type,
                        [](GraphBuilder &g, ArrayRef<Value> in) {
                          return fold<Op>(g, in[0], in[1]);
                        },
                        node.describe()));
  return success();
}

template <bool isOfBits> static LogicalResult complement(Node &node) {
  ElementType type = node.input(0).type;
  if (isOfBits ? !type.isInteger() : !type.isBool())
    return node.refuse(isOfBits ? "its input has no integer elements"
                                : "its input has no boolean elements");
  return mapInputs(node, type, [](GraphBuilder &g, ArrayRef<Value> in) {
    return fold<arith::XOrIOp>(g, in[0], g.integer(in[0].getType(), -1));
  });
}

static LogicalResult emitBitShift(Node &node) {
  FailureOr<ElementType> type = commonType(node);
  if (failed(type))
    return failure();
  if (!type->isInteger())
    return node.refuse("its inputs have no integer elements");
  std::string direction = node.attribute("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    return node.refuse("direction is '" + direction +
                       "', expected LEFT or RIGHT");
  bool isLeft = direction == "LEFT";
  return mapInputs(
      node, *type, [isLeft, type = *type](GraphBuilder &g, ArrayRef<Value> in) {
        // Shifts by the width or more, or by a negative number, leave nothing
        // but copies of the sign.
        Value width = g.integer(in[0].getType(), type.bits());
        Value isTooFar =
            fold<arith::CmpIOp>(g, arith::CmpIPredicate::uge, in[1], width);
        Value zero = g.integer(in[0].getType(), 0);
        if (!isLeft && !type.isUnsigned()) {
          Value most = g.integer(in[0].getType(), type.bits() - 1);
          Value distance = fold<arith::SelectOp>(g, isTooFar, most, in[1]);
          return fold<arith::ShRSIOp>(g, in[0], distance);
        }
        Value distance = fold<arith::SelectOp>(g, isTooFar, zero, in[1]);
        Value shifted = isLeft ? fold<arith::ShLIOp>(g, in[0], distance)
                               : fold<arith::ShRUIOp>(g, in[0], distance);
        return fold<arith::SelectOp>(g, isTooFar, zero, shifted);
      });
}

static LogicalResult emitWhere(Node &node) {
  FailureOr<ElementType> type = commonType(node, 1);
  if (failed(type))
    return failure();
  if (!node.input(0).type.isBool())
    return node.refuse("its condition has no boolean elements");
  return mapInputs(node, *type,
                   [](GraphBuilder &g, ArrayRef<Value> in) -> Value {
                     return isa<VectorType>(in[0].getType())
                                ? fold<arith::SelectOp>(g, in[0], in[1], in[2])
                                : g.select(in[0], in[1], in[2]);
                   });
}

static LogicalResult emitIsNaN(Node &node) {
  if (!node.input(0).type.isFloat())
    return node.refuse("its input has no floating-point elements");
  return mapInputs(
      node, node.g.b.getI1Type(), [](GraphBuilder &g, ArrayRef<Value> in) {
        return fold<arith::CmpFOp>(g, arith::CmpFPredicate::UNO, in[0], in[0]);
      });
}

static LogicalResult emitIsInf(Node &node) {
  if (!node.input(0).type.isFloat())
    return node.refuse("its input has no floating-point elements");
  bool positive = node.attribute("detect_positive", int64_t(1)) != 0;
  bool negative = node.attribute("detect_negative", int64_t(1)) != 0;
  return mapInputs(
      node, node.g.b.getI1Type(),
      [=](GraphBuilder &g, ArrayRef<Value> in) -> Value {
        Value x = in[0];
        constexpr double kInfinity = std::numeric_limits<double>::infinity();
        auto isEqual = [&](Value value, double number) {
          return fold<arith::CmpFOp>(g, arith::CmpFPredicate::OEQ, value,
                                     g.constant(value.getType(), number));
        };
        if (positive && negative)
          return isEqual(fold<math::AbsFOp>(g, x), kInfinity);
        if (positive || negative)
          return isEqual(x, positive ? kInfinity : -kInfinity);
        // Never true.
        return fold<arith::CmpFOp>(g, arith::CmpFPredicate::OLT, x, x);
      });
}

static const OperatorRow rows[] = {
    {"Equal", comparison<kEqual>, 2, 2},
    {"Less", comparison<kLess>, 2, 2},
    {"LessOrEqual", comparison<kLessOrEqual>, 2, 2},
    {"Greater", comparison<kGreater>, 2, 2},
    {"GreaterOrEqual", comparison<kGreaterOrEqual>, 2, 2},
    {"And", bitwise<arith::AndIOp, false>, 2, 2},
    {"Or", bitwise<arith::OrIOp, false>, 2, 2},
    {"Xor", bitwise<arith::XOrIOp, false>, 2, 2},
    {"Not", complement<false>, 1, 1},
    {"BitwiseAnd", bitwise<arith::AndIOp, true>, 2, 2},
    {"BitwiseOr", bitwise<arith::OrIOp, true>, 2, 2},
    {"BitwiseXor", bitwise<arith::XOrIOp, true>, 2, 2},
    {"BitwiseNot", complement<true>, 1, 1},
    {"BitShift", emitBitShift, 2, 2},
    {"Where", emitWhere, 3, 3},
    {"IsNaN", emitIsNaN, 1, 1},
    {"IsInf", emitIsInf, 1, 1},
};

ArrayRef<OperatorRow> logicOperators() { return rows; }

} // namespace llmopt::graph
