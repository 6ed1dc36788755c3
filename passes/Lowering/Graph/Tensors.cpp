//===- Tensors.cpp - Where elements come from and go to ---------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/GraphBuilder.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// Making tensors
//===----------------------------------------------------------------------===//

Tensor GraphBuilder::allocateTensor(ElementType type, ArrayRef<Value> dims) {
  Tensor tensor;
  tensor.type = type;
  tensor.dims.assign(dims.begin(), dims.end());
  Value bytes = mul(product(dims), type.bytes());
  tensor.buffer = std::make_shared<Buffer>(allocate(bytes), /*isOwned=*/true);
  tensor.buffer->dead = &dead;
  return tensor;
}

Tensor GraphBuilder::scalars(ElementType type, ArrayRef<Value> dims,
                             ArrayRef<Value> elements) {
  Tensor tensor;
  tensor.type = type;
  tensor.dims.assign(dims.begin(), dims.end());
  tensor.elements.assign(elements.begin(), elements.end());
  tensor.hasElements = true;
  return tensor;
}

Tensor GraphBuilder::vector(ArrayRef<Value> values) {
  return scalars(b.getI64Type(), {number(values.size())}, values);
}

Tensor GraphBuilder::reshaped(const Tensor &tensor, ArrayRef<Value> dims) {
  Tensor result = tensor;
  if (tensor.isExpression() && !tensor.isLinear)
    result = materialize(tensor);
  result.dims.assign(dims.begin(), dims.end());
  return result;
}

std::optional<SmallVector<int64_t>>
GraphBuilder::knownDims(const Tensor &tensor) const {
  SmallVector<int64_t> dims;
  for (Value dim : tensor.dims) {
    std::optional<int64_t> size = known(dim);
    if (!size)
      return std::nullopt;
    dims.push_back(*size);
  }
  return dims;
}

