//===- Padding.cpp - Operators that put elements around others --*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/GraphEmitter.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// What is added before and after every dimension; negative: taken away.
struct Pads {
  Values before, after;
};
} // namespace

static bool isZero(GraphBuilder &g, const Pads &pads) {
  auto none = [&](Value value) { return g.isKnown(value, 0); };
  return llvm::all_of(pads.before, none) && llvm::all_of(pads.after, none);
}

/// Takes away what negative pads say, which then are 0.
static FailureOr<Tensor> cropped(Node &node, const Tensor &source, Pads &pads) {
  GraphBuilder &g = node.g;
  Values starts, dims;
  bool isWhole = true;
  for (auto [axis, dim] : llvm::enumerate(source.dims)) {
    Value &before = pads.before[axis], &after = pads.after[axis];
    auto taken = [&](Value &pad) {
      if (g.isDimension(pad))
        return g.number(0);
      Value crop = g.max(g.sub(g.number(0), pad), 0);
      g.markDimension(crop);
      pad = g.max(pad, 0);
      g.markDimension(pad);
      return crop;
    };
    Value front = taken(before), back = taken(after);
    Value left = g.sub(g.sub(dim, front), back);
    if (g.known(left).value_or(0) < 0)
      return node.refuse("more of dimension " + Twine(axis) +
                         " is taken away than the " + Twine(*g.known(dim)) +
                         " elements that it has");
    if (!g.same(left, dim)) {
      isWhole = false;
      g.require(g.logicalNot(g.less(left, 0)),
                node.describe() + ": more is taken away than there is");
      g.markDimension(left);
    }
    starts.push_back(front);
    dims.push_back(left);
  }
  return isWhole ? source : part(g, source, starts, dims);
}

static Values paddedDims(GraphBuilder &g, const Tensor &source,
                         const Pads &pads) {
  Values dims;
  for (auto [axis, dim] : llvm::enumerate(source.dims))
    dims.push_back(g.add(g.add(dim, pads.before[axis]), pads.after[axis]));
  return dims;
}

/// Equal elements around the source.
static FailureOr<Tensor> padConstant(Node &node, const Tensor &source,
                                     Pads pads, Value element) {
  GraphBuilder &g = node.g;
  FailureOr<Tensor> inner = cropped(node, source, pads);
  if (failed(inner) || isZero(g, pads))
    return inner;
  Values dims = paddedDims(g, *inner, pads);
  std::optional<int64_t> count = g.known(g.product(dims));
  bool isSmall = inner->hasElements && count && *count <= kMaxScalars;
  if (isSmall && llvm::all_of(pads.before, [&](Value pad) {
        return g.known(pad).has_value();
      })) {
    Values elements(*count, element);
    for (auto [number, value] : llvm::enumerate(inner->elements)) {
      Values place = g.delinearize(g.number(number), inner->dims);
      for (auto [index, pad] : llvm::zip_equal(place, pads.before))
        index = g.add(index, pad);
      elements[*g.known(g.linearIndex(place, dims))] = value;
    }
    return g.scalars(source.type, dims, elements);
  }
  Tensor result = g.copy(filled(g, source.type, dims, element));
  writePart(g, result, *inner, pads.before);
  return result;
}

//===----------------------------------------------------------------------===//
// Elements of the source around it
//===----------------------------------------------------------------------===//

/// An index of the padded dimension as one of the source's.
static Value paddedIndex(GraphBuilder &g, StringRef mode, Value index,
                         Value before, Value dim) {
  index = g.sub(index, before);
  Value last = g.sub(dim, 1);
  if (mode == "edge")
    return g.min(g.max(index, 0), last);
  // The pattern repeats: dim elements, or forth and back without the ends.
  Value period = mode == "wrap" ? g.max(dim, 1) : g.max(g.mul(last, 2), 1);
  Value rest = g.rem(index, period);
  rest = g.select(g.less(rest, 0), g.add(rest, period), rest);
  return mode == "wrap" ? rest : g.min(rest, g.sub(period, rest));
}

static FailureOr<Tensor> padCopies(Node &node, const Tensor &source, Pads pads,
                                   const std::string &mode) {
  GraphBuilder &g = node.g;
  FailureOr<Tensor> cut = cropped(node, source, pads);
  if (failed(cut) || isZero(g, pads))
    return cut;
  Tensor inner = *cut;
  Values dims = paddedDims(g, inner, pads);
  for (auto [axis, dim] : llvm::enumerate(inner.dims))
    if (!g.same(dim, dims[axis]))
      g.require(g.less(g.number(0), dim),
                node.describe() + ": there is nothing to pad with");
  bool keepsLanes = g.same(dims.back(), inner.dims.back()) &&
                    g.isKnown(pads.before.back(), 0);
  return moved(g, inner, dims, keepsLanes,
               [=](GraphBuilder &g, ArrayRef<Value> indices) {
                 Values own;
                 for (auto [axis, index] : llvm::enumerate(indices)) {
                   bool isWhole = g.same(dims[axis], inner.dims[axis]) &&
                                  g.isKnown(pads.before[axis], 0);
                   own.push_back(isWhole ? index
                                         : paddedIndex(g, mode, index,
                                                       pads.before[axis],
                                                       inner.dims[axis]));
                 }
                 return own;
               });
}

