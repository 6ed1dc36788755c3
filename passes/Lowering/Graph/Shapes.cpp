//===- Shapes.cpp - Operators on shapes -------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

static LogicalResult emitIdentity(Node &node) {
  node.setResult(0, node.input(0));
  return success();
}

static LogicalResult emitShape(Node &node) {
  const Tensor &input = node.input(0);
  int64_t rank = input.rank();
  auto clamp = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  int64_t start = clamp(node.attribute("start", int64_t(0)));
  int64_t end = clamp(node.attribute("end", rank));
  ArrayRef<Value> dims = input.dims;
  node.setResult(
      0, node.g.vector(dims.slice(start, std::max<int64_t>(end - start, 0))));
  return success();
}

/// The dimensions that Reshape gives, with 0 for a copied and -1 for an
/// inferred one where the numbers are known.
static FailureOr<Values> reshapedDims(Node &node, ArrayRef<Value> wanted) {
  GraphBuilder &g = node.g;
  const Tensor &input = node.input(0);
  bool allowZero = node.attribute("allowzero", int64_t(0));
  Values dims;
  std::optional<size_t> inferred;
  for (auto [axis, value] : llvm::enumerate(wanted)) {
    std::optional<int64_t> size = g.known(value);
    if (size && *size == 0 && !allowZero) {
      if (int64_t(axis) >= input.rank())
        return node.refuse("shape entry " + Twine(axis) +
                           " is 0 (copy), but the input has only " +
                           Twine(input.rank()) + " dimensions");
      dims.push_back(input.dims[axis]);
      continue;
    }
    if (size && *size < -1)
      return node.refuse("shape entry " + Twine(axis) + " is " + Twine(*size));
    if (size == -1) {
      if (inferred)
        return node.refuse("more than one shape entry is -1");
      inferred = axis;
    }
    dims.push_back(value);
  }
  if (inferred) {
    Values others = dims;
    others.erase(others.begin() + *inferred);
    dims[*inferred] = g.quotient(input.dims, others);
  }
  return dims;
}

static LogicalResult emitReshape(Node &node) {
  GraphBuilder &g = node.g;
  std::optional<Values> wanted = node.elements(1);
  if (!wanted)
    return node.refuse("the number of dimensions of its result is not known; "
                       "the length of the shape has to be fixed");
  FailureOr<Values> dims = reshapedDims(node, *wanted);
  if (failed(dims))
    return failure();
  Value before = g.count(node.input(0)), after = g.product(*dims);
  std::optional<int64_t> old = g.known(before), now = g.known(after);
  if (old && now && *old != *now)
    return node.refuse("cannot make " + Twine(*now) + " elements of " +
                       Twine(*old));
  g.require(g.equal(before, after),
            node.describe() + ": the number of elements changes");
  node.setResult(0, g.reshaped(node.input(0), *dims));
  return success();
}

static const OperatorRow rows[] = {
    {"Identity", emitIdentity, 1, 1},
    {"Shape", emitShape, 1, 1},
    {"Reshape", emitReshape, 2, 2, 1, 1, 5},
};

ArrayRef<OperatorRow> shapeOperators() { return rows; }

} // namespace llmopt::graph
