//===- Rotary.cpp - Rotary embeddings of graphs -----------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lowering/Graph/Heads.h"
#include "passes/Lowering/Graph/Operators.h"

using namespace mlir;

namespace llmopt::graph {

namespace {
/// The inputs of a RotaryEmbedding of either domain.
struct RotaryInputs {
  Tensor input;
  Value batch, heads, rows, columns;
  Rotary rotary;
};
} // namespace

/// Fills in batch, heads, rows and columns from the input's dimensions.
static LogicalResult readShape(Node &node, RotaryInputs &in) {
  GraphBuilder &g = node.g;
  ArrayRef<Value> dims = in.input.dims;
  in.batch = dims.front();
  if (dims.size() == 4) {
    in.heads = dims[1], in.rows = dims[2], in.columns = dims[3];
    return success();
  }
  if (dims.size() != 3)
    return node.refuse("its input has " + Twine(dims.size()) +
                       " dimensions, expected 3 or 4");
  in.rows = dims[1];
  int64_t heads = node.attribute("num_heads", int64_t(0));
  if (heads < 0)
    return node.refuse("num_heads is " + Twine(heads) +
                       ", expected a positive number");
  if (heads > 0) {
    in.heads = g.number(heads);
  } else {
    if (node.op.getDomain() != "com.microsoft" ||
        node.attribute("rotary_embedding_dim", int64_t(0)))
      return node.refuse("num_heads is missing, which an input of 3 dimensions "
                         "needs");
    // The tables say how many columns a head has.
    Value columns = g.mul(in.rotary.cosines.dims.back(), 2);
    in.heads = g.div(dims[2], g.max(columns, 1));
  }
  in.columns = g.div(dims[2], g.max(in.heads, 1));
  g.require(g.equal(g.mul(in.columns, in.heads), dims[2]),
            node.describe() + ": the columns of its input are no multiple of "
                              "the number of heads");
  return success();
}

/// Sets how many columns are rotated and checks the tables against it.
static LogicalResult readWidth(Node &node, RotaryInputs &in) {
  GraphBuilder &g = node.g;
  int64_t width = node.attribute("rotary_embedding_dim", int64_t(0));
  if (width < 0 || width % 2)
    return node.refuse("rotary_embedding_dim is " + Twine(width) +
                       ", expected an even number");
  in.rotary.width = width ? g.number(width) : in.columns;
  in.rotary.isInterleaved = node.attribute("interleaved", int64_t(0)) != 0;
  g.require(g.logicalNot(g.less(in.columns, in.rotary.width)),
            node.describe() + ": rotates more columns than a head has");
  for (const Tensor *table : {&in.rotary.cosines, &in.rotary.sines})
    g.require(g.equal(g.mul(table->dims.back(), 2), in.rotary.width),
              node.describe() + ": the columns of its cosines and sines are "
                                "not half of those that are rotated");
  g.require(g.equal(g.count(in.rotary.cosines), g.count(in.rotary.sines)),
            node.describe() + ": its cosines and sines differ in shape");
  return success();
}

static void rotateAll(Node &node, const RotaryInputs &in) {
  GraphBuilder &g = node.g;
  requirePositions(g, in.rotary, in.batch, in.rows, node.describe());
  Tensor result = g.allocateTensor(in.input.type, in.input.dims);
  auto view = [&](const Tensor &tensor) {
    return tensor.rank() == 4 ? viewByHead(g, tensor)
                              : viewByRow(g, tensor, in.columns, g.number(0));
  };
  HeadsCopy copy;
  copy.from = view(in.input);
  copy.to = view(result);
  copy.batch = in.batch;
  copy.heads = in.heads;
  copy.rows = in.rows;
  copy.columns = in.columns;
  copy.rotary = in.rotary;
  copyHeads(g, copy);
  node.setResult(0, result);
}

/// Sets the positions from an input [batch, rows].
static LogicalResult lookUpPositions(Node &node, RotaryInputs &in,
                                     size_t index) {
  GraphBuilder &g = node.g;
  const Tensor &positions = node.buffer(index);
  if (positions.rank() != 2)
    return node.refuse("position_ids has " + Twine(positions.rank()) +
                       " dimensions, expected 2");
  if (!positions.type.get().isSignlessInteger(64))
    return node.refuse("position_ids is not of type int64");
  g.require(g.logicalAnd(g.equal(positions.dims[0], in.batch),
                         g.equal(positions.dims[1], in.rows)),
            node.describe() + ": position_ids is not [batch, sequence]");
  in.rotary.position = [&g, positions](Value batch, Value row) {
    return g.loadElement(positions,
                         g.linearIndex({batch, row}, positions.dims));
  };
  return success();
}

static LogicalResult checkTables(Node &node, const RotaryInputs &in,
                                 int64_t rank) {
  for (const Tensor *table : {&in.rotary.cosines, &in.rotary.sines}) {
    if (table->rank() != rank)
      return node.refuse("its cosines and sines have " + Twine(table->rank()) +
                         " dimensions, expected " + Twine(rank));
    if (table->type != in.input.type)
      return node.refuse("its inputs have different element types");
  }
  return success();
}

/// ONNX: X, cos_cache, sin_cache, position_ids.
static LogicalResult emitRotaryEmbedding(Node &node) {
  GraphBuilder &g = node.g;
  RotaryInputs in;
  in.input = node.buffer(0);
  in.rotary.cosines = node.buffer(1);
  in.rotary.sines = node.buffer(2);
  bool hasPositions = node.hasInput(3);
  if (failed(checkTables(node, in, hasPositions ? 2 : 3)) ||
      failed(readShape(node, in)) || failed(readWidth(node, in)))
    return failure();
  if (hasPositions) {
    if (failed(lookUpPositions(node, in, 3)))
      return failure();
  } else {
    Values dims = in.rotary.cosines.dims;
    g.require(
        g.logicalAnd(g.equal(dims[0], in.batch), g.equal(dims[1], in.rows)),
        node.describe() +
            ": without position_ids its cosines and sines have to be "
            "[batch, sequence, columns]");
    in.rotary.position = [&g, dims](Value batch, Value row) {
      return g.linearIndex({batch, row}, ArrayRef(dims).take_front(2));
    };
  }
  rotateAll(node, in);
  return success();
}

/// com.microsoft: input, position_ids, cos_cache, sin_cache. One position is
/// that of the first row of every batch.
static LogicalResult emitContribRotaryEmbedding(Node &node) {
  GraphBuilder &g = node.g;
  if (node.attribute("is_packed_batching", int64_t(0)))
    return node.refuse("is_packed_batching is not supported");
  if (node.attribute("scale", 1.0) != 1.0)
    return node.refuse("scale is not supported; multiply its result instead");
  RotaryInputs in;
  in.input = node.buffer(0);
  in.rotary.cosines = node.buffer(2);
  in.rotary.sines = node.buffer(3);
  if (failed(checkTables(node, in, 2)) || failed(readShape(node, in)) ||
      failed(readWidth(node, in)))
    return failure();
  if (node.input(1).rank() == 2) {
    if (failed(lookUpPositions(node, in, 1)))
      return failure();
  } else {
    if (node.input(1).rank() > 1 ||
        !node.input(1).type.get().isSignlessInteger(64))
      return node.refuse("position_ids is neither one int64 nor [batch, "
                         "sequence]");
    g.require(g.equal(g.count(node.input(1)), 1),
              node.describe() + ": position_ids is not one number");
    Value start = g.onlyElement(node.buffer(1));
    in.rotary.position = [&g, start](Value, Value row) {
      return g.add(start, row);
    };
  }
  rotateAll(node, in);
  return success();
}

static const OperatorRow rows[] = {
    {"RotaryEmbedding", emitRotaryEmbedding, 3, 4, 1, 1, 23},
    {"RotaryEmbedding", emitContribRotaryEmbedding, 4, 4, 1, 1, 1, INT64_MAX,
     "com.microsoft"},
};

ArrayRef<OperatorRow> rotaryOperators() { return rows; }

} // namespace llmopt::graph