//===----------------------------------------------------------------------===//
// Pad
//===----------------------------------------------------------------------===//

static FailureOr<Pads> readPads(Node &node) {
  GraphBuilder &g = node.g;
  int64_t rank = node.input(0).rank();
  auto given =
      attributeOrInput(node, node.version() < 2 ? "paddings" : "pads", 1);
  auto axes = axesOf(node, "axes", 3, rank);
  if (failed(given) || failed(axes))
    return failure();
  if (!*given)
    return node.refuse("pads are missing");
  if (!*axes) {
    *axes = Values();
    for (int64_t axis = 0; axis < rank; ++axis)
      (*axes)->push_back(g.number(axis));
  }
  size_t count = (*axes)->size();
  if ((*given)->size() != 2 * count)
    return node.refuse("pads has " + Twine((*given)->size()) +
                       " entries, expected " + Twine(2 * count));
  ArrayRef<Value> all = **given;
  Pads pads;
  for (int64_t axis = 0; axis < rank; ++axis) {
    Value none = g.number(0);
    pads.before.push_back(atAxis(g, **axes, all.take_front(count), axis, none));
    pads.after.push_back(atAxis(g, **axes, all.drop_front(count), axis, none));
  }
  return pads;
}

/// What is put around the input.
static FailureOr<Value> padElement(Node &node) {
  GraphBuilder &g = node.g;
  Type type = node.input(0).type.compute();
  if (node.version() < 11)
    return g.constant(type, node.attribute("value", 0.0));
  if (!node.hasInput(2))
    return g.constant(type, 0);
  if (failed(node.requireType(2, node.input(0).type)))
    return failure();
  std::optional<Values> element = node.elements(2);
  if (!element || element->size() != 1)
    return node.refuse("constant_value must have one element");
  return element->front();
}

/// What is not copied at all may have its channels last.
static void requireKnownLayout(Node &node, const Pads &pads) {
  if (!isZero(node.g, pads))
    node.emitter.requireKnownLayout(node.op.getInputs()[0]);
}

/// The convolution with packed weights that alone reads a value, perhaps after
/// it has been quantized; null if there is none.
static onnx::NodeOp packedReader(Node &node, Value value) {
  auto onlyReader = [](Value value) -> onnx::NodeOp {
    if (!value.hasOneUse())
      return nullptr;
    auto reader = dyn_cast<onnx::NodeOp>(*value.getUsers().begin());
    return reader && reader->getBlock() == value.getParentBlock() &&
                   reader.getInputs()[0] == value
               ? reader
               : nullptr;
  };
  onnx::NodeOp reader = onlyReader(value);
  Value zeroPoint;
  if (reader && reader.getOpType() == "QuantizeLinear" &&
      reader.getInputs().size() == 3) {
    zeroPoint = reader.getInputs()[2];
    reader = onlyReader(reader->getResult(0));
  }
  if (!reader || reader.getInputs().size() < 2)
    return nullptr;
  Tensor *weights = node.emitter.find(reader.getInputs()[1]);
  if (!weights || !weights->buffer || !weights->buffer->convolution)
    return nullptr;
  // What stands for zero has to be what zero is quantized to.
  bool hasZeroPoint =
      reader.getOpType() == "ConvInteger" && reader.getInputs().size() > 2;
  if (zeroPoint && hasZeroPoint && reader.getInputs()[2] != zeroPoint)
    return nullptr;
  Tensor *zero = zeroPoint ? node.emitter.find(zeroPoint) : nullptr;
  if (zeroPoint && !hasZeroPoint &&
      !(zero && zero->hasElements && matchPattern(zero->elements[0], m_Zero())))
    return nullptr;
  auto padding = reader.getNodeAttr<StringAttr>("auto_pad");
  return !padding || padding.getValue() == "NOTSET" ? reader : nullptr;
}

/// Leaves zeros around an image to the convolution that reads it.
static bool absorbMargins(Node &node, const Pads &pads, Value element) {
  GraphBuilder &g = node.g;
  if (!node.input(0).type.get().isF32() || node.input(0).rank() < 3 ||
      !matchPattern(element, m_AnyZeroFloat()))
    return false;
  SmallVector<int64_t> margins;
  for (ArrayRef<Value> side : {ArrayRef(pads.before), ArrayRef(pads.after)}) {
    if (!g.isKnown(side[0], 0) || !g.isKnown(side[1], 0))
      return false;
    for (Value pad : side.drop_front(2)) {
      if (g.known(pad).value_or(-1) < 0)
        return false;
      margins.push_back(*g.known(pad));
    }
  }
  onnx::NodeOp reader = packedReader(node, node.op->getResult(0));
  if (!reader)
    return false;
  node.emitter.margins[reader.getInputs()[0]] = margins;
  node.setResult(0, node.input(0));
  return true;
}

