//===- Signals.cpp - Windows and filters of signals -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Functions.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Real.h"
#include "passes/Lowering/Graph/Reals.h"
#include "passes/Lowering/Graph/Reducer.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace llmopt::graph {

/// The element type that attribute output_datatype says.
static FailureOr<ElementType> resultType(Node &node) {
  int64_t number = node.attribute("output_datatype", int64_t(1));
  auto type = ElementType::fromNumber(number, node.op->getContext());
  if (!type || type->isBool())
    return node.refuse("cannot make elements of type " + Twine(number));
  return *type;
}

/// A vector of f64 elements as the type that is wanted.
static Value asResult(GraphBuilder &g, Value element, ElementType type) {
  return castElement(g, element, g.b.getF64Type(), type);
}

//===----------------------------------------------------------------------===//
// Windows: sums of cosines
//===----------------------------------------------------------------------===//

/// a[0] + a[1] cos(x) + a[2] cos(2 x), where x goes once around.
static LogicalResult emitWindow(Node &node, std::array<double, 3> factors) {
  GraphBuilder &g = node.g;
  FailureOr<ElementType> type = resultType(node);
  FailureOr<Value> number = numberOf(node, 0, "size");
  if (failed(type) || failed(number))
    return failure();
  FailureOr<Value> size = asDimension(node, *number);
  if (failed(size))
    return failure();
  bool isPeriodic = node.attribute("periodic", int64_t(1)) != 0;
  Tensor result = g.allocateTensor(*type, {*size});
  g.parallelFor(*size, g.number(128), [&](Value i) {
    Type f64 = g.b.getF64Type();
    Value period = isPeriodic ? *size : g.max(g.sub(*size, 1), 1);
    Real x = Real(g, fromNumber(g, i, f64)) * (2 * llvm::numbers::pi) /
             Real(g, fromNumber(g, period, f64));
    Real sum = x.constant(factors[0]) + Real(g, cos(g, x)) * factors[1];
    if (factors[2] != 0)
      sum = sum + Real(g, cos(g, x * 2.0)) * factors[2];
    g.storeElement(result, i, asResult(g, sum, *type));
  });
  node.setResult(0, result);
  return success();
}

static LogicalResult emitHannWindow(Node &node) {
  return emitWindow(node, {0.5, -0.5, 0});
}
static LogicalResult emitHammingWindow(Node &node) {
  constexpr double alpha = 25.0 / 46;
  return emitWindow(node, {alpha, alpha - 1, 0});
}
static LogicalResult emitBlackmanWindow(Node &node) {
  return emitWindow(node, {0.42, -0.5, 0.08});
}

//===----------------------------------------------------------------------===//
// MelWeightMatrix
//===----------------------------------------------------------------------===//

namespace {
/// The filters of a MelWeightMatrix: triangles between neighbouring edges.
struct MelFilters {
  Value bins, count; ///< bins of the spectrum, filters
  Value edges;       ///< i64 [count + 2]
};
} // namespace

/// An input of one number as f64.
static FailureOr<Value> realInput(Node &node, size_t index, StringRef what) {
  std::optional<Values> elements = node.elements(index);
  if (!elements || elements->size() != 1)
    return node.refuse(what + " must have one element");
  return castElement(node.g, elements->front(), node.input(index).type,
                     node.g.b.getF64Type());
}

