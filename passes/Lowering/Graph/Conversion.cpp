//===- Conversion.cpp - Between stored and computed elements ----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Conversion.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

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
  if (type.isSmallFloat())
    return arith::TruncFOp::create(g.b, g.loc,
                                   g.withLanes(g.b.getF16Type(), lanes), value);
  return value;
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
  if (type.isUnsigned())
    return arith::ShRUIOp::create(g.b, g.loc, high, down);
  return arith::ShRSIOp::create(g.b, g.loc, high, down);
}

} // namespace llmopt::graph
