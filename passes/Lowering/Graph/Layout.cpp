//===- Layout.cpp - Operators that rearrange whole tensors ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

static LogicalResult emitTranspose(Node &node) {
  const Tensor &input = node.input(0);
  int64_t rank = input.rank();
  SmallVector<int64_t> permutation;
  for (int64_t axis = rank - 1; axis >= 0; --axis)
    permutation.push_back(axis);
  if (std::optional<SmallVector<int64_t>> perm = node.integers("perm")) {
    if (int64_t(perm->size()) != rank)
      return node.refuse("perm has " + Twine(perm->size()) +
                         " entries, expected " + Twine(rank));
    FailureOr<SmallVector<int64_t>> axes = normalizedAxes(node, *perm, rank);
    if (failed(axes))
      return failure();
    permutation = *axes;
  }
  node.setResult(0, transposed(node.g, input, permutation));
  return success();
}

//===----------------------------------------------------------------------===//
// Concat
//===----------------------------------------------------------------------===//

/// The dimensions of the result; those of all inputs have to agree but for the
/// axis.
static FailureOr<Values> concatDims(Node &node, int64_t axis) {
  GraphBuilder &g = node.g;
  Values dims = node.input(0).dims;
  for (size_t i = 1; i < node.inputCount(); ++i) {
    const Tensor &input = node.input(i);
    if (input.type != node.input(0).type)
      return node.refuse("its inputs have different element types");
    if (input.rank() != int64_t(dims.size()))
      return node.refuse("its inputs have different numbers of dimensions");
    for (auto [other, pair] : llvm::enumerate(llvm::zip(dims, input.dims))) {
      auto &[mine, theirs] = pair;
      if (int64_t(other) == axis) {
        mine = g.add(mine, theirs);
        continue;
      }
      std::optional<int64_t> left = g.known(mine), right = g.known(theirs);
      if (left && right && *left != *right)
        return node.refuse("dimension " + Twine(other) + " of its inputs is " +
                           Twine(*left) + " and " + Twine(*right));
      g.require(
          g.equal(mine, theirs),
          node.describe() +
              ": the dimensions of its inputs differ outside of the axis");
      if (right)
        mine = theirs;
    }
  }
  return dims;
}

/// All elements as scalars, if there are few: shapes above all.
static std::optional<Tensor> concatScalars(Node &node, ArrayRef<Value> dims) {
  GraphBuilder &g = node.g;
  std::optional<int64_t> count = g.known(g.product(dims));
  bool isSmall = count && *count <= kMaxScalars && dims.size() == 1;
  bool areLists = true;
  for (size_t i = 0; i < node.inputCount(); ++i)
    areLists = areLists && node.input(i).hasElements;
  if (!isSmall || !(areLists || node.input(0).type.isInteger()))
    return std::nullopt;
  Values all;
  for (size_t i = 0; i < node.inputCount(); ++i) {
    std::optional<Values> elements = node.elements(i);
    if (!elements)
      return std::nullopt;
    all.append(*elements);
  }
  return g.scalars(node.input(0).type, dims, all);
}

static LogicalResult emitConcat(Node &node) {
  GraphBuilder &g = node.g;
  int64_t byDefault = node.version() < 4 ? 1 : 0;
  if (node.version() >= 4 && !node.hasAttribute("axis"))
    return node.refuse("attribute axis is missing");
  for (size_t i = 0; i < node.inputCount(); ++i)
    if (!node.hasInput(i))
      return node.refuse("input " + Twine(i) + " must not be left out");
  FailureOr<int64_t> axis =
      node.axis(node.attribute("axis", byDefault), node.input(0).rank());
  if (failed(axis))
    return failure();
  FailureOr<Values> dims = concatDims(node, *axis);
  if (failed(dims))
    return failure();
  if (node.inputCount() == 1) {
    node.setResult(0, node.input(0));
    return success();
  }
  if (std::optional<Tensor> list = concatScalars(node, *dims)) {
    node.setResult(0, *list);
    return success();
  }
  Tensor result = g.allocateTensor(node.input(0).type, *dims);
  Values starts(dims->size(), g.number(0));
  for (size_t i = 0; i < node.inputCount(); ++i) {
    writePart(g, result, node.input(i), starts);
    starts[*axis] = g.add(starts[*axis], node.input(i).dims[*axis]);
  }
  node.setResult(0, result);
  return success();
}