std::optional<int64_t> GraphBuilder::knownCount(const Tensor &tensor) const {
  int64_t count = 1;
  for (Value dim : tensor.dims) {
    std::optional<int64_t> size = known(dim);
    if (!size || *size < 0 || (*size && count > INT64_MAX / *size))
      return std::nullopt;
    count *= *size;
  }
  return count;
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

Value GraphBuilder::linearIndex(ArrayRef<Value> indices, ArrayRef<Value> dims) {
  Value linear = number(0);
  for (auto [index, dim] : llvm::zip_equal(indices, dims))
    linear = add(mul(linear, dim), index);
  return linear;
}

Values GraphBuilder::delinearize(Value linear, ArrayRef<Value> dims) {
  Values indices(dims.size());
  for (int64_t axis = int64_t(dims.size()) - 1; axis >= 0; --axis) {
    if (axis == 0 || isKnown(product(dims.take_front(axis)), 1)) {
      // What is left of the number is the index itself.
      indices[axis] = linear;
      for (int64_t outer = 0; outer < axis; ++outer)
        indices[outer] = number(0);
      return indices;
    }
    indices[axis] = rem(linear, dims[axis]);
    linear = div(linear, dims[axis]);
  }
  return indices;
}

//===----------------------------------------------------------------------===//
// Reading elements
//===----------------------------------------------------------------------===//

Value GraphBuilder::loadElement(const Tensor &tensor, Value linear,
                                int64_t lanes) {
  ElementType type = tensor.type;
  if (tensor.buffer->isPacked)
    return loadPacked(*this, tensor, linear);
  Value pointer = at(tensor.buffer->data, mul(linear, number(type.bytes())));
  Value stored = load(withLanes(type.storage(), lanes), pointer);
  return fromStorage(*this, type, stored);
}

void GraphBuilder::storeElement(const Tensor &tensor, Value linear,
                                Value value) {
  Value pointer =
      at(tensor.buffer->data, mul(linear, number(tensor.type.bytes())));
  store(toStorage(*this, tensor.type, value), pointer);
}

Value GraphBuilder::element(const Tensor &tensor, ArrayRef<Value> indices) {
  Access access;
  access.indices.assign(indices.begin(), indices.end());
  return element(tensor, access);
}

Value GraphBuilder::element(const Tensor &tensor, const Access &access) {
  if (tensor.hasElements && tensor.elements.size() == 1)
    return splat(tensor.elements[0], access.lanes);
  if (tensor.isExpression() && !tensor.isLinear) {
    size_t kept = tensor.dims.size() - tensor.merged;
    if (tensor.merged == 1 || access.indices.size() == kept + 1)
      return tensor.expression(*this, access);
    Access own = access;
    own.indices.resize(kept);
    own.indices.push_back(linearIndex(ArrayRef(access.indices).drop_front(kept),
                                      ArrayRef(tensor.dims).drop_front(kept)));
    return tensor.expression(*this, own);
  }
  Value linear =
      access.linear ? access.linear : linearIndex(access.indices, tensor.dims);
  if (tensor.isExpression())
    return tensor.expression(*this, {{}, linear, access.lanes});
  if (tensor.buffer)
    return loadElement(tensor, linear, access.lanes);
  assert(access.lanes == 1 && "lists of scalars have no vectors");
  if (std::optional<int64_t> index = known(linear))
    if (*index >= 0 && *index < int64_t(tensor.elements.size()))
      return tensor.elements[*index];
  // A computed index: a chain of selections.
  Value result = tensor.elements.back();
  for (int64_t i = int64_t(tensor.elements.size()) - 2; i >= 0; --i)
    result = select(equal(linear, i), tensor.elements[i], result);
  return result;
}

Value GraphBuilder::onlyElement(const Tensor &tensor) {
  return element(tensor, Values(tensor.rank(), number(0)));
}

std::optional<Values> GraphBuilder::elementsOf(const Tensor &tensor) {
  if (tensor.hasElements)
    return Values(tensor.elements.begin(), tensor.elements.end());
  std::optional<int64_t> count = knownCount(tensor);
  if (!count || *count > kMaxScalars)
    return std::nullopt;
  Values elements;
  for (int64_t i = 0; i < *count; ++i) {
    Access access;
    access.indices = delinearize(number(i), tensor.dims);
    access.linear = number(i);
    elements.push_back(element(tensor, access));
  }
  return elements;
}

std::optional<SmallVector<int64_t>>
GraphBuilder::integersOf(const Tensor &tensor) {
  if (!tensor.hasElements)
    return std::nullopt;
  SmallVector<int64_t> integers;
  for (Value element : tensor.elements) {
    std::optional<int64_t> value = known(element);
    if (!value)
      return std::nullopt;
    integers.push_back(*value);
  }
  return integers;
}

//===----------------------------------------------------------------------===//
// Broadcasting
//===----------------------------------------------------------------------===//

Values GraphBuilder::broadcast(ArrayRef<Tensor> tensors, const Twine &what) {
  int64_t rank = 0;
  for (const Tensor &tensor : tensors)
    rank = std::max(rank, tensor.rank());
  Values dims(rank, number(1));
  for (const Tensor &tensor : tensors)
    for (auto [axis, dim] : llvm::enumerate(tensor.dims)) {
      Value &result = dims[rank - tensor.rank() + axis];
      if (same(result, dim) || isKnown(dim, 1))
        continue;
      if (isKnown(result, 1)) {
        result = dim;
        continue;
      }
      Value fits = logicalOr(equal(result, dim),
                             logicalOr(equal(dim, 1), equal(result, 1)));
      require(fits,
              what + ": the dimensions of its inputs differ and none is 1");
      // A known size other than 1 is that of the result.
      if (known(dim))
        result = dim;
      else if (!known(result))
        result = select(equal(result, 1), dim, result);
    }
  return dims;
}

Value GraphBuilder::broadcastElement(const Tensor &tensor, const Access &access,
                                     ArrayRef<Value> dims) {
  if (access.indices.empty() && access.linear)
    return knownCount(tensor) == 1 ? splat(onlyElement(tensor), access.lanes)
                                   : element(tensor, access);
  Access own;
  own.lanes = access.lanes;
  int64_t rank = tensor.rank(), offset = int64_t(dims.size()) - rank;
  bool isWhole = offset == 0;
  for (int64_t axis = 0; axis < rank; ++axis) {
    Value dim = tensor.dims[axis], index = access.indices[offset + axis];
    if (isKnown(dim, 1)) {
      isWhole = isWhole && isKnown(dims[offset + axis], 1);
      own.indices.push_back(number(0));
      if (axis == rank - 1 && !isKnown(dims.back(), 1))
        own.lanes = 1;
      continue;
    }
    if (!same(dim, dims[offset + axis])) {
      isWhole = false;
      index = select(equal(dim, 1), number(0), index);
    }
    own.indices.push_back(index);
  }
  if (rank == 0)
    own.lanes = 1;
  if (isWhole)
    own.linear = access.linear;
  Value value = element(tensor, own);
  return isa<VectorType>(value.getType()) ? value : splat(value, access.lanes);
}

} // namespace llmopt::graph
