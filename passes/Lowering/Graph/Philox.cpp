//===- Philox.cpp - Random numbers by their number --------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Philox.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Real.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace llmopt::graph {

static int64_t lanesOf(Value value) {
  auto vector = dyn_cast<VectorType>(value.getType());
  return vector ? vector.getNumElements() : 1;
}

std::array<Value, 4> philox(GraphBuilder &g, const RandomKey &key,
                            Value counter) {
  Type type = counter.getType();
  Value shift = g.integer(type, 32), mask = g.integer(type, 0xffffffff);
  auto low = [&](Value x) -> Value {
    return arith::AndIOp::create(g.b, g.loc, x, mask);
  };
  auto high = [&](Value x) -> Value {
    return arith::ShRUIOp::create(g.b, g.loc, x, shift);
  };
  auto times = [&](Value x, uint32_t factor) -> Value {
    return arith::MulIOp::create(g.b, g.loc, x, g.integer(type, factor));
  };
  auto mix = [&](Value x, Value y, uint32_t k) -> Value {
    Value both = arith::XOrIOp::create(g.b, g.loc, x, y);
    return arith::XOrIOp::create(g.b, g.loc, both, g.integer(type, k));
  };
  Value zero = g.integer(type, 0);
  std::array<Value, 4> x{low(counter), high(counter), zero, zero};
  RandomKey round = key;
  for (int i = 0; i < 10; ++i) {
    Value first = times(x[0], 0xD2511F53), second = times(x[2], 0xCD9E8D57);
    x = {mix(high(second), x[1], round.low), low(second),
         mix(high(first), x[3], round.high), low(first)};
    round.low += 0x9E3779B9;
    round.high += 0xBB67AE85;
  }
  return x;
}

/// Numbers below 2^bits as a float in [0, 1).
static Real fractionOf(GraphBuilder &g, Value bits, int64_t count, Type type) {
  Type own = g.withLanes(type, lanesOf(bits));
  Real number(g, arith::SIToFPOp::create(g.b, g.loc, own, bits));
  return number * std::ldexp(1.0, -count);
}

static Value shifted(GraphBuilder &g, Value x, int64_t right) {
  return arith::ShRUIOp::create(g.b, g.loc, x, g.integer(x.getType(), right));
}

/// A fraction of two numbers of 32 bits.
static Real fraction(GraphBuilder &g, Value first, Value second, Type type) {
  if (!type.isF64())
    return fractionOf(g, shifted(g, first, 8), 24, type);
  Value above = arith::ShLIOp::create(g.b, g.loc, shifted(g, first, 5),
                                      g.integer(first.getType(), 26));
  Value both = arith::OrIOp::create(g.b, g.loc, above, shifted(g, second, 6));
  return fractionOf(g, both, 53, type);
}

Value uniformNumber(GraphBuilder &g, const RandomKey &key, Value counter,
                    Type type) {
  std::array<Value, 4> x = philox(g, key, counter);
  return fraction(g, x[0], x[1], type);
}

Value normalNumber(GraphBuilder &g, const RandomKey &key, Value counter,
                   Type type) {
  std::array<Value, 4> x = philox(g, key, counter);
  // 1 - u is not 0.
  Real radius(g, log(g, 1.0 - fraction(g, x[0], x[1], type)));
  Real angle = fraction(g, x[2], x[3], type) * (2 * llvm::numbers::pi);
  return squareRoot(radius * -2.0) * Real(g, cos(g, angle));
}

} // namespace llmopt::graph