//===----------------------------------------------------------------------===//
// Split
//===----------------------------------------------------------------------===//

/// The length of every part.
static FailureOr<Values> splitLengths(Node &node, Value dim) {
  GraphBuilder &g = node.g;
  int64_t parts = node.resultCount();
  FailureOr<std::optional<Values>> given = attributeOrInput(node, "split", 1);
  if (failed(given))
    return failure();
  if (*given) {
    if (int64_t((*given)->size()) != parts)
      return node.refuse("split has " + Twine((*given)->size()) +
                         " entries, expected one per output (" + Twine(parts) +
                         ")");
    Value sum = g.number(0);
    for (Value &length : **given) {
      FailureOr<Value> size = asDimension(node, length);
      if (failed(size))
        return failure();
      sum = g.add(sum, *size);
    }
    std::optional<int64_t> total = g.known(sum), all = g.known(dim);
    if (total && all && *total != *all)
      return node.refuse("the lengths add up to " + Twine(*total) +
                         ", expected " + Twine(*all));
    g.require(g.equal(sum, dim),
              node.describe() + ": the lengths do not add up to the dimension");
    return **given;
  }
  int64_t wanted = node.attribute("num_outputs", parts);
  if (wanted != parts)
    return node.refuse("num_outputs is " + Twine(wanted) + ", but it has " +
                       Twine(parts) + " outputs");
  // The last part may be shorter since version 18.
  Value length = g.divideCeil(dim, g.number(parts));
  Value last = g.sub(dim, g.mul(length, parts - 1));
  Value fits = node.version() >= 18 ? g.logicalNot(g.less(last, 0))
                                    : g.equal(g.mul(length, parts), dim);
  if (g.knownBool(fits) == false)
    return node.refuse("the dimension cannot be split into " + Twine(parts) +
                       " parts");
  g.require(fits, node.describe() + ": the dimension cannot be split evenly");
  g.markDimension(last);
  Values lengths(parts, length);
  lengths.back() = node.version() >= 18 ? last : length;
  return lengths;
}

