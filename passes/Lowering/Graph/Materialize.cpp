//===- Materialize.cpp - Evaluation of expressions into buffers -*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/ChannelsLast.h"

using namespace mlir;

namespace llmopt::graph {

/// Elements of one iteration of a linear loop.
static constexpr int64_t kChunk = 4096;

Tensor GraphBuilder::materialize(const Tensor &tensor) {
  if (!tensor.buffer && tensor.channelsLast)
    return channelsFirst(*this, tensor);
  return tensor.buffer ? tensor : copy(tensor);
}

Tensor GraphBuilder::copy(const Tensor &tensor) {
  if (!tensor.buffer && tensor.channelsLast)
    return channelsFirst(*this, tensor);
  Tensor target = allocateTensor(tensor.type, tensor.dims);
  fill(target, tensor);
  return target;
}

void GraphBuilder::fill(const Tensor &target, const Tensor &source) {
  if (source.hasElements && !source.buffer) {
    for (auto [index, value] : llvm::enumerate(source.elements))
      storeElement(target, number(index), value);
    return;
  }
  if (source.deferred)
    return fillDeferred(target, source);
  bool isLinear = source.buffer || source.isLinear;
  if (isLinear || source.rank() <= 1)
    fillLinear(target, source);
  else
    fillRows(target, source);
}

static bool hasLanes(const Tensor &tensor) {
  if (tensor.buffer)
    return !tensor.buffer->isPacked && !tensor.type.isMiniFloat();
  return tensor.hasLanes;
}

void GraphBuilder::fillDeferred(const Tensor &target, const Tensor &source) {
  std::shared_ptr<Deferred> product = source.deferred;
  assert(product->run && "a product is executed once");
  std::exchange(product->run,
                nullptr)(*this, [&](Value sums, const Access &access) {
    product->sums = sums;
    storeElement(target, access.linear, element(source, access));
  });
}

void GraphBuilder::fillLinear(const Tensor &target, const Tensor &source) {
  Value total = count(source);
  bool lanes = hasLanes(source) && !target.type.isMiniFloat();
  auto store = [&](Value i, int64_t width) {
    Access access{{}, i, width};
    if (source.isExpression() && !source.isLinear)
      access.indices = source.rank() ? Values{i} : Values();
    storeElement(target, i, element(source, access));
  };
  std::optional<int64_t> size = known(total);
  if (size && *size <= kChunk) {
    vectorLoop(number(0), total, lanes, store);
    return;
  }
  Value chunks = divideCeil(total, number(kChunk));
  parallelFor(chunks, number(kChunk), [&](Value chunk) {
    Value begin = mul(chunk, kChunk);
    vectorLoop(begin, min(add(begin, kChunk), total), lanes, store);
  });
}

void GraphBuilder::fillRows(const Tensor &target, const Tensor &source) {
  ArrayRef<Value> outer = ArrayRef(source.dims).drop_back(source.merged);
  Value columns = product(ArrayRef(source.dims).take_back(source.merged));
  bool lanes = hasLanes(source) && !target.type.isMiniFloat();
  parallelFor(product(outer), columns, [&](Value row) {
    Access access;
    access.indices = delinearize(row, outer);
    access.indices.push_back({});
    Value first = mul(row, columns);
    vectorLoop(number(0), columns, lanes, [&](Value i, int64_t width) {
      access.indices.back() = i;
      access.linear = add(first, i);
      access.lanes = width;
      storeElement(target, access.linear, element(source, access));
    });
  });
}

} // namespace llmopt::graph