/// The bins of the edges, which are evenly spaced on the mel scale.
static FailureOr<MelFilters> melFilters(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Value> count = numberOf(node, 0, "num_mel_bins");
  FailureOr<Value> length = numberOf(node, 1, "dft_length");
  FailureOr<Value> rate = realInput(node, 2, "sample_rate");
  FailureOr<Value> lower = realInput(node, 3, "lower_edge_hertz");
  FailureOr<Value> upper = realInput(node, 4, "upper_edge_hertz");
  if (failed(count) || failed(length) || failed(rate) || failed(lower) ||
      failed(upper))
    return failure();
  FailureOr<Value> filters = asDimension(node, *count);
  FailureOr<Value> dft = asDimension(node, *length);
  if (failed(filters) || failed(dft))
    return failure();
  constexpr double kLog10 = 2.302585092994046;
  auto toMel = [&](Value hertz) {
    return Real(g, log1p(g, Real(g, hertz) / 700.0)) * (2595 / kLog10);
  };
  Type f64 = g.b.getF64Type();
  Real first = toMel(*lower);
  Value edges = g.add(*filters, 2);
  Real step = (toMel(*upper) - first) / Real(g, fromNumber(g, edges, f64));
  Real scale = Real(g, fromNumber(g, g.add(*dft, 1), f64)) / Real(g, *rate);
  MelFilters mel{g.add(g.div(*dft, 2), 1), *filters,
                 g.allocate(g.mul(edges, 8))};
  g.loop(edges, [&](Value i) {
    Real place = Real(g, fromNumber(g, i, f64)) * step + first;
    Real hertz = Real(g, expm1(g, place * (kLog10 / 2595))) * 700.0;
    Value bin = Reals(g).toNumber(floor(hertz * scale));
    g.store(bin, g.at(mel.edges, g.mul(i, 8)));
  });
  return mel;
}

/// The weight of a bin in a filter with these edges.
static Value melWeight(GraphBuilder &g, Value bin, Value left, Value middle,
                       Value right) {
  Type f64 = g.b.getF64Type();
  auto share = [&](Value part, Value whole) {
    Real divisor(g, fromNumber(g, g.max(whole, 1), f64));
    return Real(g, fromNumber(g, part, f64)) / divisor;
  };
  Value rise = g.sub(middle, left), fall = g.sub(right, middle);
  Real rising = share(g.sub(bin, left), rise);
  Real falling = share(g.sub(right, bin), fall);
  Real zero = rising.constant(0);
  auto isBetween = [&](Value low, Value high) {
    return g.logicalAnd(g.logicalNot(g.less(bin, low)),
                        g.logicalNot(g.less(high, bin)));
  };
  // A rise of no length is the middle alone.
  Value isMiddle = g.logicalAnd(g.equal(rise, 0), g.equal(bin, middle));
  Real weight = choose(isBetween(left, middle), rising, zero);
  weight = choose(isMiddle, zero + 1.0, weight);
  Value isFalling = g.logicalAnd(isBetween(middle, g.sub(right, 1)),
                                 g.less(g.number(0), fall));
  return choose(isFalling, falling, weight);
}

static LogicalResult emitMelWeightMatrix(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<ElementType> type = resultType(node);
  FailureOr<MelFilters> mel = melFilters(node);
  if (failed(type) || failed(mel))
    return failure();
  Tensor result = g.allocateTensor(*type, {mel->bins, mel->count});
  g.parallelFor(mel->bins, g.mul(mel->count, 16), [&](Value bin) {
    g.loop(mel->count, [&](Value filter) {
      auto edge = [&](int64_t i) {
        return g.load(g.b.getI64Type(),
                      g.at(mel->edges, g.mul(g.add(filter, i), 8)));
      };
      Value weight = melWeight(g, bin, edge(0), edge(1), edge(2));
      g.storeElement(result, g.add(g.mul(bin, mel->count), filter),
                     asResult(g, weight, *type));
    });
  });
  g.release(mel->edges);
  node.setResult(0, result);
  return success();
}

static const OperatorRow rows[] = {
    {"BlackmanWindow", emitBlackmanWindow, 1, 1, 1, 1, 17},
    {"HammingWindow", emitHammingWindow, 1, 1, 1, 1, 17},
    {"HannWindow", emitHannWindow, 1, 1, 1, 1, 17},
    {"MelWeightMatrix", emitMelWeightMatrix, 5, 5, 1, 1, 17},
};

ArrayRef<OperatorRow> signalOperators() { return rows; }

} // namespace llmopt::graph
