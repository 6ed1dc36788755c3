//===- FourierTransform.cpp - Discrete Fourier transforms -------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/FourierTransform.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Real.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace llmopt::graph {

/// The largest divisor of a number that is not above its root.
static Value middleDivisor(GraphBuilder &g, Value number) {
  if (std::optional<int64_t> known = g.known(number)) {
    int64_t best = 1;
    for (int64_t i = 1; i * i <= *known; ++i)
      best = *known % i == 0 ? i : best;
    return g.number(best);
  }
  // Lines of more than 2^32 elements do not occur.
  constexpr int64_t kMostTried = int64_t(1) << 16;
  Value end = g.min(number, kMostTried);
  return g.loop(g.number(1), g.add(end, 1), g.number(1), {g.number(1)},
                [&](Value i, ValueRange best) {
                  Value isBelow = g.logicalNot(g.less(number, g.mul(i, i)));
                  Value divides = g.equal(g.rem(number, i), 0);
                  Value isIt = g.logicalAnd(isBelow, divides);
                  return Values{g.select(isIt, i, best[0])};
                })[0];
}

FourierTransform::FourierTransform(GraphBuilder &g, Type type, Value length,
                                   bool isInverse, bool isReal)
    : g(g), type(type), vectorType(g.withLanes(type, kVectorLanes)),
      bytes(type.getIntOrFloatBitWidth() / 8), length(length),
      isInverse(isInverse), isReal(isReal) {
  a = middleDivisor(g, length);
  b = g.div(length, g.max(a, 1));
  makeTable();
}

void FourierTransform::makeTable() {
  table = g.allocateTensor(type, {length, g.number(2)});
  g.parallelFor(length, g.number(128), [&](Value i) {
    Type f64 = g.b.getF64Type();
    auto real = [&](Value number) {
      return Real(g, arith::SIToFPOp::create(g.b, g.loc, f64, number));
    };
    double turn = isInverse ? 2 * llvm::numbers::pi : -2 * llvm::numbers::pi;
    Real angle = real(i) * turn / real(length);
    Value parts[] = {cos(g, angle), sin(g, angle)};
    for (auto [part, value] : llvm::enumerate(parts)) {
      if (type != f64)
        value = arith::TruncFOp::create(g.b, g.loc, type, value);
      g.storeElement(table, g.add(g.mul(i, 2), int64_t(part)), value);
    }
  });
}

Value FourierTransform::loadVector(Value array, Value i) const {
  return g.load(vectorType, g.at(array, g.mul(i, kVectorLanes * bytes)));
}

void FourierTransform::storeVector(Value array, Value i, Value value) const {
  g.store(value, g.at(array, g.mul(i, kVectorLanes * bytes)));
}

Value FourierTransform::lanePointer(Value array, Value i, Value lane) const {
  return g.at(array, g.mul(g.add(g.mul(i, kVectorLanes), lane), bytes));
}

FourierTransform::Task FourierTransform::taskMemory(Value memory,
                                                    Value task) const {
  Value array = g.mul(length, kVectorLanes * bytes);
  Value first = g.at(memory, g.mul(g.mul(array, 4), task));
  return {{first, g.at(first, array)},
          {g.at(first, g.mul(array, 2)), g.at(first, g.mul(array, 3))}};
}

ComplexValue FourierTransform::root(Value index) const {
  Value at = g.mul(index, 2);
  return {g.splat(g.loadElement(table, at), kVectorLanes),
          g.splat(g.loadElement(table, g.add(at, 1)), kVectorLanes)};
}

