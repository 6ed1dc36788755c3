//===- Folding.cpp - Col2Im -------------------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reducer.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// Columns [N, C * block, blocks] that are added up to images [N, C, image...].
struct Fold {
  Values image, block; ///< sizes
  Values blocks;       ///< number of blocks in every dimension
  SmallVector<int64_t> dilations, strides, pads;
  Value channels;
};
} // namespace

/// An attribute of one positive number per dimension, 1 where it is absent.
static FailureOr<SmallVector<int64_t>> onesOr(Node &node, StringRef name,
                                              size_t count) {
  auto list = node.integers(name);
  if (!list)
    return SmallVector<int64_t>(count, 1);
  if (list->size() != count)
    return node.refuse("attribute " + name + " has " + Twine(list->size()) +
                       " entries, expected " + Twine(count));
  for (int64_t number : *list)
    if (number < 1)
      return node.refuse("attribute " + name + " has the entry " +
                         Twine(number) + ", expected 1 or more");
  return *list;
}

static FailureOr<Fold> foldOf(Node &node) {
  GraphBuilder &g = node.g;
  FailureOr<Values> image = numbersOf(node, 1, "image_shape");
  FailureOr<Values> block = numbersOf(node, 2, "block_shape");
  if (failed(image) || failed(block))
    return failure();
  size_t rank = image->size();
  if (block->size() != rank || rank == 0)
    return node.refuse("image_shape has " + Twine(rank) +
                       " entries and block_shape " + Twine(block->size()) +
                       ", expected the same number, 1 or more");
  auto dilations = onesOr(node, "dilations", rank);
  auto strides = onesOr(node, "strides", rank);
  if (failed(dilations) || failed(strides))
    return failure();
  auto pads = node.integers("pads").value_or(SmallVector<int64_t>(2 * rank, 0));
  if (pads.size() != 2 * rank)
    return node.refuse("attribute pads has " + Twine(pads.size()) +
                       " entries, expected " + Twine(2 * rank));
  Fold fold{*image, *block, {}, *dilations, *strides, pads, {}};
  for (size_t i = 0; i < rank; ++i) {
    if (failed(asDimension(node, fold.image[i])) ||
        failed(asDimension(node, fold.block[i])))
      return failure();
    Value padded = g.add(fold.image[i], pads[i] + pads[i + rank]);
    Value span = g.add(g.mul(g.sub(fold.block[i], 1), fold.dilations[i]), 1);
    Value blocks = g.add(g.div(g.sub(padded, span), fold.strides[i]), 1);
    fold.blocks.push_back(
        g.select(g.less(padded, span), g.number(0), g.max(blocks, 0)));
  }
  Value size = g.product(fold.block);
  if (g.isKnown(size, 0))
    return node.refuse("block_shape has an entry of 0");
  g.require(g.less(g.number(0), size),
            node.describe() + ": block_shape has a 0");
  fold.channels = g.div(node.input(0).dims[1], g.max(size, 1));
  g.require(g.equal(g.mul(fold.channels, size), node.input(0).dims[1]),
            node.describe() + ": the columns are no multiple of the block");
  g.require(g.equal(g.product(fold.blocks), node.input(0).dims[2]),
            node.describe() +
                ": the number of blocks does not fit image_shape, "
                "strides, pads and dilations");
  return fold;
}

/// Adds the row `blockRow` of blocks for the element `tap` of a block.
static void addRow(GraphBuilder &g, const Fold &fold, ArrayRef<Value> tap,
                   ArrayRef<Value> blockRow, const Tensor &columns, Value from,
                   const Tensor &sum, Value plane) {
  size_t last = fold.image.size() - 1;
  Value isInside = g.integer(g.b.getI1Type(), 1), row = plane;
  for (size_t i = 0; i < last; ++i) {
    Value at = g.add(g.mul(blockRow[i], fold.strides[i]),
                     g.sub(g.mul(tap[i], fold.dilations[i]), fold.pads[i]));
    Value fits =
        g.logicalAnd(g.logicalNot(g.less(at, 0)), g.less(at, fold.image[i]));
    isInside = g.logicalAnd(isInside, fits);
    row = g.add(g.mul(row, fold.image[i]), at);
  }
  int64_t stride = fold.strides[last];
  Value shift = g.sub(g.mul(tap[last], fold.dilations[last]), fold.pads[last]);
  // Blocks whose element is in the row: from the first one that is not before
  // it to the last one that is not behind it.
  Value before = g.max(g.sub(g.number(0), shift), 0);
  Value begin = g.div(g.add(before, stride - 1), stride);
  Value behind = g.max(g.sub(fold.image[last], shift), 0);
  Value end =
      g.min(g.div(g.add(behind, stride - 1), stride), fold.blocks[last]);
  g.ifThen(isInside, [&] {
    Value to = g.add(g.mul(row, fold.image[last]), shift);
    bool lanes = stride == 1 && canReadLanes(columns);
    g.vectorLoop(begin, end, lanes, [&](Value i, int64_t width) {
      Value at = g.add(to, g.mul(i, stride));
      Value next = g.loadElement(columns, g.add(from, i), width);
      next = addValues(g, g.loadElement(sum, at, width), next);
      g.storeElement(sum, at, next);
    });
  });
}

static LogicalResult emitCol2Im(Node &node) {
  GraphBuilder &g = node.g;
  ElementType type = node.input(0).type;
  if (node.input(0).rank() != 3)
    return node.refuse("its input has " + Twine(node.input(0).rank()) +
                       " dimensions, expected 3");
  if (type.isBool() || type.isMiniFloat())
    return node.refuse("its input must be numbers of 8 bits or more");
  FailureOr<Fold> fold = foldOf(node);
  if (failed(fold))
    return failure();
  const Tensor &columns = node.buffer(0);
  Values dims{columns.dims[0], fold->channels};
  dims.append(fold->image);
  // Small floats are summed up in f32.
  Tensor sum = g.allocateTensor(type.compute(), dims);
  if (!type.isSmallFloat())
    sum.type = type;
  Value pixels = g.product(fold->image), size = g.product(fold->block);
  Value count = g.product(fold->blocks);
  Values outer(ArrayRef(fold->blocks).drop_back());
  g.parallelFor(
      g.product(ArrayRef(dims).take_front(2)),
      g.add(pixels, g.mul(size, count)), [&](Value plane) {
        Value zero = g.constant(type.compute(), 0);
        g.vectorLoop(g.mul(plane, pixels), g.mul(g.add(plane, 1), pixels), true,
                     [&](Value i, int64_t width) {
                       g.storeElement(sum, i, g.splat(zero, width));
                     });
        g.loop(size, [&](Value tap) {
          Value column = g.add(g.mul(plane, size), tap);
          Values taps = g.delinearize(tap, fold->block);
          g.loop(g.product(outer), [&](Value row) {
            Value from = g.mul(g.add(g.mul(column, g.product(outer)), row),
                               fold->blocks.back());
            addRow(g, *fold, taps, g.delinearize(row, outer), columns, from,
                   sum, plane);
          });
        });
      });
  if (type.isSmallFloat())
    sum = mapElements(
        g, {sum}, type,
        [](GraphBuilder &, ArrayRef<Value> in) { return in[0]; },
        node.describe());
  node.setResult(0, sum);
  return success();
}

static const OperatorRow rows[] = {
    {"Col2Im", emitCol2Im, 3, 3, 1, 1, 18},
};

ArrayRef<OperatorRow> foldingOperators() { return rows; }

} // namespace llmopt::graph
