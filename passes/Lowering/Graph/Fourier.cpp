//===- Fourier.cpp - DFT and STFT -------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/FourierTransform.h"
#include "passes/Lowering/Graph/Lines.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

/// The number of parts of an element, the last dimension of an input: 1 or 2.
static FailureOr<int64_t> partsOf(Node &node, size_t index) {
  std::optional<int64_t> parts = node.g.known(node.input(index).dims.back());
  if (!parts)
    return node.refuse("the last dimension of its input has to be fixed: 1 "
                       "for real numbers, 2 for complex ones");
  if (*parts != 1 && *parts != 2)
    return node.refuse("the last dimension of its input is " + Twine(*parts) +
                       ", expected 1 for real or 2 for complex numbers");
  return *parts;
}

/// The elements that a onesided transform of so many has.
static Value onesidedLength(GraphBuilder &g, Value length) {
  return g.add(g.div(length, 2), 1);
}

static Value negated(GraphBuilder &g, Value value) {
  return arith::NegFOp::create(g.b, g.loc, value);
}

//===----------------------------------------------------------------------===//
// DFT
//===----------------------------------------------------------------------===//

namespace {
struct Dft {
  Value axis;
  LineShape lines;
  bool isInverse, isOnesided;
  int64_t parts; ///< of an element of the input
  Value length;  ///< of the transform
  Value given;   ///< elements of a line of the input
  Value results; ///< elements of a line of the result
  int64_t resultParts;

  /// Real numbers of half a spectrum.
  bool isHalf() const { return isInverse && isOnesided; }
};
} // namespace

/// The axis as a number in [0, rank - 1): the last dimension is no axis.
static FailureOr<Value> transformedAxis(Node &node) {
  GraphBuilder &g = node.g;
  int64_t rank = node.input(0).rank();
  Value axis =
      g.number(node.version() < 20 ? node.attribute("axis", int64_t(1)) : -2);
  if (node.version() >= 20 && node.hasInput(2)) {
    FailureOr<Value> number = numberOf(node, 2, "axis");
    if (failed(number))
      return failure();
    axis = *number;
  }
  Value own = g.select(g.less(axis, 0), g.add(axis, rank), axis);
  std::optional<int64_t> known = g.known(own);
  if (known && *known == rank - 1)
    return node.refuse("axis " + Twine(*known) +
                       " is the last dimension, which holds the parts of "
                       "complex numbers");
  if (known && (*known < 0 || *known >= rank))
    return node.refuse("axis " + Twine(*g.known(axis)) +
                       " is out of range for " + Twine(rank) + " dimensions");
  g.require(g.logicalAnd(g.logicalNot(g.less(own, 0)), g.less(own, rank - 1)),
            node.describe() + ": axis is out of range");
  return own;
}

/// The lines along the axis, without the parts of elements.
static LineShape linesOf(GraphBuilder &g, const Tensor &input, Value axis) {
  Values outer, length, inner;
  for (auto [own, dim] : llvm::enumerate(ArrayRef(input.dims).drop_back())) {
    Value one = g.number(1), number = g.number(own);
    outer.push_back(g.select(g.less(number, axis), dim, one));
    length.push_back(g.select(g.equal(number, axis), dim, one));
    inner.push_back(g.select(g.less(axis, number), dim, one));
  }
  return {g.product(outer), g.product(length), g.product(inner)};
}

static FailureOr<Dft> dftOf(Node &node) {
  GraphBuilder &g = node.g;
  if (failed(node.requireFloat(0)))
    return failure();
  if (node.input(0).rank() < 2)
    return node.refuse("its input has " + Twine(node.input(0).rank()) +
                       " dimensions, expected at least 2");
  FailureOr<Value> axis = transformedAxis(node);
  FailureOr<int64_t> parts = partsOf(node, 0);
  if (failed(axis) || failed(parts))
    return failure();
  Dft dft;
  dft.axis = *axis;
  dft.lines = linesOf(g, node.input(0), *axis);
  dft.parts = *parts;
  dft.isInverse = node.attribute("inverse", int64_t(0)) != 0;
  dft.isOnesided = node.attribute("onesided", int64_t(0)) != 0;
  if (dft.isOnesided && !dft.isInverse && dft.parts == 2)
    return node.refuse("a onesided transform needs real numbers, its input "
                       "has complex ones");
  dft.given = dft.lines.length;
  dft.length = dft.isHalf() ? g.mul(g.sub(dft.given, 1), 2) : dft.given;
  if (node.hasInput(1)) {
    FailureOr<Value> length = numberOf(node, 1, "dft_length");
    if (failed(length))
      return failure();
    dft.length = *length;
  }
  if (std::optional<int64_t> length = g.known(dft.length);
      length && *length < 1)
    return node.refuse("the length of the transform is " + Twine(*length) +
                       ", expected 1 or more");
  g.require(g.less(g.number(0), dft.length),
            node.describe() + ": the length of the transform is not positive");
  g.markDimension(dft.length);
  bool isCut = dft.isOnesided && !dft.isInverse;
  dft.results = isCut ? onesidedLength(g, dft.length) : dft.length;
  dft.resultParts = dft.isHalf() ? 1 : 2;
  return dft;
}