/// The sum of `count` elements, `step` apart, times roots that are `rootStep`
/// apart. Without an array of imaginary parts they are 0.
ComplexValue FourierTransform::sum(Value count, Value realFrom,
                                   Value imaginaryFrom, Value start, Value step,
                                   Value rootStep) const {
  // Two sums per part, so that they do not wait for each other.
  Values inits(imaginaryFrom ? 4 : 2, g.constant(vectorType, 0));
  inits.push_back(g.number(0));
  Values sums = g.loop(count, inits, [&](Value i, ValueRange carried) {
    Value at = g.add(start, g.mul(i, step)), index = carried.back();
    ComplexValue w = root(index);
    Real wr(g, w.real), wi(g, w.imaginary), x(g, loadVector(realFrom, at));
    Values next{fma(x, wr, Real(g, carried[0])),
                fma(x, wi, Real(g, carried[1]))};
    if (imaginaryFrom) {
      Real y(g, loadVector(imaginaryFrom, at));
      next.push_back(fma(y, wi, Real(g, carried[2])));
      next.push_back(fma(y, wr, Real(g, carried[3])));
    }
    Value following = g.add(index, rootStep);
    Value isRound = g.logicalNot(g.less(following, length));
    next.push_back(g.select(isRound, g.sub(following, length), following));
    return next;
  });
  if (!imaginaryFrom)
    return {sums[0], sums[1]};
  return {Real(g, sums[0]) - Real(g, sums[2]),
          Real(g, sums[1]) + Real(g, sums[3])};
}

/// Element i = b * i1 + i2: for every i2, the transform over i1, turned on.
void FourierTransform::firstStep(const Task &task) {
  g.loop(a, [&](Value k) {
    g.loop(b, [&](Value i) {
      ComplexValue x =
          sum(a, task.real[0], isReal ? Value() : task.imaginary[0], i, b,
              g.mul(b, k));
      ComplexValue turn = root(g.mul(i, k));
      Real xr(g, x.real), xi(g, x.imaginary);
      Real wr(g, turn.real), wi(g, turn.imaginary);
      Value at = g.add(g.mul(k, b), i);
      storeVector(task.real[1], at, xr * wr - xi * wi);
      storeVector(task.imaginary[1], at, xr * wi + xi * wr);
    });
  });
}

/// Element k = k1 + a * k2 of the result: for every k1, the transform over i2.
void FourierTransform::secondStep(const Task &task, Value results) {
  Value rounds = g.divideCeil(results, a);
  g.loop(g.min(rounds, b), [&](Value k2) {
    g.loop(a, [&](Value k1) {
      ComplexValue x = sum(b, task.real[1], task.imaginary[1], g.mul(k1, b),
                           g.number(1), g.mul(k2, a));
      Value at = g.add(k1, g.mul(k2, a));
      storeVector(task.real[0], at, x.real);
      storeVector(task.imaginary[0], at, x.imaginary);
    });
  });
}

void FourierTransform::run(Value lines, Value results, Load load, Store store) {
  Value tasks = g.divideCeil(lines, g.number(kVectorLanes));
  Value array = g.mul(length, kVectorLanes * bytes);
  Value memory = g.allocate(g.mul(g.mul(array, 4), tasks));
  Value work = g.mul(g.mul(length, g.add(a, b)), 8);
  g.parallelFor(tasks, work, [&](Value number) {
    Task task = taskMemory(memory, number);
    Value first = g.mul(number, kVectorLanes);
    // The last task computes its last line more than once.
    g.loop(g.number(kVectorLanes), [&](Value lane) {
      Value line = g.min(g.add(first, lane), g.sub(lines, 1));
      g.loop(length, [&](Value i) {
        ComplexValue element = load(line, i);
        g.store(element.real, lanePointer(task.real[0], i, lane));
        if (!isReal)
          g.store(element.imaginary, lanePointer(task.imaginary[0], i, lane));
      });
    });
    firstStep(task);
    secondStep(task, results);
    Value own = g.min(g.sub(lines, first), kVectorLanes);
    Real size(g, arith::SIToFPOp::create(g.b, g.loc, type, length));
    g.loop(own, [&](Value lane) {
      g.loop(results, [&](Value i) {
        auto part = [&](Value array) -> Value {
          Real x(g, g.load(type, lanePointer(array, i, lane)));
          return isInverse ? x / size : x;
        };
        store(g.add(first, lane), i,
              {part(task.real[0]), part(task.imaginary[0])});
      });
    });
  });
  g.release(memory);
}

} // namespace llmopt::graph
