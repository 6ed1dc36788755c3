//===- Movement.cpp - Elements that only change their place -----*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Movement.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Elementwise.h"

using namespace mlir;

namespace llmopt::graph {

Tensor
computed(GraphBuilder &g, ElementType type, ArrayRef<Value> dims,
         ArrayRef<Tensor> reads, bool fold,
         const std::function<Value(GraphBuilder &, ArrayRef<Value>)> &value) {
  std::optional<int64_t> count = g.known(g.product(dims));
  if (fold && count && *count <= kMaxScalars) {
    Values elements;
    for (int64_t i = 0; i < *count; ++i)
      elements.push_back(value(g, g.delinearize(g.number(i), dims)));
    return g.scalars(type, dims, elements);
  }
  return makeExpression(type, dims, reads,
                        [=](GraphBuilder &g, const Access &access) {
                          return value(g, access.indices);
                        });
}

Tensor filled(GraphBuilder &g, ElementType type, ArrayRef<Value> dims,
              Value element) {
  std::optional<int64_t> count = g.known(g.product(dims));
  if (count && *count <= kMaxScalars)
    return g.scalars(type, dims, Values(*count, element));
  Tensor result = makeExpression(type, dims, {},
                                 [=](GraphBuilder &g, const Access &access) {
                                   return g.splat(element, access.lanes);
                                 });
  result.isLinear = true;
  result.hasLanes = !type.isMiniFloat();
  return result;
}

Tensor moved(GraphBuilder &g, const Tensor &source, ArrayRef<Value> dims,
             bool keepsLanes, const IndexMap &map) {
  std::optional<int64_t> count = g.known(g.product(dims));
  if (source.hasElements && count && *count <= kMaxScalars) {
    Tensor list = source;
    list.buffer = nullptr;
    return computed(g, source.type, dims, {}, /*fold=*/true,
                    [&](GraphBuilder &g, ArrayRef<Value> indices) {
                      return g.element(list, map(g, indices));
                    });
  }
  Tensor result = makeExpression(source.type, dims, {source},
                                 [=](GraphBuilder &g, const Access &access) {
                                   Access own;
                                   own.indices = map(g, access.indices);
                                   own.lanes = access.lanes;
                                   return g.element(source, own);
                                 });
  result.hasLanes =
      keepsLanes && !source.type.isMiniFloat() && canReadLanes(source);
  return result;
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

Value asNumber(GraphBuilder &g, ElementType type, Value value) {
  Type i64 = g.b.getI64Type();
  if (value.getType() == i64)
    return value;
  bool isUnsigned = type.isUnsigned() || type.isBool();
  if (std::optional<int64_t> number = g.known(value)) {
    unsigned bits = value.getType().getIntOrFloatBitWidth();
    return g.number(isUnsigned ? int64_t(uint64_t(*number) &
                                         llvm::maskTrailingOnes<uint64_t>(bits))
                               : *number);
  }
  if (isUnsigned)
    return arith::ExtUIOp::create(g.b, g.loc, i64, value);
  return arith::ExtSIOp::create(g.b, g.loc, i64, value);
}

Value consecutive(GraphBuilder &g, Value number, int64_t lanes) {
  if (lanes == 1)
    return number;
  SmallVector<int64_t> steps;
  for (int64_t i = 0; i < lanes; ++i)
    steps.push_back(i);
  auto type = VectorType::get(lanes, number.getType());
  Value offsets = arith::ConstantOp::create(
      g.b, g.loc, DenseElementsAttr::get(type, ArrayRef(steps)));
  return arith::AddIOp::create(g.b, g.loc, g.splat(number, lanes), offsets);
}

FailureOr<Values> numbersOf(Node &node, size_t index, const Twine &what) {
  const Tensor &input = node.input(index);
  if (!input.type.isInteger())
    return node.refuse(what + " must be integers");
  std::optional<Values> elements = node.elements(index);
  if (!elements)
    return node.refuse("the number of " + what +
                       " is not known; its shape has to be fixed");
  for (Value &element : *elements)
    element = asNumber(node.g, input.type, element);
  return *elements;
}

FailureOr<Value> numberOf(Node &node, size_t index, const Twine &what) {
  FailureOr<Values> numbers = numbersOf(node, index, what);
  if (failed(numbers))
    return failure();
  if (numbers->size() != 1)
    return node.refuse(what + " has " + Twine(numbers->size()) +
                       " elements, expected 1");
  return numbers->front();
}

FailureOr<std::optional<Values>> attributeOrInput(Node &node, StringRef name,
                                                  size_t index) {
  if (std::optional<SmallVector<int64_t>> list = node.integers(name)) {
    Values numbers;
    for (int64_t number : *list)
      numbers.push_back(node.g.number(number));
    return std::optional<Values>(numbers);
  }
  if (!node.hasInput(index))
    return std::optional<Values>();
  FailureOr<Values> numbers = numbersOf(node, index, name);
  if (failed(numbers))
    return failure();
  return std::optional<Values>(*numbers);
}

FailureOr<std::optional<SmallVector<int64_t>>>
knownAttributeOrInput(Node &node, StringRef name, size_t index) {
  FailureOr<std::optional<Values>> numbers =
      attributeOrInput(node, name, index);
  if (failed(numbers))
    return failure();
  if (!*numbers)
    return std::optional<SmallVector<int64_t>>();
  SmallVector<int64_t> list;
  for (Value number : **numbers) {
    std::optional<int64_t> value = node.g.known(number);
    if (!value)
      return node.refuse(name + " must be constant");
    list.push_back(*value);
  }
  return std::optional<SmallVector<int64_t>>(list);
}

FailureOr<SmallVector<int64_t>>
normalizedAxes(Node &node, ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<int64_t> result;
  for (int64_t axis : axes) {
    FailureOr<int64_t> normal = node.axis(axis, rank);
    if (failed(normal))
      return failure();
    if (llvm::is_contained(result, *normal))
      return node.refuse("axis " + Twine(axis) + " is there twice");
    result.push_back(*normal);
  }
  return result;
}

FailureOr<std::optional<Values>> axesOf(Node &node, StringRef name,
                                        size_t index, int64_t rank) {
  GraphBuilder &g = node.g;
  FailureOr<std::optional<Values>> given = attributeOrInput(node, name, index);
  if (failed(given) || !*given)
    return given;
  Values axes;
  for (Value axis : **given) {
    if (std::optional<int64_t> number = g.known(axis)) {
      FailureOr<int64_t> normal = node.axis(*number, rank);
      if (failed(normal))
        return failure();
      if (llvm::is_contained(axes, g.number(*normal)))
        return node.refuse("axis " + Twine(*number) + " is there twice");
      axes.push_back(g.number(*normal));
      continue;
    }
    Value normal = g.select(g.less(axis, 0), g.add(axis, rank), axis);
    Value isValid =
        g.logicalAnd(g.logicalNot(g.less(normal, 0)), g.less(normal, rank));
    g.require(isValid, node.describe() + ": an axis is out of range");
    axes.push_back(normal);
  }
  return std::optional<Values>(axes);
}

Value atAxis(GraphBuilder &g, ArrayRef<Value> axes, ArrayRef<Value> values,
             int64_t axis, Value byDefault) {
  Value result = byDefault;
  for (auto [own, value] : llvm::zip(axes, values))
    result = g.select(g.equal(own, axis), value, result);
  return result;
}

FailureOr<Value> asDimension(Node &node, Value value) {
  GraphBuilder &g = node.g;
  std::optional<int64_t> size = g.known(value);
  if (size && *size < 0)
    return node.refuse("a dimension is " + Twine(*size) +
                       ", expected 0 or more");
  if (!g.isDimension(value)) {
    g.require(g.logicalNot(g.less(value, 0)),
              node.describe() + ": a dimension is negative");
    g.markDimension(value);
  }
  return value;
}

Value checkedIndex(GraphBuilder &g, Value index, Value size,
                   const Twine &what) {
  if (!g.isDimension(index))
    index = g.select(g.less(index, 0), g.add(index, size), index);
  std::optional<int64_t> number = g.known(index), bound = g.known(size);
  if (number && bound && *number >= 0 && *number < *bound)
    return index;
  Value isValid = g.less(index, size);
  if (!g.isDimension(index))
    isValid = g.logicalAnd(isValid, g.logicalNot(g.less(index, 0)));
  g.noteError(g.logicalNot(isValid), what + ": an index is out of range");
  Value clamped = g.min(index, g.sub(size, 1));
  clamped = g.max(clamped, 0);
  g.markDimension(clamped);
  return clamped;
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// Rows of which every one is contiguous in source and target.
static void writeRuns(GraphBuilder &g, const Tensor &target,
                      const Tensor &source, ArrayRef<Value> starts,
                      size_t axis) {
  // Dimensions behind the axis are whole: a run spans them and the axis.
  ArrayRef<Value> dims = source.dims, outer = dims.take_front(axis);
  Value inner = g.product(ArrayRef(target.dims).drop_front(axis + 1));
  Value run = g.mul(dims[axis], inner);
  Value stride = g.mul(target.dims[axis], inner);
  bool lanes = !source.type.isMiniFloat() && canReadLanes(source);
  auto writeRun = [&](Value row, Value begin, Value end) {
    Values place;
    for (auto [index, start] : llvm::zip(g.delinearize(row, outer), starts))
      place.push_back(g.add(index, start));
    Value to = g.mul(
        g.linearIndex(place, ArrayRef(target.dims).take_front(axis)), stride);
    to = g.add(to, g.mul(starts[axis], inner));
    Value from = g.mul(row, run);
    g.vectorLoop(begin, end, lanes, [&](Value i, int64_t width) {
      Access access{{}, g.add(from, i), width};
      g.storeElement(target, g.add(to, i), g.element(source, access));
    });
  };
  constexpr int64_t kChunk = 16384;
  if (g.isKnown(g.product(outer), 1)) {
    g.parallelFor(g.divideCeil(run, g.number(kChunk)), g.min(run, kChunk),
                  [&](Value chunk) {
                    Value begin = g.mul(chunk, kChunk);
                    writeRun(g.number(0), begin,
                             g.min(g.add(begin, kChunk), run));
                  });
    return;
  }
  g.parallelFor(g.product(outer), run,
                [&](Value row) { writeRun(row, g.number(0), run); });
}

void writePart(GraphBuilder &g, const Tensor &target, const Tensor &source,
               ArrayRef<Value> starts) {
  if (g.knownCount(source) == 0)
    return;
  if (source.rank() == 0 || (source.hasElements && !source.buffer)) {
    // Few elements.
    if (!source.hasElements) {
      g.storeElement(target, g.number(0), g.onlyElement(source));
      return;
    }
    for (auto [number, value] : llvm::enumerate(source.elements)) {
      Values place = g.delinearize(g.number(number), source.dims);
      for (auto [index, start] : llvm::zip(place, starts))
        index = g.add(index, start);
      g.storeElement(target, g.linearIndex(place, target.dims), value);
    }
    return;
  }
  size_t axis = source.rank() - 1;
  if (source.buffer || source.isLinear) {
    while (axis > 0 && g.same(source.dims[axis], target.dims[axis]))
      --axis;
    return writeRuns(g, target, source, starts, axis);
  }
  ArrayRef<Value> outer = ArrayRef(source.dims).drop_back();
  g.parallelFor(g.product(outer), source.dims.back(), [&](Value row) {
    Access access;
    access.indices = g.delinearize(row, outer);
    Values place;
    for (auto [index, start] : llvm::zip(access.indices, starts))
      place.push_back(g.add(index, start));
    place.push_back(starts.back());
    Value to = g.linearIndex(place, target.dims);
    access.indices.push_back({});
    g.vectorLoop(g.number(0), source.dims.back(), canReadLanes(source),
                 [&](Value i, int64_t width) {
                   access.indices.back() = i;
                   access.lanes = width;
                   g.storeElement(target, g.add(to, i),
                                  g.element(source, access));
                 });
  });
}

Tensor viewOf(GraphBuilder &g, const Tensor &tensor, Value first,
              ArrayRef<Value> dims) {
  Tensor view;
  view.type = tensor.type;
  view.dims.assign(dims.begin(), dims.end());
  Value data = g.at(tensor.buffer->data, g.mul(first, tensor.type.bytes()));
  // The memory is in use as long as the view is.
  std::shared_ptr<Buffer> whole = tensor.buffer;
  view.buffer = std::shared_ptr<Buffer>(new Buffer(data, /*isOwned=*/false),
                                        [whole](Buffer *own) { delete own; });
  return view;
}

Tensor broadcasted(Node &node, size_t index, ArrayRef<Value> dims) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(index);
  bool isSame = input.dims.size() == dims.size() &&
                llvm::all_of(llvm::zip(input.dims, dims), [&](auto pair) {
                  return g.same(std::get<0>(pair), std::get<1>(pair));
                });
  if (isSame)
    return input;
  // Elements are read several times.
  if (input.isExpression())
    node.buffer(index);
  Tensor source = node.input(index);
  Values all(dims.begin(), dims.end());
  bool isOne = g.knownCount(source) == 1;
  if (source.hasElements) {
    std::optional<int64_t> count = g.known(g.product(dims));
    if (isOne || (count && *count <= kMaxScalars))
      source.buffer = nullptr;
    if (count && *count <= kMaxScalars)
      return computed(g, source.type, dims, {}, /*fold=*/true,
                      [&](GraphBuilder &g, ArrayRef<Value> indices) {
                        Access access;
                        access.indices.assign(indices.begin(), indices.end());
                        return g.broadcastElement(source, access, all);
                      });
  }
  Tensor result = makeExpression(
      source.type, dims, {source}, [=](GraphBuilder &g, const Access &access) {
        return g.broadcastElement(source, access, all);
      });
  result.isLinear = isOne;
  bool isSplat = source.dims.empty() || g.isKnown(source.dims.back(), 1);
  bool isRow = !isSplat && g.same(source.dims.back(), dims.back());
  result.hasLanes = !source.type.isMiniFloat() &&
                    (isOne || isSplat || (isRow && canReadLanes(source)));
  return result;
}

Tensor part(GraphBuilder &g, const Tensor &source, ArrayRef<Value> starts,
            ArrayRef<Value> dims) {
  // Contiguous if only one dimension is cut and those before it are 1.
  size_t axis = 0;
  while (axis < dims.size() && g.isKnown(dims[axis], 1))
    ++axis;
  bool isWhole = true;
  for (size_t i = axis + 1; i < dims.size(); ++i)
    isWhole = isWhole && g.same(dims[i], source.dims[i]);
  bool isList = source.hasElements && g.known(g.product(dims));
  if (isWhole && source.buffer && !source.buffer->isPacked && !isList)
    return viewOf(g, source, g.linearIndex(starts, source.dims), dims);
  Values first(starts.begin(), starts.end());
  return moved(g, source, dims, /*keepsLanes=*/true,
               [=](GraphBuilder &g, ArrayRef<Value> indices) {
                 Values own;
                 for (auto [index, start] : llvm::zip_equal(indices, first))
                   own.push_back(g.add(index, start));
                 return own;
               });
}

} // namespace llmopt::graph