/// Element i of a line that is read by `read`: 0 behind its end.
static ComplexValue
paddedElement(GraphBuilder &g, const Dft &dft, Type type, Value i,
              llvm::function_ref<Value(Value, int64_t)> read) {
  Value index = i, isTurned;
  if (dft.isHalf()) {
    // The other half is the conjugate of this one.
    isTurned = g.less(g.div(dft.length, 2), i);
    index = g.select(isTurned, g.sub(dft.length, i), i);
  }
  Value isThere = g.less(index, dft.given), zero = g.constant(type, 0);
  Values parts = g.ifElse(
      isThere, SmallVector<Type>(dft.parts, type),
      [&] {
        Values values;
        for (int64_t part = 0; part < dft.parts; ++part)
          values.push_back(read(index, part));
        return values;
      },
      [&] { return Values(dft.parts, zero); });
  if (dft.parts == 1)
    return {parts[0], zero};
  if (!dft.isHalf())
    return {parts[0], parts[1]};
  // What is its own conjugate is real.
  Value isOwn = g.logicalOr(g.equal(i, 0), g.equal(g.mul(i, 2), dft.length));
  Value turned = g.select(isTurned, negated(g, parts[1]), parts[1]);
  return {parts[0], g.select(isOwn, zero, turned)};
}

static LogicalResult emitDft(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Dft> dft = dftOf(node);
  if (failed(dft))
    return failure();
  const Tensor &input = node.buffer(0);
  Type type = input.type.compute();
  Values dims = input.dims;
  for (auto [axis, dim] : llvm::enumerate(dims))
    dim = g.select(g.equal(dft->axis, int64_t(axis)), dft->results, dim);
  dims.back() = g.number(dft->resultParts);
  Tensor result = g.allocateTensor(input.type, dims);
  Value inner = dft->lines.inner, lines = g.mul(dft->lines.outer, inner);
  // Element i of a line of `length` elements of `parts` parts.
  auto place = [&](Value line, Value length, Value i, int64_t parts) {
    Value divisor = g.max(inner, 1);
    Value outer = g.div(line, divisor), column = g.rem(line, divisor);
    Value row = g.add(g.mul(outer, length), i);
    return g.mul(g.add(g.mul(row, inner), column), parts);
  };
  FourierTransform transform(g, type, dft->length, dft->isInverse,
                             dft->parts == 1);
  transform.run(
      lines, dft->results,
      [&](Value line, Value i) {
        return paddedElement(g, *dft, type, i, [&](Value index, int64_t part) {
          Value at = place(line, dft->given, index, dft->parts);
          return g.loadElement(input, g.add(at, part));
        });
      },
      [&](Value line, Value i, const ComplexValue &element) {
        Value at = place(line, dft->results, i, dft->resultParts);
        g.storeElement(result, at, element.real);
        if (dft->resultParts == 2)
          g.storeElement(result, g.add(at, 1), element.imaginary);
      });
  node.setResult(0, result);
  return success();
}

//===----------------------------------------------------------------------===//
// STFT
//===----------------------------------------------------------------------===//

namespace {
struct Stft {
  int64_t parts;
  bool isOnesided;
  Value step, length, frames, results;
};
} // namespace