static LogicalResult emitSplit(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<int64_t> axis =
      node.axis(node.attribute("axis", int64_t(0)), node.input(0).rank());
  if (failed(axis))
    return failure();
  FailureOr<Values> lengths = splitLengths(node, node.input(0).dims[*axis]);
  if (failed(lengths))
    return failure();
  // All parts read it.
  if (node.input(0).isExpression())
    node.buffer(0);
  const Tensor &input = node.input(0);
  Values starts(input.rank(), g.number(0)), dims = input.dims;
  for (auto [index, length] : llvm::enumerate(*lengths)) {
    dims[*axis] = length;
    node.setResult(index, part(g, input, starts, dims));
    starts[*axis] = g.add(starts[*axis], length);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Repetition
//===----------------------------------------------------------------------===//

static LogicalResult emitExpand(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Values> shape = numbersOf(node, 1, "shape");
  if (failed(shape))
    return failure();
  Tensor wanted;
  for (Value size : *shape) {
    FailureOr<Value> dim = asDimension(node, size);
    if (failed(dim))
      return failure();
    wanted.dims.push_back(*dim);
  }
  Values dims = g.broadcast({node.input(0), wanted}, node.describe());
  node.setResult(0, broadcasted(node, 0, dims));
  return success();
}

static LogicalResult emitTile(Node &node) {
  GraphBuilder &g = node.g;
  int64_t rank = node.input(0).rank();
  FailureOr<Values> repeats = numbersOf(node, 1, "repeats");
  if (failed(repeats))
    return failure();
  if (int64_t(repeats->size()) != rank)
    return node.refuse("repeats has " + Twine(repeats->size()) +
                       " entries, expected " + Twine(rank));
  Values dims;
  for (auto [dim, repeat] : llvm::zip_equal(node.input(0).dims, *repeats)) {
    FailureOr<Value> count = asDimension(node, repeat);
    if (failed(count))
      return failure();
    dims.push_back(g.mul(dim, *count));
  }
  // Elements are read several times.
  if (node.input(0).isExpression())
    node.buffer(0);
  Values sizes = node.input(0).dims;
  bool keepsLanes = rank > 0 && g.same(sizes.back(), dims.back());
  node.setResult(0, moved(g, node.input(0), dims, keepsLanes,
                          [=](GraphBuilder &g, ArrayRef<Value> indices) {
                            Values own;
                            for (auto [axis, index] : llvm::enumerate(indices))
                              own.push_back(g.same(sizes[axis], dims[axis])
                                                ? index
                                            : g.isKnown(sizes[axis], 1)
                                                ? g.number(0)
                                                : g.rem(index, sizes[axis]));
                            return own;
                          }));
  return success();
}

//===----------------------------------------------------------------------===//
// Blocks of images
//===----------------------------------------------------------------------===//

/// Checks the input of DepthToSpace and SpaceToDepth and gives the block size.
static FailureOr<int64_t> imageBlock(Node &node) {
  int64_t block = node.attribute("blocksize", int64_t(0));
  if (block < 1)
    return node.refuse("blocksize is " + Twine(block) + ", expected 1 or more");
  if (node.input(0).rank() != 4)
    return node.refuse("its input has " + Twine(node.input(0).rank()) +
                       " dimensions, expected 4");
  return block;
}

/// Order of depth (D), columns and rows (CR) in the channels.
static FailureOr<std::string> imageMode(Node &node) {
  std::string mode = node.attribute("mode", StringRef("DCR"));
  if (mode != "DCR" && mode != "CRD")
    return node.refuse("mode '" + mode + "' is not known; expected DCR or CRD");
  return mode;
}

/// dim / divisor, which has to leave no rest.
static FailureOr<Value> dividedDim(Node &node, Value dim, int64_t divisor) {
  GraphBuilder &g = node.g;
  Value rest = g.rem(dim, divisor);
  if (g.known(rest).value_or(0) != 0)
    return node.refuse("a dimension of " + Twine(*g.known(dim)) +
                       " cannot be divided by " + Twine(divisor));
  g.require(g.equal(rest, 0), node.describe() + ": a dimension of its input "
                                                "cannot be divided by blocks");
  return g.div(dim, divisor);
}

static LogicalResult emitDepthToSpace(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<int64_t> block = imageBlock(node);
  if (failed(block))
    return failure();
  FailureOr<std::string> mode = imageMode(node);
  if (failed(mode))
    return failure();
  Values dims = node.input(0).dims;
  FailureOr<Value> depth = dividedDim(node, dims[1], *block * *block);
  if (failed(depth))
    return failure();
  Value b = g.number(*block);
  Values split,
      permutedShape{dims[0], *depth, g.mul(dims[2], b), g.mul(dims[3], b)};
  SmallVector<int64_t> permutation;
  if (*mode == "DCR") {
    split = {dims[0], b, b, *depth, dims[2], dims[3]};
    permutation = {0, 3, 4, 1, 5, 2};
  } else {
    split = {dims[0], *depth, b, b, dims[2], dims[3]};
    permutation = {0, 1, 4, 2, 5, 3};
  }
  Tensor apart = g.reshaped(node.input(0), split);
  node.setResult(0,
                 g.reshaped(transposed(g, apart, permutation), permutedShape));
  return success();
}

static LogicalResult emitSpaceToDepth(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<int64_t> block = imageBlock(node);
  if (failed(block))
    return failure();
  Values dims = node.input(0).dims;
  FailureOr<Value> height = dividedDim(node, dims[2], *block);
  FailureOr<Value> width = dividedDim(node, dims[3], *block);
  FailureOr<std::string> mode = imageMode(node);
  if (failed(height) || failed(width) || failed(mode))
    return failure();
  Value b = g.number(*block);
  Tensor apart =
      g.reshaped(node.input(0), {dims[0], dims[1], *height, b, *width, b});
  SmallVector<int64_t> permutation{0, 3, 5, 1, 2, 4};
  if (*mode == "CRD")
    permutation = {0, 1, 3, 5, 2, 4};
  Tensor turned = transposed(g, apart, permutation);
  node.setResult(0,
                 g.reshaped(turned, {dims[0], g.mul(dims[1], *block * *block),
                                     *height, *width}));
  return success();
}

static const OperatorRow rows[] = {
    {"Concat", emitConcat, 1},
    {"DepthToSpace", emitDepthToSpace, 1, 1},
    {"Expand", emitExpand, 2, 2},
    {"SpaceToDepth", emitSpaceToDepth, 1, 1},
    {"Split", emitSplit, 1, 2, 1, ~0u, 2},
    {"Tile", emitTile, 2, 2, 1, 1, 6},
    {"Transpose", emitTranspose, 1, 1},
};

ArrayRef<OperatorRow> layoutOperators() { return rows; }

} // namespace llmopt::graph