static LogicalResult emitPad(Node &node) {
  std::string mode = node.attribute("mode", StringRef("constant"));
  if (mode != "constant" && mode != "edge" && mode != "reflect" &&
      mode != "wrap")
    return node.refuse("mode is '" + mode +
                       "', expected constant, edge, reflect or wrap");
  FailureOr<Pads> pads = readPads(node);
  if (failed(pads))
    return failure();
  FailureOr<Tensor> result = failure();
  if (mode == "constant") {
    FailureOr<Value> element = padElement(node);
    if (failed(element))
      return failure();
    if (absorbMargins(node, *pads, *element))
      return success();
    requireKnownLayout(node, *pads);
    result = padConstant(node, node.input(0), *pads, *element);
  } else {
    requireKnownLayout(node, *pads);
    result = padCopies(node, node.input(0), *pads, mode);
  }
  if (failed(result))
    return failure();
  node.setResult(0, *result);
  return success();
}

static LogicalResult emitCenterCropPad(Node &node) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  FailureOr<Values> shape = numbersOf(node, 1, "shape");
  if (failed(shape))
    return failure();
  SmallVector<int64_t> axes;
  for (int64_t axis = 0; axis < input.rank(); ++axis)
    axes.push_back(axis);
  if (std::optional<SmallVector<int64_t>> given = node.integers("axes")) {
    auto normal = normalizedAxes(node, *given, input.rank());
    if (failed(normal))
      return failure();
    axes = *normal;
  }
  if (axes.size() != shape->size())
    return node.refuse("shape has " + Twine(shape->size()) +
                       " entries, expected " + Twine(axes.size()));
  Pads pads;
  pads.before = pads.after = Values(input.rank(), g.number(0));
  for (auto [axis, size] : llvm::zip_equal(axes, *shape)) {
    FailureOr<Value> wanted = asDimension(node, size);
    if (failed(wanted))
      return failure();
    // The rest of an odd difference comes last.
    Value difference = g.sub(*wanted, input.dims[axis]);
    pads.before[axis] = g.div(difference, 2);
    pads.after[axis] = g.sub(difference, pads.before[axis]);
  }
  Value zero = g.constant(input.type.compute(), 0);
  FailureOr<Tensor> result = padConstant(node, input, pads, zero);
  if (failed(result))
    return failure();
  node.setResult(0, *result);
  return success();
}

//===----------------------------------------------------------------------===//
// Trilu
//===----------------------------------------------------------------------===//

static LogicalResult emitTrilu(Node &node) {
  GraphBuilder &g = node.g;
  Tensor input = node.input(0);
  if (input.rank() < 2)
    return node.refuse("its input has " + Twine(input.rank()) +
                       " dimensions, expected 2 or more");
  Value diagonal = g.number(0);
  if (node.hasInput(1)) {
    FailureOr<Value> number = numberOf(node, 1, "k");
    if (failed(number))
      return failure();
    diagonal = *number;
  }
  bool isUpper = node.attribute("upper", int64_t(1)) != 0;
  Type type = input.type.compute();
  // Element (row, column) is kept if column - row reaches the diagonal.
  auto kept = [=](GraphBuilder &g, const Access &access) {
    size_t rank = access.indices.size();
    Value row = access.indices[rank - 2], column = access.indices[rank - 1];
    Value bound = g.add(row, diagonal);
    column = consecutive(g, column, access.lanes);
    auto predicate =
        isUpper ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sle;
    Value isKept = arith::CmpIOp::create(g.b, g.loc, predicate, column,
                                         g.splat(bound, access.lanes));
    Value zero = g.constant(g.withLanes(type, access.lanes), 0);
    return g.select(isKept, g.element(input, access), zero);
  };
  Tensor result = makeExpression(input.type, input.dims, {input}, kept);
  result.hasLanes = !input.type.isMiniFloat() && canReadLanes(input);
  node.setResult(0, result);
  return success();
}

static const OperatorRow rows[] = {
    {"CenterCropPad", emitCenterCropPad, 2, 2, 1, 1, 18},
    {"Pad", emitPad, 1, 1, 1, 1, 1, 10},
    {"Pad", emitPad, 2, 4, 1, 1, 11},
    {"Trilu", emitTrilu, 1, 2, 1, 1, 14},
};

ArrayRef<OperatorRow> paddingOperators() { return rows; }

} // namespace llmopt::graph