/// The length of a frame: an input, or that of the window.
static FailureOr<Value> frameLength(Node &node) {
  GraphBuilder &g = node.g;
  if (node.hasInput(2)) {
    if (failed(node.requireType(2, node.input(0).type)))
      return failure();
    if (node.input(2).rank() != 1)
      return node.refuse("its window must be a vector");
  }
  if (!node.hasInput(3)) {
    if (node.hasInput(2))
      return node.input(2).dims[0];
    return node.refuse("it has neither a window nor a frame_length");
  }
  FailureOr<Value> length = numberOf(node, 3, "frame_length");
  if (succeeded(length) && node.hasInput(2))
    g.require(g.logicalNot(g.less(*length, node.input(2).dims[0])),
              node.describe() + ": the window is longer than a frame");
  return length;
}

static FailureOr<Stft> stftOf(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &signal = node.input(0);
  if (failed(node.requireFloat(0)))
    return failure();
  if (signal.rank() != 2 && signal.rank() != 3)
    return node.refuse("its signal has " + Twine(signal.rank()) +
                       " dimensions, expected 2 or 3");
  FailureOr<int64_t> parts =
      signal.rank() == 2 ? FailureOr<int64_t>(1) : partsOf(node, 0);
  FailureOr<Value> step = numberOf(node, 1, "frame_step");
  FailureOr<Value> length = frameLength(node);
  if (failed(parts) || failed(step) || failed(length))
    return failure();
  Stft stft;
  stft.parts = *parts;
  stft.step = *step;
  stft.length = *length;
  stft.isOnesided = node.attribute("onesided", int64_t(1)) != 0;
  if (stft.isOnesided && stft.parts == 2)
    return node.refuse("a onesided transform needs real numbers, its signal "
                       "has complex ones");
  std::string what = node.describe();
  g.require(g.less(g.number(0), stft.step),
            what + ": frame_step is not positive");
  g.require(g.less(g.number(0), stft.length),
            what + ": the length of a frame is not positive");
  Value rest = g.sub(signal.dims[1], stft.length);
  g.require(g.logicalNot(g.less(rest, 0)),
            what + ": the signal is shorter than a frame");
  stft.frames = g.add(g.div(rest, g.max(stft.step, 1)), 1);
  g.markDimension(stft.frames);
  stft.results = stft.isOnesided ? onesidedLength(g, stft.length) : stft.length;
  return stft;
}

static LogicalResult emitStft(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Stft> stft = stftOf(node);
  if (failed(stft))
    return failure();
  const Tensor &signal = node.buffer(0);
  const Tensor *window = node.hasInput(2) ? &node.buffer(2) : nullptr;
  Type type = signal.type.compute();
  Value batch = signal.dims[0], samples = signal.dims[1];
  Tensor result = g.allocateTensor(
      signal.type, {batch, stft->frames, stft->results, g.number(2)});
  FourierTransform transform(g, type, stft->length, /*isInverse=*/false,
                             stft->parts == 1);
  auto load = [&](Value line, Value i) {
    Value number = g.div(line, stft->frames), frame = g.rem(line, stft->frames);
    Value sample = g.add(g.mul(frame, stft->step), i);
    Value at = g.mul(g.add(g.mul(number, samples), sample), stft->parts);
    Value zero = g.constant(type, 0), weight;
    if (window) {
      Value size = window->dims[0];
      Value last = g.max(g.sub(size, 1), 0);
      weight = g.loadElement(*window, g.min(i, last));
      if (!g.same(size, stft->length))
        weight = g.select(g.less(i, size), weight, zero);
    }
    auto part = [&](int64_t number) {
      Value value = g.loadElement(signal, g.add(at, number));
      return window ? mulValues(g, value, weight) : value;
    };
    return ComplexValue{part(0), stft->parts == 2 ? part(1) : zero};
  };
  transform.run(g.mul(batch, stft->frames), stft->results, load,
                [&](Value line, Value i, const ComplexValue &element) {
                  Value at = g.mul(g.add(g.mul(line, stft->results), i), 2);
                  g.storeElement(result, at, element.real);
                  g.storeElement(result, g.add(at, 1), element.imaginary);
                });
  node.setResult(0, result);
  return success();
}

static const OperatorRow rows[] = {
    {"DFT", emitDft, 1, 2, 1, 1, 17, 19},
    {"DFT", emitDft, 1, 3, 1, 1, 20},
    {"STFT", emitStft, 2, 4, 1, 1, 17},
};

ArrayRef<OperatorRow> fourierOperators() { return rows; }

} // namespace llmopt::graph
