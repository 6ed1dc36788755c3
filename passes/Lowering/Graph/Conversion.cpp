//===- Conversion.cpp - Between stored and computed elements ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Conversion.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Real.h"

using namespace mlir;

namespace llmopt::graph {

static int64_t lanesOf(Value value) {
  auto vector = dyn_cast<VectorType>(value.getType());
  return vector ? vector.getNumElements() : 1;
}

/// The f32 whose upper half the bits are.
static Value bfloatToFloat(GraphBuilder &g, Value stored) {
  int64_t lanes = lanesOf(stored);
  Type i16 = g.withLanes(g.b.getI16Type(), lanes);
  Type i32 = g.withLanes(g.b.getI32Type(), lanes);
  Value bits = arith::BitcastOp::create(g.b, g.loc, i16, stored);
  bits = arith::ExtUIOp::create(g.b, g.loc, i32, bits);
  bits = arith::ShLIOp::create(g.b, g.loc, bits, g.integer(i32, 16));
  return arith::BitcastOp::create(g.b, g.loc,
                                  g.withLanes(g.b.getF32Type(), lanes), bits);
}

/// Rounds to nearest even; a NaN stays one.
static Value floatToBfloat(GraphBuilder &g, Value value) {
  int64_t lanes = lanesOf(value);
  Type i16 = g.withLanes(g.b.getI16Type(), lanes);
  Type i32 = g.withLanes(g.b.getI32Type(), lanes);
  Value bits = arith::BitcastOp::create(g.b, g.loc, i32, value);
  Value sixteen = g.integer(i32, 16);
  Value isOdd = arith::AndIOp::create(
      g.b, g.loc, arith::ShRUIOp::create(g.b, g.loc, bits, sixteen),
      g.integer(i32, 1));
  Value bias = arith::AddIOp::create(g.b, g.loc, isOdd, g.integer(i32, 0x7fff));
  Value rounded = arith::AddIOp::create(g.b, g.loc, bits, bias);
  Value isNaN = arith::CmpFOp::create(g.b, g.loc, arith::CmpFPredicate::UNO,
                                      value, value);
  Value quiet = arith::OrIOp::create(g.b, g.loc, bits, g.integer(i32, 1 << 22));
  rounded = arith::SelectOp::create(g.b, g.loc, isNaN, quiet, rounded);
  rounded = arith::ShRUIOp::create(g.b, g.loc, rounded, sixteen);
  rounded = arith::TruncIOp::create(g.b, g.loc, i16, rounded);
  return arith::BitcastOp::create(
      g.b, g.loc, g.withLanes(g.b.getBF16Type(), lanes), rounded);
}

Value fromStorage(GraphBuilder &g, ElementType type, Value stored) {
  int64_t lanes = lanesOf(stored);
  if (type.isBool())
    return arith::CmpIOp::create(g.b, g.loc, arith::CmpIPredicate::ne, stored,
                                 g.integer(stored.getType(), 0));
  if (type.get().isBF16())
    return bfloatToFloat(g, stored);
  if (type.isMiniFloat())
    return decodeMiniFloat(g, type, stored);
  if (type.isSmallFloat())
    return arith::ExtFOp::create(g.b, g.loc,
                                 g.withLanes(g.b.getF32Type(), lanes), stored);
  return stored;
}

Value toStorage(GraphBuilder &g, ElementType type, Value value) {
  int64_t lanes = lanesOf(value);
  if (type.isBool())
    return arith::ExtUIOp::create(g.b, g.loc,
                                  g.withLanes(g.b.getI8Type(), lanes), value);
  if (type.get().isBF16())
    return floatToBfloat(g, value);
  if (type.isMiniFloat()) {
    // What is stored is a value of the type already: its infinities stay.
    CastRules exact;
    exact.saturate = false;
    return encodeMiniFloat(g, type, value, exact);
  }
  if (type.isSmallFloat())
    return arith::TruncFOp::create(g.b, g.loc,
                                   g.withLanes(g.b.getF16Type(), lanes), value);
  return value;
}

//===----------------------------------------------------------------------===//
// Casts
//===----------------------------------------------------------------------===//

/// Creates an operation, or folds it: casts stand in arithmetic on shapes.
template <typename Op, typename... Args>
static Value make(GraphBuilder &g, Args &&...args) {
  return g.b.createOrFold<Op>(g.loc, std::forward<Args>(args)...);
}

/// An integer of `width` bits as x86 converts it: the least number stands for
/// all that is out of range.
static Value floatToSigned(GraphBuilder &g, Value value, unsigned width) {
  int64_t lanes = lanesOf(value);
  Type ints = g.withLanes(g.b.getIntegerType(width), lanes);
  double bound = std::ldexp(1.0, int(width) - 1);
  Value low = g.constant(value.getType(), -bound);
  Value high = g.constant(value.getType(), bound);
  Value isInRange = make<arith::AndIOp>(
      g, make<arith::CmpFOp>(g, arith::CmpFPredicate::OGE, value, low),
      make<arith::CmpFOp>(g, arith::CmpFPredicate::OLT, value, high));
  Value safe = make<arith::SelectOp>(g, isInRange, value,
                                     g.constant(value.getType(), 0));
  Value result = make<arith::FPToSIOp>(g, ints, safe);
  int64_t least = width == 64 ? INT64_MIN : -(int64_t(1) << (width - 1));
  return make<arith::SelectOp>(g, isInRange, result, g.integer(ints, least));
}

static Value floatToUnsigned64(GraphBuilder &g, Value value) {
  // From 2^63 on less that, which is the sign bit.
  Type ints = g.withLanes(g.b.getI64Type(), lanesOf(value));
  Value half = g.constant(value.getType(), 0x1p63);
  Value isLarge =
      make<arith::CmpFOp>(g, arith::CmpFPredicate::OGE, value, half);
  Value rest = floatToSigned(g, make<arith::SubFOp>(g, value, half), 64);
  Value large = make<arith::XOrIOp>(g, rest, g.integer(ints, INT64_MIN));
  return make<arith::SelectOp>(g, isLarge, large, floatToSigned(g, value, 64));
}

/// Cuts an integer to the bits of a type and extends it to the compute type.
static Value resize(GraphBuilder &g, Value value, bool isUnsigned,
                    ElementType to) {
  int64_t lanes = lanesOf(value);
  Type type = g.withLanes(to.compute(), lanes);
  unsigned from = getElementTypeOrSelf(value).getIntOrFloatBitWidth();
  unsigned width = to.compute().getIntOrFloatBitWidth();
  if (from < width)
    value = isUnsigned ? make<arith::ExtUIOp>(g, type, value)
                       : make<arith::ExtSIOp>(g, type, value);
  else if (from > width)
    value = make<arith::TruncIOp>(g, type, value);
  if (to.bits() == width)
    return value;
  Value unused = g.integer(type, width - to.bits());
  value = make<arith::ShLIOp>(g, value, unused);
  return to.isUnsigned() ? make<arith::ShRUIOp>(g, value, unused)
                         : make<arith::ShRSIOp>(g, value, unused);
}

static Value castToInteger(GraphBuilder &g, Value value, ElementType from,
                           ElementType to) {
  if (!from.isFloat())
    return resize(g, value, from.isUnsigned() || from.isBool(), to);
  if (to.isUnsigned() && to.bits() == 64)
    return floatToUnsigned64(g, value);
  // As a C compiler has it: by way of a signed integer that holds them all.
  bool isWide = to.bits() == 64 || (to.isUnsigned() && to.bits() == 32);
  return resize(g, floatToSigned(g, value, isWide ? 64 : 32), false, to);
}

static Value castToFloat(GraphBuilder &g, Value value, ElementType from,
                         ElementType to, const CastRules &rules) {
  Type type = g.withLanes(to.compute(), lanesOf(value));
  unsigned width = to.compute().getIntOrFloatBitWidth();
  if (!from.isFloat())
    value = from.isUnsigned() || from.isBool()
                ? make<arith::UIToFPOp>(g, type, value)
                : make<arith::SIToFPOp>(g, type, value);
  else if (from.compute().getIntOrFloatBitWidth() < width)
    value = arith::ExtFOp::create(g.b, g.loc, type, value);
  else if (from.compute().getIntOrFloatBitWidth() > width)
    value = arith::TruncFOp::create(g.b, g.loc, type, value);
  if (to.isMiniFloat())
    return decodeMiniFloat(g, to, encodeMiniFloat(g, to, value, rules));
  if (to.isSmallFloat())
    return fromStorage(g, to, toStorage(g, to, value));
  return value;
}

Value castElement(GraphBuilder &g, Value value, ElementType from,
                  ElementType to, const CastRules &rules) {
  if (from == to)
    return value;
  if (to.isFloat())
    return castToFloat(g, value, from, to, rules);
  if (to.isInteger())
    return castToInteger(g, value, from, to);
  Value zero = g.constant(value.getType(), 0);
  return from.isFloat()
             ? make<arith::CmpFOp>(g, arith::CmpFPredicate::UNE, value, zero)
             : make<arith::CmpIOp>(g, arith::CmpIPredicate::ne, value, zero);
}

Value loadPacked(GraphBuilder &g, const Tensor &tensor, Value linear) {
  ElementType type = tensor.type;
  int64_t perByte = 8 / type.bits();
  Type i8 = g.b.getI8Type();
  Value byte = g.load(i8, g.at(tensor.buffer->data, g.div(linear, perByte)));
  Value shift = g.mul(g.rem(linear, perByte), type.bits());
  shift = arith::TruncIOp::create(g.b, g.loc, i8, shift);
  // The element's bits to the top, then down again with its sign.
  Value up =
      arith::SubIOp::create(g.b, g.loc, g.integer(i8, 8 - type.bits()), shift);
  Value high = arith::ShLIOp::create(g.b, g.loc, byte, up);
  Value down = g.integer(i8, 8 - type.bits());
  if (type.isFloat())
    return fromStorage(g, type, arith::ShRUIOp::create(g.b, g.loc, high, down));
  if (type.isUnsigned())
    return arith::ShRUIOp::create(g.b, g.loc, high, down);
  return arith::ShRSIOp::create(g.b, g.loc, high, down);
}

} // namespace llmopt::graph
